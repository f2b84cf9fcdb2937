"""The workbook worked out anew by LibreOffice: as planned, and with other inputs, cent by cent the planner's own run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.inputs.reading import read_document, validated
from planner.plan import Plan, make_plan
from planner.report.live import Inputs, Live, cost_inputs, crossing_month
from planner.report.record import plan_record
from planner.report.sensitivity import moved
from planner.report.workbook.cells import FIRST_ROW
from planner.report.workbook.file import MOST_LIVE, workbook
from planner.report.workbook.options import OPTION_COLUMNS, SERVER_COLUMNS, labels_of
from pricing.catalog import load_bundled
from pricing.facts.sellers import free_tiers
from pricing.facts.token_prices import token_prices
from tests.conftest import EXAMPLES, TODAY
from tests.report.office import book_of, cells, changed, needs_office, recalculated
from tests.report.test_workbook import named

pytestmark = [pytest.mark.slow, needs_office]
CENT = 0.005


def column(values: dict[tuple[str, str], Any], sheet: str, columns: dict[str, int], key: str) -> list[Any]:
    from xlsxwriter.utility import xl_col_to_name

    letter = xl_col_to_name(columns[key])
    found, row = [], 5
    while (sheet, f"{xl_col_to_name(columns['label'])}{row}") in values:
        found.append(values.get((sheet, f"{letter}{row}")))
        row += 1
    return found


@pytest.mark.parametrize(
    "name", ["serve-llama-70b-office", "pretrain-7b", "qlora-llama-8b-notebook", "serve-small-cpu"]
)
def test_an_office_suite_finds_the_values_that_the_file_brings(
    name: str, plan_of: Callable[[str], Plan], tmp_path: Path
) -> None:
    path = tmp_path / "plan.xlsx"
    path.write_bytes(workbook(plan_record(plan_of(name))))
    ours, formulas = cells(path), cells(path, formulas=True)
    theirs = cells(recalculated(path, tmp_path))
    differing: list[tuple[Any, Any, Any]] = []
    for place, text in formulas.items():
        if isinstance(text, str) and text.startswith("="):
            mine, found = ours.get(place), theirs.get(place)
            if isinstance(mine, int | float) and isinstance(found, int | float):
                if abs(mine - found) > CENT:
                    differing.append((place, mine, found))
            elif (mine or "") != (found or ""):
                differing.append((place, mine, found))
    assert differing == []


CHANGES: list[tuple[str, dict[str, float], Inputs, float | None]] = [
    (
        "busier, dearer power, cheaper staff",
        {"site.colocation.electricity_usd_per_kwh": 0.31, "own.gpus_per_fte": 100.0, "own.lead_time_months": 4.0},
        Inputs(horizon_months=36, use_ratio=1.4),
        None,
    ),
    (
        "a longer look, a shorter life, prices that move",
        {
            "own.life_months": 17.0,
            "own.refresh_price_change_share_per_year": -0.2,
            "rent.price_change_share_per_year": 0.25,
            "rent.support_share": 0.05,
            "money.discount_rate_share_per_year": 0.03,
        },
        Inputs(horizon_months=60, use_ratio=1.0),
        11.5,
    ),
    (
        "used hardware is worth nothing, a short look",
        {f"own.resale_after_{age}_months_share": 0.0 for age in (12, 24, 36, 48, 60)},
        Inputs(horizon_months=7, use_ratio=0.25),
        40.0,
    ),
    (
        "a delivery that never comes, rented bridges",
        {"own.lead_time_months": 59.0, "own.network_share": 0.3, "own.install_share": 0.04},
        Inputs(horizon_months=60, use_ratio=1.0),
        1.0,
    ),
]


@pytest.mark.parametrize(
    ("assumptions", "inputs", "price"), [change[1:] for change in CHANGES], ids=[c[0] for c in CHANGES]
)
def test_changed_inputs_give_the_planners_own_figures_to_the_cent(
    assumptions: dict[str, float], inputs: Inputs, price: float | None, plan_of: Callable[[str], Plan], tmp_path: Path
) -> None:
    record = plan_record(plan_of("serve-llama-70b-office"))
    live = Live(record, most=MOST_LIVE)
    pair = live.pair()
    assert pair is not None
    rent, own = pair
    path = tmp_path / "plan.xlsx"
    path.write_bytes(workbook(record))
    cell_values: dict[str, float | str] = {name.replace(".", "_"): value for name, value in assumptions.items()}
    cell_values |= {"needed_share": inputs.use_ratio * own["needed_share"], "horizon_months": inputs.horizon_months}
    prices = {}
    if price is not None:
        cell_values["rent_own_price"] = price
        prices[rent["id"]] = price
    target = recalculated(changed(path, cell_values, tmp_path / "changed.xlsx"), tmp_path)
    asked = Inputs(horizon_months=inputs.horizon_months, use_ratio=inputs.use_ratio, price_usd_per_hour=prices)
    costs = live.costs(asked, live.assumptions | assumptions)
    values = cells(target)
    others = [costs[o["id"]] for o in live.options if o["kind"] != "buy"]
    owned = [costs[o["id"]] for o in live.options if o["kind"] == "buy"]
    for sheet, columns, mine in (("Options", OPTION_COLUMNS, others), ("Servers", SERVER_COLUMNS, owned)):
        assert column(values, sheet, columns, "usd_today") == pytest.approx(
            [c.present_value_usd for c in mine], abs=CENT
        )
        assert column(values, sheet, columns, "usd_per_month") == pytest.approx(
            [c.usd_per_month for c in mine], abs=CENT
        )
    chosen = live.choice(costs, asked, live.assumptions | assumptions)
    assert named(target, "verdict_usd") == pytest.approx(costs[chosen].usd_per_month, abs=CENT)
    month = crossing_month(costs[rent["id"]], costs[own["id"]])
    assert named(target, "break_even_month") == ("never" if month is None else pytest.approx(month, abs=1e-6))
    saving = costs[rent["id"]].present_value_usd - costs[own["id"]].present_value_usd
    assert named(target, "saving_usd") == pytest.approx(saving, abs=CENT)


def test_a_seller_that_is_struck_out_is_not_taken(plan_of: Callable[[str], Plan], tmp_path: Path) -> None:
    record = plan_record(plan_of("gpu-hours-h100"), top=12)
    path = tmp_path / "plan.xlsx"
    path.write_bytes(workbook(record))
    chosen = next(option for option in record["options"] if option["id"] == record["verdict"]["option_id"])
    options = [o for o in Live(record, most=MOST_LIVE).options if o["kind"] != "buy"]
    book = book_of(path)
    for row, option in enumerate(options, FIRST_ROW + 1):
        if option["provider"] == chosen["provider"]:
            book["Options"].cell(row, OPTION_COLUMNS["included"] + 1).value = "no"
    book.save(tmp_path / "changed.xlsx")
    target = recalculated(tmp_path / "changed.xlsx", tmp_path)
    left = [
        o for o in record["options"] if o["choosable"] and o["kind"] == "rent" and o["provider"] != chosen["provider"]
    ]
    assert named(target, "verdict_usd") == pytest.approx(left[0]["cost"]["usd_per_month"], abs=CENT)
    assert left[0]["cost"]["usd_per_month"] > chosen["cost"]["usd_per_month"]


def test_a_rent_that_saves_next_to_nothing_is_not_taken_before_a_hosted_api(tmp_path: Path) -> None:
    """A machine for 21 USD against 26 USD by the token: less apart than verdict.trivial_usd (5), more than 1."""
    work = Workload.model_validate(
        {
            "kind": "batch",
            "model": "llama-3.1-8b",
            "batch": {
                "requests": 1_000_000,
                "input_tokens": 800,
                "output_tokens": 200,
                "deadline_hours": 12,
            },
        }
    )
    prices = token_prices("llama-3.1-8b", TODAY, today=TODAY)
    plan = make_plan(work, load_bundled(), default_assumptions(), today=TODAY, token_prices=prices)
    path = tmp_path / "plan.xlsx"
    path.write_bytes(workbook(plan_record(plan)))
    hosted = plan.chosen
    rent = min((o for o in plan.options if o.kind == "rent" and o.choosable), key=lambda o: o.present_value_usd)
    assert hosted.kind == "api"
    assert 1.0 < hosted.present_value_usd - rent.present_value_usd < 5.0
    assert named(path, "verdict_usd") == pytest.approx(hosted.total_usd, abs=CENT)
    for limit_usd, taken in ((5.0, hosted), (1.0, rent)):
        target = recalculated(
            changed(path, {"verdict_trivial_usd": limit_usd}, tmp_path / f"changed{limit_usd:g}.xlsx"), tmp_path
        )
        assert named(target, "verdict_usd") == pytest.approx(taken.total_usd, abs=CENT)


def test_a_finance_person_types_in_a_tariff_and_reads_what_the_planner_would_say(tmp_path: Path) -> None:
    """The whole planner is run again with the new assumptions, from the workload on, and agrees with the changed cells."""
    work = validated(read_document(str(EXAMPLES / "serve-llama-70b-office.yaml")), Workload)
    assumptions = {
        "site.colocation.electricity_usd_per_kwh": 0.25,
        "own.resale_after_36_months_share": 0.2,
        "money.discount_rate_share_per_year": 0.06,
        "own.lead_time_months": 3.0,
    }

    def planned(values: dict[str, float], months: int) -> Plan:
        return make_plan(
            work.model_copy(update={"horizon_months": months}),
            load_bundled(),
            default_assumptions().override(values, "--set"),
            today=TODAY,
            token_prices=token_prices(work.model, TODAY, today=TODAY) if isinstance(work.model, str) else (),
            free_tiers=free_tiers(),
        )

    path = tmp_path / "plan.xlsx"
    record = plan_record(planned({}, 36))
    path.write_bytes(workbook(record))
    again = planned(assumptions, 48)
    cell_values: dict[str, float | str] = {name.replace(".", "_"): value for name, value in assumptions.items()}
    target = recalculated(changed(path, {**cell_values, "horizon_months": 48}, tmp_path / "changed.xlsx"), tmp_path)
    by_id = {option.id: option for option in again.options}
    live = Live(record, most=MOST_LIVE)
    values = cells(target)
    others = [by_id[o["id"]] for o in live.options if o["kind"] != "buy"]
    owned = [by_id[o["id"]] for o in live.options if o["kind"] == "buy"]
    for sheet, columns, mine in (("Options", OPTION_COLUMNS, others), ("Servers", SERVER_COLUMNS, owned)):
        assert column(values, sheet, columns, "usd_today") == pytest.approx(
            [o.present_value_usd for o in mine], abs=CENT
        )
        assert column(values, sheet, columns, "usd_per_month") == pytest.approx(
            [o.usd_per_month for o in mine], abs=CENT
        )
    verdict = by_id[again.verdict.option_id]
    assert named(target, "verdict_usd") == pytest.approx(verdict.usd_per_month, abs=CENT)
    unit = column(values, "Options", OPTION_COLUMNS, "usd_per_unit")
    assert unit == pytest.approx([o.usd_per_million_tokens for o in others], rel=1e-9)


@pytest.mark.parametrize("name", ["serve-llama-70b-office", "pretrain-7b"])
def test_the_sensitivity_follows_the_inputs_and_the_pair_that_is_looked_at(
    name: str, plan_of: Callable[[str], Plan], tmp_path: Path
) -> None:
    record = plan_record(plan_of(name))
    live = Live(record, most=MOST_LIVE)
    labels = labels_of(live.options)
    # Another pair than the plan's own: a commitment with its terms, and the last of the servers.
    rents = [option for option in live.options if cost_inputs(option)["kind"] == "rent"]
    rent = next((o for o in rents if o["purchase_option"].startswith("reserved")), rents[-1])
    own = [option for option in live.options if option["kind"] == "buy"][-1]
    assumptions = {
        "money.discount_rate_share_per_year": 0.04,
        "rent.price_change_share_per_year": 0.07,
        "own.lead_time_months": 5.0,
        "own.resale_after_24_months_share": 0.6,
    }
    path = tmp_path / "plan.xlsx"
    path.write_bytes(workbook(record))
    cell_values: dict[str, float | str] = {each.replace(".", "_"): value for each, value in assumptions.items()}
    cell_values |= {"rent_option": labels[rent["id"]], "own_option": labels[own["id"]], "horizon_months": 30}
    values = cells(recalculated(changed(path, cell_values, tmp_path / "changed.xlsx"), tmp_path))
    asked = Inputs(horizon_months=30)
    rows = [row for row in range(5, 40) if ("Sensitivity", f"A{row}") in values]
    assert len(rows) > 8
    seen = set()
    for row in rows:
        assumption = values["Sensitivity", f"A{row}"]
        seen.add(assumption)
        for end, place in (("B", "E"), ("C", "F")):
            value = values["Sensitivity", f"{end}{row}"]
            costs = moved(live, (rent, own), assumption, value, asked, live.assumptions | assumptions)
            saving = costs[0].present_value_usd - costs[1].present_value_usd
            assert values["Sensitivity", f"{place}{row}"] == pytest.approx(saving, abs=CENT), (assumption, end)
    # A run that is done once is soon sold, and waits for no server; the other kind brings the plan's own ranges.
    wanted = {"own.resale_after_12_months_share"} if live.once else {"risk.demand_ratio", "risk.server_price_ratio"}
    assert wanted <= seen
