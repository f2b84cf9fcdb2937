"""Bills whose files were joined, each with its header."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from planner.usage.bill import Bill
from planner.usage.faults import UsageError

HEADER = ("ChargePeriodStart", "ChargePeriodEnd", "BillingCurrency", "ChargeCategory", "EffectiveCost", "BilledCost", "ConsumedQuantity", "ConsumedUnit", "ProviderName", "ResourceId", "SubAccountId", "SkuMeter")  # fmt: skip


def _bill(hour: int, effective_usd: float, header: Sequence[str] = HEADER) -> str:
    cells = (f"2026-10-01T0{hour}:00:00Z", f"2026-10-01T0{hour + 1}:00:00Z", "USD", "Usage", effective_usd, 99.0, 1, "Hours", "AWS", "i-1", "a", "BoxUsage:p5.48xlarge")  # fmt: skip
    row = dict(zip(HEADER, map(str, cells), strict=True))
    return "".join(",".join(line) + "\n" for line in (header, [row[name] for name in header]))


def test_the_header_between_joined_bills_is_no_charge_and_no_fault(read: Callable[..., Bill], tmp_path: Path) -> None:
    (tmp_path / "bill.csv").write_text(_bill(0, 55.5) + _bill(1, 44.0), encoding="utf-8")
    bill = read(tmp_path / "bill.csv")
    assert (bill.faults, bill.rows, bill.unreadable_rows) == ((), 2, 0)
    assert bill.effective_usd == pytest.approx(55.5 + 44.0)
    assert bill.table.total("gpu_hours") == pytest.approx(2 * 8)


def test_a_header_of_another_order_is_refused_though_only_costs_have_changed_places(
    read: Callable[..., Bill], tmp_path: Path
) -> None:
    places = {"EffectiveCost": "BilledCost", "BilledCost": "EffectiveCost"}
    second = _bill(1, 44.0, [places.get(name, name) for name in HEADER])
    (tmp_path / "bill.csv").write_text(_bill(0, 55.5) + second, encoding="utf-8")
    with pytest.raises(UsageError, match=r"bill\.csv:3: a second header has its columns in another order"):
        read(tmp_path / "bill.csv")
