"""Clouds' own billing exports say what FOCUS says."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planner.engine.session import connect
from planner.usage.answer import Usage
from planner.usage.bill import Bill
from planner.usage.exports import canonical
from planner.usage.focus_bill import read_bill
from planner.usage.skus import SkuReader
from planner.usage.sources import find_sources
from planner.usage.summary import summarize
from pricing.catalog import load_bundled

Read = Callable[..., Bill]
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)


def _csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _hour(number: int) -> str:
    return (BEGIN + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _aws(kind: str, usd: float, **columns: Any) -> dict[str, Any]:
    return {
        "bill/PayerAccountId": "p", "lineItem/UsageAccountId": "a", "lineItem/LineItemType": kind, "lineItem/UsageStartDate": _hour(0),
        "lineItem/UsageEndDate": _hour(1), "lineItem/ProductCode": "AmazonEC2", "lineItem/UsageType": "BoxUsage:p5.48xlarge", "lineItem/UsageAmount": 1,
        "lineItem/CurrencyCode": "USD", "lineItem/UnblendedCost": usd, "lineItem/ResourceId": "i-1", "pricing/unit": "Hrs",
        "pricing/publicOnDemandCost": 55.04, "product/instanceType": "p5.48xlarge", "product/region": "us-east-1", "resourceTags/user:team": "ml",
        "lineItem/LineItemDescription": "x",
    } | columns  # fmt: skip


AWS_ROWS = [
    _aws("Usage", 55.04),
    _aws("DiscountedUsage", 0, **{"lineItem/ResourceId": "i-2", "reservation/EffectiveCost": 30, "reservation/ReservationARN": "ri"}),
    _aws("SavingsPlanCoveredUsage", 55.04, **{"lineItem/ResourceId": "i-3", "savingsPlan/SavingsPlanEffectiveCost": 40, "savingsPlan/SavingsPlanARN": "sp"}),
    _aws("SavingsPlanNegation", -55.04, **{"lineItem/ResourceId": "i-3", "savingsPlan/SavingsPlanARN": "sp"}),
    _aws("SavingsPlanRecurringFee", 50, **{"lineItem/ResourceId": "", "lineItem/UsageType": "ComputeSP", "product/instanceType": "", "savingsPlan/SavingsPlanARN": "sp", "savingsPlan/TotalCommitmentToDate": 50, "savingsPlan/UsedCommitment": 40}),
    _aws("RIFee", 100, **{"lineItem/ResourceId": "", "reservation/ReservationARN": "ri", "reservation/UnusedRecurringFee": 30, "reservation/UnusedAmortizedUpfrontFeeForBillingPeriod": 0, "reservation/UnusedQuantity": 1}),
    _aws("Fee", 9_000, **{"reservation/ReservationARN": "ri"}),
    _aws("Tax", 5, **{"product/instanceType": "", "lineItem/UsageType": ""}),
]  # fmt: skip


def _usage(bill: Bill) -> Usage:
    return summarize(bill, [], load_bundled())


@pytest.mark.slow
@pytest.mark.parametrize("names", ["legacy", "cur2"])
def test_a_cost_and_usage_report_is_amortized(read: Read, tmp_path: Path, names: str) -> None:
    rows = [{canonical(name) if names == "cur2" else name: cell for name, cell in row.items()} for row in AWS_ROWS]
    bill = read(_csv(tmp_path / "cur.csv", rows), tag="team")
    usage = _usage(bill)
    assert bill.versions == ("AWS CUR",)
    assert (usage.gpu_hours, usage.unused_gpu_hours) == pytest.approx((24, 8))
    assert usage.effective_usd == pytest.approx(55.04 + 30 + 40 + 10 + 30)
    assert usage.list_usd == pytest.approx(3 * 55.04)
    assert usage.commitments is not None
    assert usage.commitments.unused_usd == pytest.approx(40)
    assert {group.name for group in usage.groups["tag"]} >= {"ml"}


@pytest.mark.parametrize("day", ["10/01/2026", "2026-10-01"])
def test_azures_amortized_costs_are_read(read: Read, tmp_path: Path, day: str) -> None:
    base = {
        "Date": day, "MeterCategory": "Virtual Machines", "MeterName": "ND96isr H100 v5", "Quantity": 24, "UnitOfMeasure": "1 Hour",
        "CostInBillingCurrency": 2000, "PayGPrice": 98.32, "BillingCurrencyCode": "USD", "PricingModel": "OnDemand", "ChargeType": "Usage",
        "SubscriptionId": "s", "ResourceId": "/vm/1", "ResourceLocation": "East US", "AdditionalInfo": '{"ServiceType": "Standard_ND96isr_H100_v5"}', "Tags": '"team": "ml"',
    }  # fmt: skip
    rows = [
        base,
        base | {"ResourceId": "/vm/2", "PricingModel": "Reservation", "ReservationId": "r", "CostInBillingCurrency": 1000},
        base | {"ResourceId": "", "PricingModel": "Reservation", "ReservationId": "r", "CostInBillingCurrency": 500, "ChargeType": "UnusedReservation", "Quantity": 12},
        base | {"AdditionalInfo": '{"ServiceType": "Standard_ND96isr_H100_v5", "UsageType": "ComputeHR_SW"}', "CostInBillingCurrency": 10},
    ]  # fmt: skip
    usage = _usage(read(_csv(tmp_path / "azure.csv", rows), tag="team"))
    assert (usage.gpu_hours, usage.unused_gpu_hours) == pytest.approx((384, 96))
    assert usage.effective_usd == pytest.approx(3510)
    assert [group.name for group in usage.groups["tag"]] == ["ml"]
    assert [group.name for group in usage.groups["region"]] == ["eastus"]


@pytest.mark.parametrize("tag", ["Finance.Team", "finance_team"])
def test_oracles_cost_reports_are_read(read: Read, tmp_path: Path, tag: str) -> None:
    row = {
        "lineItem/intervalUsageStart": "2026-10-01T00:00Z", "lineItem/intervalUsageEnd": "2026-10-01T01:00Z", "product/service": "COMPUTE", "product/region": "us-ashburn-1",
        "product/resourceId": "ocid1", "product/Description": "Oracle Cloud Infrastructure - Compute - GPU - H100", "product/compartmentId": "c",
        "usage/billedQuantity": 8, "cost/myCost": 80, "cost/currencyCode": "USD", "cost/billingUnitReadable": "GPU HOURS", "cost/productSku": "B1", "lineItem/isCorrection": "false", "tags/Finance.Team": 'ml "large" \\ 2',
    }  # fmt: skip
    usage = _usage(read(_csv(tmp_path / "oci.csv", [row]), tag=tag))
    assert (usage.gpu_hours, usage.effective_usd) == pytest.approx((8, 80))
    assert [group.name for group in usage.groups["tag"]] == ['ml "large" \\ 2']


@pytest.mark.parametrize("tag", ["CostCenter", "cost_center"])
@pytest.mark.parametrize("column", ["resourceTags/user:CostCenter", "resourceTags/CostCenter"])
def test_a_tag_is_found_as_people_wrote_it_and_as_athena_spells_it(
    read: Read, tmp_path: Path, column: str, tag: str
) -> None:
    value = 'cc 1, "x": \\'
    usage = _usage(read(_csv(tmp_path / "cur.csv", [_aws("Usage", 55.04, **{column: value})]), tag=tag))
    assert [(group.name, group.gpu_hours) for group in usage.groups["tag"]] == [(value, 8)]


def test_googles_detailed_export_is_read_as_bigquery_stores_it(read: Read, tmp_path: Path) -> None:
    def row(sku: str, cost: float, amount: float) -> dict[str, Any]:
        return {
            "billing_account_id": "b", "service": {"id": "6F81", "description": "Compute Engine"}, "sku": {"id": "1", "description": sku},
            "usage_start_time": BEGIN, "usage_end_time": BEGIN + timedelta(hours=1), "project": {"id": "p"}, "labels": [{"key": "team", "value": "ml"}],
            "location": {"region": "us-central1"}, "resource": {"name": "vm", "global_name": "//vm"}, "cost": cost, "currency": "USD",
            "usage": {"amount": amount, "unit": "seconds", "amount_in_pricing_units": amount / 3600, "pricing_unit": "hour"},
            "credits": [{"name": "cud", "type": "COMMITTED_USAGE_DISCOUNT", "amount": -cost / 4}, {"name": "gift", "type": "PROMOTION", "amount": -1.0}], "cost_type": "regular",
        }  # fmt: skip

    rows = [
        row("Nvidia H100 80GB GPU attached to A3 instance", 60.0, 8 * 3600.0),
        row("A3 Instance Core running", 12.0, 208 * 3600.0),
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "gcp.parquet")
    usage = _usage(read(tmp_path / "gcp.parquet", tag="team"))
    assert (usage.gpu_hours, usage.effective_usd, usage.list_usd) == pytest.approx((8, 54, 72))
    assert [group.name for group in usage.groups["tag"]] == ["ml"]


def test_a_bill_as_json_whose_numbers_are_texts_in_some_records_is_read(
    reader: SkuReader, tmp_path: Path, cases: ModuleType
) -> None:
    hours = cases.bill_rows(2)
    hours[1] |= {"EffectiveCost": "55.04", "ConsumedQuantity": "1"}
    hours = [hour | {"Tags": {"team": "ml"}} for hour in hours]
    (tmp_path / "bill.json").write_text(json.dumps(hours), encoding="utf-8")
    sources, faults = find_sources([str(tmp_path / "bill.json")], folder=tmp_path)
    assert faults == []
    engine = connect("duckdb:?threads=1")
    bill = read_bill(engine, sources, reader, folder=tmp_path, tag="team")
    engine.close()
    usage = _usage(bill)
    assert (usage.gpu_hours, usage.effective_usd) == pytest.approx((16, 2 * 55.04))
    assert [group.name for group in usage.groups["tag"]] == ["ml"]


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_googles_machine_label_tells_apart_what_its_skus_call_the_same(read: Read, tmp_path: Path, form: str) -> None:
    def row(sku: str, cost: float, amount: float, spec: str, vm: str) -> dict[str, Any]:
        labels = [{"key": "compute.googleapis.com/cores", "value": "96"}, {"key": "compute.googleapis.com/machine_spec", "value": spec}]  # fmt: skip
        return {
            "service": {"description": "Compute Engine"}, "sku": {"description": sku}, "usage_start_time": "2026-10-01T00:00:00Z", "usage_end_time": "2026-10-01T01:00:00Z",
            "system_labels": labels if form == "parquet" else json.dumps(labels), "location": {"region": "us-central1"}, "resource": {"global_name": vm}, "cost": cost, "currency": "USD",
            "usage": {"amount": amount, "unit": "seconds"},
        }  # fmt: skip

    rows = [
        row("Nvidia Tesla A100 GPU running in Iowa", 20.0, 8 * 3600.0, "a2-highgpu-8g", "vm-1"),
        row("A2 Instance Core running in Iowa", 3.0, 96 * 3600.0, "a2-highgpu-8g", "vm-1"),
        row("Nvidia Tesla A100 80GB GPU running in Iowa", 30.0, 8 * 3600.0, "a2-ultragpu-8g", "vm-2"),
        row("A2 Instance Core running in Iowa", 4.0, 96 * 3600.0, "a2-ultragpu-8g", "vm-2"),
        row("A2 Instance Ram running in Iowa", 5.0, 1360 * 3600.0, "a2-ultragpu-8g", "vm-2"),
        row("External IP Charge on a Standard VM", 0.5, 3600.0, "a2-ultragpu-8g", "vm-2"),
    ]
    path = tmp_path / f"gcp.{form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        flat = ({f"{name}.{part}" if part else name: cell for name, value in row.items() for part, cell in (value.items() if isinstance(value, dict) else [("", value)])} for row in rows)  # fmt: skip
        _csv(path, list(flat))
    bill = read(path)
    found = {group.name: (group.gpu_hours, group.effective_usd) for group in _usage(bill).groups["gpu"]}
    assert found == {"A100-40GB-SXM": (8, 23), "A100-80GB-SXM": (8, 39)}
    assert bill.checks == ()


def test_azures_older_names_say_the_same(read: Read, tmp_path: Path) -> None:
    row = {
        "Date": "10/01/2026", "Meter Category": "Virtual Machines", "Meter Name": "ND96isr H100 v5", "Consumed Quantity": 24, "Unit of Measure": "1 Hour", "ExtendedCost": 2000,
        "SubscriptionGuid": "s", "Instance ID": "/vm/1", "Additional Info": '{"ServiceType": "Standard_ND96isr_H100_v5"}', "Tags": "",
    }  # fmt: skip
    usage = _usage(read(_csv(tmp_path / "azure.csv", [row])))
    assert (usage.gpu_hours, usage.effective_usd) == pytest.approx((192, 2000))


def test_what_azures_actual_cost_bills_as_a_purchase_is_cost_where_no_use_carries_it(
    read: Read, tmp_path: Path
) -> None:
    use = {
        "Date": "10/01/2026", "MeterCategory": "Virtual Machines", "MeterName": "ND96isr H100 v5", "Quantity": 24, "UnitOfMeasure": "1 Hour", "CostInBillingCurrency": 0,
        "BillingCurrencyCode": "USD", "PricingModel": "Reservation", "ReservationId": "r", "ChargeType": "Usage", "SubscriptionId": "s", "ResourceId": "/vm/1", "ProductName": "",
        "AdditionalInfo": '{"ServiceType": "Standard_ND96isr_H100_v5"}',
    }  # fmt: skip
    bought = use | {
        "ChargeType": "Purchase", "Quantity": 1, "UnitOfMeasure": "1", "CostInBillingCurrency": 30_000, "ResourceId": "", "MeterName": "", "AdditionalInfo": "",
        "ProductName": "Reserved VM Instance, Standard_ND96isr_H100_v5, US East, 1 Month",
    }  # fmt: skip
    actual = _csv(tmp_path / "b-actual.csv", [use, bought])
    usage = _usage(read(actual))
    assert (usage.gpu_hours, usage.effective_usd) == pytest.approx((192, 30_000))
    amortized = _csv(tmp_path / "a-amortized.csv", [use | {"CostInBillingCurrency": 1_000}])
    usage = _usage(read(actual, amortized))
    assert (usage.gpu_hours, usage.effective_usd) == pytest.approx((192, 1_000))
    assert usage.bill is not None
    assert {check.code for check in usage.bill.checks} >= {"replaced_export"}


def test_googles_export_as_a_flat_table_and_its_commitments_count_each_hour_once(read: Read, tmp_path: Path) -> None:
    def row(sku: str, cost: float, credit: float, amount: float) -> dict[str, Any]:
        return {
            "service.description": "Compute Engine", "sku.description": sku, "usage_start_time": "2026-10-01 00:00:00 UTC", "usage_end_time": "2026-10-01 01:00:00 UTC", "project.id": "p",
            "location.region": "us-central1", "cost": cost, "currency": "USD", "usage.amount": amount, "usage.unit": "seconds", "cost_type": "regular",
            "credits": f'[{{"name": "cud", "type": "COMMITTED_USAGE_DISCOUNT", "amount": {credit}}}]' if credit else "", "labels": '[{"key": "team", "value": "ml"}]',
        }  # fmt: skip

    rows = [
        row("Nvidia H100 80GB GPU attached to A3 instance running in Iowa", 60.0, -60.0, 8 * 3600.0),
        row("Commitment v1: Nvidia H100 80GB GPU running in Iowa for 1 Year", 40.0, 0.0, 8 * 3600.0),
    ]
    usage = _usage(read(_csv(tmp_path / "gcp.csv", rows), tag="team"))
    assert (usage.gpu_hours, usage.effective_usd) == pytest.approx((8, 40))
    assert [group.name for group in usage.groups["tag"]] == ["ml"]
