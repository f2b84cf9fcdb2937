"""The same hours elsewhere are those of machines that could do the same work."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from planner.engine.session import connect
from planner.usage.focus_bill import read_bill
from planner.usage.skus import SkuReader
from planner.usage.sources import find_sources
from planner.usage.summary import summarize
from pricing.catalog import load_bundled


def test_a_machine_with_a_quarter_of_the_host_is_not_the_same_hours_elsewhere(
    cases: ModuleType, reader: SkuReader, tmp_path: Path
) -> None:
    rows = cases.bill_rows(usd=1.624, SkuMeter="BoxUsage:g5.4xlarge", SkuPriceDetails="", ChargeDescription="")
    folder = cases.write_ledger_case(cases.LedgerCase({"a": rows}, 24, 24 * 1.624), tmp_path / "bill")
    engine = connect("duckdb:?threads=1")
    try:
        bill = read_bill(engine, find_sources([str(folder)], folder=tmp_path)[0], reader, folder=tmp_path)
    finally:
        engine.close()
    found = summarize(bill, [], load_bundled()).elsewhere
    aws = next(one for one in found if one.provider == "aws")
    assert "g5.xlarge" not in aws.offers["A10G"]
    hosts = {offer.instance_type: offer for offer in load_bundled().offers if offer.provider == "aws"}
    name = aws.offers["A10G"].split("/")[2]
    machine = hosts[name]
    assert machine.memory_gib is not None
    assert machine.memory_gib / machine.accelerator_count >= 32
    assert aws.usd == pytest.approx(24 * aws.usd_per_gpu_hour)
