"""Published figures that `gpuplan breakeven` can be asked for come out of the product itself, not only of formulas."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from planner.cli import main

HERE = Path(__file__).parent
Inputs = Mapping[str, Any]
Answer = Mapping[str, Any]
YEAR_HOURS = 8760


def _tables() -> dict[str, dict[str, str]]:
    rows: dict[str, dict[str, str]] = {}
    for file, key in (("finance_cases.csv", "case_id"), ("tco_reference.csv", "ref_id")):
        with (HERE / file).open(encoding="utf-8") as text:
            rows |= {row[key]: row for row in csv.DictReader(text)}
    return rows


ROWS = _tables()


def _break_even(x: Inputs) -> dict[str, Any]:
    """Return the scenario of a study: capex, an hourly cost of running, an hourly rent."""
    return {
        "rent": {"usd_per_hour": x.get("rent_usd_per_hour", x.get("rent_per_hour"))},
        "buy": {
            "capex_usd": x.get("capex_usd", x.get("capex")),
            "opex_usd_per_hour": x.get("own_opex_usd_per_hour", x.get("own_opex_per_hour")),
            "life_months": 600,
        },
        "use": {"hours_per_day": x.get("hours_per_day", 24)},
        "money": {"hours_per_month": x.get("hours_per_month", x.get("year_hours", YEAR_HOURS) / 12)},
        "horizon_months": 12 * x.get("years", 10),
    }


def _with_fixed_costs(x: Inputs) -> dict[str, Any]:
    """Return the scenario of a server with fixed monthly costs beside those of a busy hour, and a residual value."""
    months = x.get("months", 12 * x.get("years", 0))
    return {
        "rent": {"usd_per_hour": x["rent_per_hour"]},
        "buy": {
            "capex_usd": x["capex"],
            "opex_usd_per_hour": x["var_opex_per_busy_hour"],
            "staff_usd_per_year": 12 * x["fixed_opex_per_month"],
            "resale_share": x["residual"] / x["capex"],
            "life_months": months,
        },
        "use": {"utilisation_share": x.get("utilisation", 1)},
        "money": {"discount_rate_share_per_year": x.get("rate_annual", 0)},
        "horizon_months": months,
    }


def _monthly(x: Inputs) -> dict[str, Any]:
    """Return the scenario of a rent a month that falls, against hardware and a cost of running a month."""
    hours = 730
    return {
        "rent": {
            "usd_per_hour": x["rent_per_month_0"] / hours,
            "price_change_share_per_year": x.get("price_change_per_year", 0),
        },
        "buy": {"capex_usd": x.get("capex", 1), "opex_usd_per_hour": x.get("own_per_month", 0) / hours, "life_months": 600},
        "money": {"discount_rate_share_per_year": x["rate_annual"]},
        "horizon_months": x.get("horizon_months", x.get("months")),
    }  # fmt: skip


def _loan(x: Inputs) -> dict[str, Any]:
    """Return the scenario of hardware on a loan without running costs."""
    return {
        "rent": {"usd_per_hour": 1},
        "buy": {"capex_usd": x["principal"], "life_months": x["months"]},
        "money": {
            "financing": "loan",
            "loan_rate_share_per_year": x["apr_nominal_monthly"],
            "loan_months": x["months"],
        },
        "horizon_months": x["months"],
    }


def _payback(x: Inputs) -> dict[str, Any]:
    """Return the scenario of an investment that saves the same sum every year."""
    flows = x["cashflows_t0_first"]
    return {
        "rent": {"usd_per_hour": flows[1] / YEAR_HOURS},
        "buy": {"capex_usd": -flows[0], "life_months": 600},
        "horizon_months": 12 * (len(flows) - 1),
    }


def _key(name: str, divisor: float = 1) -> Callable[[Answer], float | None]:
    return lambda answer: None if answer[name] is None else answer[name] / divisor


CASES: dict[str, tuple[Callable[[Inputs], dict[str, Any]], Callable[[Answer], float | None]]] = {
    **{
        row: (_break_even, _key("breakeven_hours"))
        for row in ("FD044", "FD045", "FD046", "TD001", "TD005", "TD007", "TD016")
    },
    **{row: (_break_even, _key("breakeven_months")) for row in ("TD002", "TD006", "TD008")},
    **{row: (_break_even, _key("breakeven_months", 12)) for row in ("TD003", "TD004")},
    "TD011": (_break_even, lambda answer: answer["rent"]["total_usd"]),
    "TD012": (_break_even, lambda answer: answer["buy"]["total_usd"]),
    "FD028": (_payback, _key("breakeven_months", 12)),
    "FD030": (_payback, _key("breakeven_months", 12)),
    "FD047": (_with_fixed_costs, _key("breakeven_utilisation_share")),
    "FD048": (_with_fixed_costs, lambda answer: answer["buy"]["usd_per_useful_hour"]),
    "FD050": (_with_fixed_costs, _key("breakeven_utilisation_share")),
    "FD051": (_with_fixed_costs, _key("breakeven_usd_per_hour")),
    "FD052": (_monthly, lambda answer: answer["rent"]["present_value_usd"]),
    "FD053": (_monthly, _key("breakeven_months")),
    "FD012": (_loan, lambda answer: answer["buy"]["total_usd"] / 10),
    "FD013": (_loan, lambda answer: answer["buy"]["total_usd"] / 60),
}


@pytest.mark.parametrize("row_id", CASES)
def test_breakeven_gives_the_published_figure(row_id: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = ROWS[row_id]
    scenario_of, answer_of = CASES[row_id]
    file = tmp_path / "scenario.json"
    file.write_text(json.dumps(scenario_of(json.loads(row["inputs_json"]))), encoding="utf-8")
    assert main(["breakeven", str(file), "--format", "json"]) == 0
    computed = answer_of(json.loads(capsys.readouterr().out))
    published = row.get("recomputed_value") or row["expected"]
    if published == "null":
        assert computed is None
    else:
        assert computed == pytest.approx(float(published), rel=max(float(row["rel_tol"] or 0), 1e-7))
