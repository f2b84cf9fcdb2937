"""Bills in which one thing is easily counted twice or not at all give back what their maker knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

import pytest

from planner.engine.session import Engine
from planner.usage.bill import Bill
from planner.usage.faults import UsageError
from planner.usage.relations import source_of_file
from planner.usage.sources import Source
from planner.usage.summary import summarize
from pricing.catalog import load_bundled
from tests.usage.conftest import load_cases

Read = Callable[..., Bill]
CASES = load_cases().ledger_cases()
EVERY_DAY = (
    "a service's fee",
    "a savings plan's negation",
    "two versions of one month",
    "a capacity block that use does not carry",
    "a cloud that states no cost",
    "a machine in the description alone",
    "a month exported again, without resources",
    "a few charges again in a later file",
    "a month by the day and by the hour",
    "a commitment beside the use that it covers",
)


@pytest.mark.parametrize("name", [name if name in EVERY_DAY else pytest.param(name, marks=pytest.mark.slow) for name in CASES])  # fmt: skip
def test_every_hour_and_every_dollar_counts_once(
    read: Read, engine: Engine, cases: ModuleType, tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    folder = cases.write_ledger_case(case, tmp_path / "bill")
    if engine.is_spark and name.startswith("times spelled otherwise"):
        # The files lie on the cluster: nobody reads them whole beforehand to see in which order their dates are.
        with pytest.raises(UsageError, match="times as 2026-10-31T13:00:00Z"):
            read(folder)
        return
    bill = read(folder)
    usage = summarize(bill, [], load_bundled())
    found = (usage.gpu_hours, usage.unused_gpu_hours, usage.effective_usd)
    assert found == pytest.approx((case.gpu_hours, case.unused_gpu_hours, case.effective_usd), abs=1e-6)
    assert tuple(check.code for check in bill.checks) == case.checks


def test_what_is_not_counted_is_told_with_its_money(read: Read, cases: ModuleType, tmp_path: Path) -> None:
    bill = read(cases.write_ledger_case(CASES["GPUs that nobody knows"], tmp_path / "bill"))
    check = bill.checks[0]
    assert (check.code, check.is_counted, check.rows) == ("not_counted", False, 24)
    assert check.usd == pytest.approx(12.0)
    assert check.items == ("BoxUsage:p99.48xlarge (12.00 USD)",)


def test_the_savings_rate_is_of_what_has_a_list_price(read: Read, cases: ModuleType, tmp_path: Path) -> None:
    bill = read(cases.write_ledger_case(CASES["no list price for a half"], tmp_path / "bill"))
    assert summarize(bill, [], load_bundled()).savings_rate_share == pytest.approx(0.0, abs=1e-12)


def test_what_was_exported_twice_is_counted_twice_where_that_is_asked_for(
    read: Read, cases: ModuleType, tmp_path: Path
) -> None:
    folder = cases.write_ledger_case(CASES["a month exported again"], tmp_path / "bill")
    assert summarize(read(folder, keep_copies=True), [], load_bundled()).gpu_hours == pytest.approx(384)


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}"])
def test_a_file_is_known_however_an_engine_writes_it(tmp_path: Path, form: str) -> None:
    source = Source(name="bill", path=str(tmp_path / "a%b c.csv"), form="csv", columns=(), kind="focus")
    path = source.path if form == "{}" else quote(source.path)
    assert source_of_file(form.format(path), [source]) is source
