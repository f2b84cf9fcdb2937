"""What does the work until owned servers are delivered, and dated blocks in the lengths and sizes in which they are sold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from planner.assumptions import default_assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import Bridge, BuyInputs, RentInputs, bridge_of
from planner.demand.workload import Workload
from planner.errors import NothingFitsError
from planner.options.option import Option, OptionKind, ReasonCode
from planner.plan import Plan, make_plan
from planner.report.because import reasons_for
from planner.report.notes import note_text
from pricing.catalog import Catalog, load_bundled
from tests.conftest import TODAY

PASSED_OVER = {ReasonCode.MARGIN, ReasonCode.CONFIDENCE, ReasonCode.PAYS_OFF_LATE}
BIG_THREE = ["aws", "azure", "gcp"]


@cache
def _h100_offers() -> Catalog:
    """Return the bundled offers of H100s alone: a plan of them takes a fraction of a second."""
    catalog = load_bundled()
    return replace(catalog, offers=tuple(o for o in catalog.offers if o.accelerator == "H100-SXM"))


@cache
def _planned(
    hours: float = 730.0, months: int = 36, count: int = 8, lead: float = 2.0, price_days: float = 0.0, **limits: Any
) -> Plan:
    workload = Workload.model_validate(
        {
            "kind": "gpu_hours",
            "gpu_hours": {"gpu": "h100-sxm", "count": count, "hours_per_month": hours},
            "constraints": {"providers": BIG_THREE} | {k: list(v) if isinstance(v, tuple) else v for k, v in limits.items()},
            "horizon_months": months,
        }
    )  # fmt: skip
    ages = {f"evidence.{kind}_price_days": price_days for kind in ("list", "block") if price_days}
    assumptions = default_assumptions().override({"own.lead_time_months": lead, **ages}, "test")
    return make_plan(workload, _h100_offers(), assumptions, today=TODAY)


def _owned(plan: Plan) -> Option:
    return min((o for o in plan.options if o.kind is OptionKind.BUY), key=lambda o: o.present_value_usd)


def _bridge_usd(option: Option) -> float:
    return sum(float(option.timeline.component_usd(name).sum()) for name in ("bridge_rent", "bridge_ahead"))


def test_a_bridge_of_a_commitment_pays_its_whole_term_by_hand() -> None:
    """The plan may use three-year commitments alone: 36 months x 730 h x 23.777 USD/h = 624,860, and 2 months of storage, 28."""
    plan = _planned(purchase=("reserved_3y",), price_days=365.0)
    owned = _owned(plan)
    assert isinstance(owned.book, BuyInputs)
    bridge_id = owned.book.bridge.option_id
    price = next(option.price_usd_per_hour for option in plan.options if option.id == bridge_id)
    assert price is not None
    assert _bridge_usd(owned) == pytest.approx(36 * 730 * price + 28.0)


def test_the_answer_says_that_the_price_of_a_bridge_is_past_its_age_limit() -> None:
    """The cheapest three-year commitment is of June, past the 120 days of a list price; azure's is of August."""
    for provider, is_old in (("aws", True), ("azure", False)):
        plan = _planned(purchase=("reserved_3y",), providers=(provider,))
        said = " ".join(reason.text for reason in reasons_for(plan))
        assert ("that is too old to rely on" in said) is is_old
        assert f"until then {provider} does the work, under a commitment of 36 months that is paid to its end" in said


def test_nothing_is_bridged_at_an_old_price_where_there_is_one_to_rely_on() -> None:
    """The cheapest three-year commitment, aws's at 23.777 USD/h, is of June; the cheapest of those since then does the work."""
    for price_days, provider in ((365.0, "aws"), (0.0, "gcp")):
        book = _owned(_planned(purchase=("reserved_3y",), price_days=price_days)).book
        assert isinstance(book, BuyInputs)
        assert book.bridge.option_id.split("/")[0] == provider


def test_a_bridge_of_hours_used_by_hand() -> None:
    """400 h x 55.04 USD/h x 2 months of p5.48xlarge on demand = 44,032, and 200 GB x 0.07 USD x 2 months of storage, 28."""
    owned = _owned(_planned(hours=400.0))
    assert owned.book is not None
    assert _bridge_usd(owned) == pytest.approx(400 * 55.04 * 2 + 28.0)


def test_a_bridge_of_a_block_is_the_shortest_one_that_lasts_by_hand() -> None:
    """2 x 730 h are 60.8 days: nine whole weeks, 63 days x 24 h x 37.76 USD/h = 57,093, where on demand costs 80,358."""
    owned = _owned(_planned(price_days=365.0))
    assert _bridge_usd(owned) == pytest.approx(63 * 24 * 37.76 + 28.0)
    assert "capacity_block" in note_text(owned.notes[-1])


def test_no_block_bridges_more_than_182_days() -> None:
    """Six months of 730 h are 182.5 days."""
    owned = _owned(_planned(purchase=("capacity_block", "on_demand"), lead=6.0))
    assert "on_demand" in note_text(owned.notes[-1])


def test_where_nothing_may_bridge_a_server_for_work_that_cannot_wait_is_no_option() -> None:
    with pytest.raises(NothingFitsError) as refused:
        _planned(max_usd_per_month=20_000.0)
    assert "until servers are delivered" in str(refused.value.hint)


def test_the_budget_of_a_month_holds_for_the_bridge() -> None:
    """The block costs 57,121 / 2 = 28,561 a month, and every other rent more."""
    assert not _owned(_planned(max_usd_per_month=28_600.0, price_days=365.0)).not_recommended
    assert _owned(_planned(max_usd_per_month=28_500.0, price_days=365.0)).not_recommended


def test_a_limit_on_capital_speaks_against_servers_above_it_and_says_both_figures() -> None:
    owned = _owned(_planned())
    assert owned.book is not None
    price = owned.book.server_price_usd  # type: ignore[union-attr]
    assert not _owned(_planned(max_capex_usd=price + 1)).not_recommended
    (reason,) = _owned(_planned(max_capex_usd=price - 1)).not_recommended
    assert (reason.code, reason.figures) == (ReasonCode.CAPEX_ABOVE_LIMIT, (price, price - 1))


@pytest.mark.slow
@pytest.mark.parametrize("hours", [300.0, 730.0])
def test_one_more_way_to_pay_never_makes_the_best_option_dearer(hours: float) -> None:
    ways: tuple[str, ...] = ()
    best = float("inf")
    for way in ("reserved_3y", "capacity_block", "reserved_1y", "on_demand", "spot"):
        ways = (*ways, way)
        plan = _planned(hours=hours, purchase=ways)
        # What binds may be passed over for a purchase option that does not: that is no dearer market.
        usd = min(o.present_value_usd for o in plan.options if {r.code for r in o.not_recommended} <= PASSED_OVER)
        assert usd <= best + 0.005, way
        best = usd


@pytest.mark.slow
def test_more_use_never_bridges_for_more_than_a_block_costs() -> None:
    """A block of 63 days costs 57,121 USD with storage, however many of its hours are used."""
    paid = [
        _bridge_usd(_owned(_planned(hours=hours, price_days=365.0))) for hours in (100.0, 300.0, 500.0, 600.0, 730.0)
    ]
    assert paid == sorted(paid)
    assert paid[-1] == pytest.approx(57_121, abs=1)


@pytest.mark.slow
def test_more_hours_turn_rent_into_buy_at_most_once() -> None:
    hours = (50.0, 150.0, 300.0, 350.0, 400.0, 500.0, 730.0)
    choices = [_planned(hours=each, purchase=("on_demand", "capacity_block")).verdict.choice for each in hours]
    assert choices == sorted(choices, reverse=True)  # rent before buy
    assert set(choices) == {"rent", "buy"}


def test_a_job_that_is_run_once_waits_for_its_server_and_rents_nothing() -> None:
    book = BuyInputs(
        site="colocation", server_price_usd=1.0, server_max_kw=1.0, accelerator_count=8, run_hours=100.0,
        bridge=Bridge(usd_per_hour=9.0, term_months=12),
    )  # fmt: skip
    paid = timelines([book], default_assumptions(), months=12, once=True)
    assert not paid.component_usd("bridge_ahead").any()


RUN = RentInputs(price_usd_per_hour=10.0, minimum_hours=24.0, weekly_above_hours=336.0, paid_in_advance=True)


@pytest.mark.parametrize(
    ("hours", "days"),
    [(1.0, 1), (24.0, 1), (24.1, 2), (336.0, 14), (336.1, 21), (504.0, 21), (53.7 * 24, 56), (182 * 24.0, 182)],
)
def test_blocks_are_sold_by_the_day_up_to_14_days_then_by_whole_weeks(hours: float, days: int) -> None:
    paid = timelines([replace(RUN, run_hours=hours)], default_assumptions(), months=12, once=True)
    assert paid.component_usd("in_advance")[0].tolist() == [days * 240.0] + [0.0] * 12


def test_five_racks_for_54_days_by_hand() -> None:
    """53.7 days are eight weeks: 56 days x 24 h x 380.952 USD/h x 5 = 2,560,000, where two calendar months would be 55 days."""
    book = replace(RUN, price_usd_per_hour=380.952, instance_count=5, run_hours=53.7 * 24)
    paid = timelines([book], default_assumptions(), months=12, once=True)
    assert float(paid.component_usd("in_advance").sum()) == pytest.approx(56 * 24 * 380.952 * 5)


def test_a_block_holds_at_most_256_instances_for_one_customer() -> None:
    (reason,) = (
        reason
        for option in _planned(count=2056, purchase=("capacity_block", "reserved_3y")).options
        if option.purchase_option == "capacity_block" and option.instance_count == 257
        for reason in option.not_recommended
        if reason.code is ReasonCode.BLOCK_TOO_LARGE
    )
    assert reason.figures == (256,)


def test_a_bridge_takes_all_machines_of_the_option() -> None:
    assert bridge_of("a", replace(RUN, instance_count=3, hours_per_month=400.0)).usd_per_hour == 30.0
