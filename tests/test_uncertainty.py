"""The sensitivity and the risk of a plan: every bar is the plan made again with that value, every draw is exact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest

from planner.arrays import FloatArray
from planner.assumptions import IMPLIED_RATIOS, Assumptions, default_assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import Bridge, BuyInputs, RentInputs, bridge_of
from planner.demand.workload import Workload
from planner.options.option import Option, OptionKind
from planner.options.price_evidence import Evidence
from planner.plan import Plan, make_plan
from planner.uncertainty.assumptions import DEMAND, LEAD, SERVER_PRICE
from planner.uncertainty.plan_risk import (
    JointDraws,
    KnownWorths,
    Pair,
    pair_costs,
    pair_inputs,
    plan_risk,
)
from pricing.catalog import load_bundled
from tests.conftest import TODAY

ASSUMPTIONS = default_assumptions()
SERVE = {
    "kind": "serve",
    "model": "llama-3.1-70b",
    "precision": ["fp8"],
    "serve": {"requests_per_s": 6, "input_tokens": 1000, "output_tokens": 300},
    "constraints": {"gpus": ["H100"], "providers": ["aws", "lambda"]},
}
HOURS = {
    "kind": "gpu_hours",
    "gpu_hours": {"gpu": "h100-80gb-sxm", "count": 16, "hours_per_month": 400},
    "constraints": {"providers": ["aws"]},
}
SPOT = {**HOURS, "constraints": {"providers": ["aws"], "purchase": ["spot", "on_demand"]}}


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.uncertainty.plan_risk.DRAWS", 100)


@cache
def _planned(work: str, horizon: int, settings: tuple[tuple[str, float], ...]) -> Plan:
    content = {"serve": SERVE, "hours": HOURS, "spot": SPOT}[work]
    workload = Workload.model_validate({**content, "horizon_months": horizon})
    return make_plan(
        workload, load_bundled(), ASSUMPTIONS.override(dict(settings), "--set"), today=TODAY, in_full=False
    )


def _option(plan: Plan, name: str) -> Option:
    return next(option for option in plan.options if option.id == name)


def _slow(*case: Any) -> Any:
    return pytest.param(*case, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("work", "horizon", "settings"),
    [
        _slow("serve", 36, {"own.life_months": 24}),
        _slow("hours", 48, {"own.lead_time_months": 5, "own.resale_after_60_months_share": 0.0}),
        _slow("spot", 24, {}),
        _slow("serve", 36, {}),
        _slow("serve", 24, {"site.colocation.staff_floor_fte": 0.0}),
        _slow("serve", 48, {}),
        _slow("serve", 60, {}),
        _slow("serve", 60, {"own.life_months": 12, "own.refresh_price_change_share_per_year": -0.1}),
        _slow("serve", 36, {"own.lead_time_months": 0}),
        _slow("hours", 7, {}),
        _slow("spot", 36, {"own.life_months": 30, "rent.spot_price_change_share_per_year": -0.2}),
    ],
)
def test_each_bar_is_the_saving_of_a_plan_made_again_with_that_value(
    work: str, horizon: int, settings: Mapping[str, float]
) -> None:
    plan = _planned(work, horizon, tuple(settings.items()))
    assert plan.uncertainty.risk is not None
    ids = plan.uncertainty.risk["rent_id"], plan.uncertainty.risk["buy_id"]
    assert len(plan.uncertainty.sensitivity) > 15
    for bar in plan.uncertainty.sensitivity:
        if bar["name"] in {DEMAND, SERVER_PRICE}:  # nothing that a plan can be told
            continue
        for end in ("low", "high"):
            kept = {name: ASSUMPTIONS[name] for name in IMPLIED_RATIOS.get(bar["name"], ())}
            again = _planned(work, horizon, tuple({**settings, **kept, bar["name"]: bar[end]}.items()))
            rent, own = (_option(again, name).present_value_usd for name in ids)
            if _bridge(again, ids[1]) != _bridge(plan, ids[1]):
                # A bar keeps to the bridge as planned; over a longer lead time another one may do the work.
                assert bar["name"] == LEAD
                continue
            assert bar[f"saving_at_{end}_usd"] == pytest.approx(rent - own, abs=0.005), (bar["name"], end)


def _bridge(plan: Plan, own_id: str) -> str:
    book = _option(plan, own_id).book
    assert isinstance(book, BuyInputs)
    return book.bridge.option_id


def test_an_assumption_that_changes_nothing_has_no_bar() -> None:
    plan = _planned("serve", 36, (("own.life_months", 24),))
    names = {bar["name"] for bar in plan.uncertainty.sensitivity}
    # Servers are sold after 24 months, and those bought then after 10: nothing is three years old.
    assert "own.resale_after_24_months_share" in names
    assert not names & {"own.resale_after_36_months_share", "rent.spot_price_change_share_per_year", "own.life_months"}


RENT = RentInputs(price_usd_per_hour=25.0, hours_per_month=438.0)
SERVER = BuyInputs(
    site="colocation",
    server_price_usd=320_000.0,
    accelerator_count=8,
    server_max_kw=10.2,
    hours_per_month=438.0,
    bridge=bridge_of("rent", RENT),
)
PAIR = Pair(rent=RENT, own=SERVER, months=36)
BRIDGES = {
    "on demand": bridge_of("rent", RENT),
    "a block": bridge_of("block", replace(RENT, minimum_hours=24.0, weekly_above_hours=336.0)),
    "a term": bridge_of("term", replace(RENT, term_months=1)),
    "none": Bridge(),
}


def _saving_usd(pair: Pair, values: Mapping[str, float]) -> float:
    """Return the saving of owning from whole timelines."""
    assumptions = {**ASSUMPTIONS, **values}
    rate = assumptions["money.discount_rate_share_per_year"]
    rent = timelines([pair.rent], assumptions, months=pair.months)
    own = timelines([pair.own], assumptions, months=pair.months)
    return float(rent.present_value_usd(rate)[0] - own.present_value_usd(rate)[0])


@pytest.mark.parametrize(
    "rent", [RENT, replace(RENT, term_months=12, upfront_usd=20_000.0), replace(RENT, term_months=60)]
)
@pytest.mark.parametrize("bridge", BRIDGES.values(), ids=BRIDGES)
def test_every_draw_is_what_whole_timelines_say(rent: RentInputs, bridge: Bridge) -> None:
    pair = replace(PAIR, rent=rent, own=replace(SERVER, bridge=bridge))
    inputs = [one for one in pair_inputs(pair, ASSUMPTIONS) if one.name not in {DEMAND, SERVER_PRICE}]
    rng = np.random.default_rng(5)
    draws = {one.name: one.value_at(rng.standard_normal(1500) * 0.8) for one in inputs}
    costs = pair_costs(pair, ASSUMPTIONS)(draws)
    for i in range(0, 1500, 150):
        values = {name: float(drawn[i]) for name, drawn in draws.items()}
        assert costs[0, i] - costs[1, i] == pytest.approx(_saving_usd(pair, values), abs=0.005)


def test_demand_moves_the_hours_and_the_price_of_a_server_its_hardware() -> None:
    costs = pair_costs(PAIR, ASSUMPTIONS)({DEMAND: np.array([1.3, 1.0]), SERVER_PRICE: np.array([1.0, 0.9])})
    busier = replace(
        PAIR,
        rent=replace(RENT, hours_per_month=1.3 * 438.0),
        own=replace(
            SERVER,
            hours_per_month=1.3 * 438.0,
            bridge=bridge_of("rent", replace(RENT, hours_per_month=1.3 * 438.0)),
        ),
    )
    cheaper = replace(PAIR, own=replace(SERVER, server_price_usd=0.9 * 320_000.0))
    assert costs[0] - costs[1] == pytest.approx([_saving_usd(busier, {}), _saving_usd(cheaper, {})], abs=0.005)


def test_a_delivery_drawn_beyond_the_horizon_comes_just_before_its_end() -> None:
    late = pair_costs(PAIR, ASSUMPTIONS)({"own.lead_time_months": np.array([35.0, 59.0])})
    assert late[1, 0] == late[1, 1]


def test_a_used_server_is_never_dearer_than_a_younger_one() -> None:
    pair = replace(PAIR, months=50)
    low = ASSUMPTIONS.override({"own.resale_after_36_months_share": 0.16}, "--set")
    at = pair_costs(pair, low)({"own.resale_after_48_months_share": np.array([0.16, 0.20])})
    assert at[1, 0] == at[1, 1]


def test_an_assumption_that_the_user_has_set_is_not_drawn() -> None:
    stated = ASSUMPTIONS.override({"own.fte_usd_per_year": 180_000.0}, "--set")
    assert "own.fte_usd_per_year" in {one.name for one in pair_inputs(PAIR, ASSUMPTIONS)}
    assert "own.fte_usd_per_year" not in {one.name for one in pair_inputs(PAIR, stated)}


def test_a_dear_rent_makes_owning_probably_cheaper() -> None:
    plan = _planned("hours", 36, ())
    rent, own = (next(o for o in plan.options if o.kind is kind) for kind in (OptionKind.RENT, OptionKind.BUY))
    assert isinstance(rent.book, RentInputs)
    dear = replace(rent, book=replace(rent.book, price_usd_per_hour=4 * rent.book.price_usd_per_hour))
    found = [plan_risk(each, own, ASSUMPTIONS, months=36).risk for each in (rent, dear)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[0]["probability_buy_cheaper_share"] < found[1]["probability_buy_cheaper_share"]
    assert plan_risk(None, own, ASSUMPTIONS, months=36).risk is None


def test_a_price_may_have_moved_as_far_as_its_age_says() -> None:
    """A list price of a GPU cloud, a year old: 80 % of the draws within exp(+-1.2816 x 0.42), of 100 USD 58 to 171."""
    rent = next(o for o in _planned("hours", 36, ()).options if o.kind is OptionKind.RENT)
    old = replace(rent, fleet=None, tier="B", purchase_option="on_demand", present_value_usd=100.0,
                  priced_on=TODAY - timedelta(days=365))  # fmt: skip
    evidence = Evidence.of((), ASSUMPTIONS, today=TODAY)
    draws = JointDraws.of([old, old], ASSUMPTIONS, evidence, months=36, once=True)
    assert np.percentile(draws.usd(0), [10, 90]) == pytest.approx([58.4, 171.3], rel=0.08)


def test_what_does_the_work_until_delivery_moves_with_its_own_price_and_not_with_the_server_s() -> None:
    options = _planned("hours", 36, ()).options
    own = next(option for option in options if option.kind is OptionKind.BUY)
    assert isinstance(own.book, BuyInputs)
    rent = next(option for option in options if option.id == own.book.bridge.option_id)
    steady = {name: 0.0 for name in ASSUMPTIONS if name.startswith("evidence.") and name.endswith("_spread_share")}
    bare = replace(own, book=replace(own.book, bridge=Bridge()))

    def drawn(prices: Assumptions) -> tuple[JointDraws, FloatArray]:
        evidence = Evidence.of((), prices, today=TODAY)
        draws = JointDraws.of([rent, own], ASSUMPTIONS, evidence, months=36, once=False, count=500)
        return draws, draws.usd(1) - draws.usd(1, bare)

    draws, bridge_usd = drawn(ASSUMPTIONS)
    _, steady_usd = drawn(ASSUMPTIONS.override(steady, "test"))
    assert float(np.std(draws.moved_ratio[0])) > 0.02
    assert bridge_usd == pytest.approx(steady_usd * draws.moved_ratio[0], abs=1e-6)


def test_speeds_of_one_accelerator_err_alike_and_of_two_as_far_as_is_stated(plan_of: Callable[[str], Plan]) -> None:
    """Logarithms of speeds on two accelerators have the stated correlation; each keeps its own band."""
    options = [option for option in plan_of("lora-llama-8b").options if option.fleet is not None][:40]
    first = options[0]
    alike = next(option for option in options[1:] if option.accelerator == first.accelerator)
    other = next(option for option in options if option.accelerator not in {None, first.accelerator})
    evidence = Evidence.of((), ASSUMPTIONS, today=TODAY)
    draws = JointDraws.of([first, alike, other], ASSUMPTIONS, evidence, months=36, once=True)
    one, same, another = np.log(draws.slower_ratio)
    assert np.array_equal(one, same)
    assert np.corrcoef(one, another)[0, 1] == pytest.approx(ASSUMPTIONS["risk.correlation_speeds_share"], abs=0.05)
    for option, drawn in ((first, one), (other, another)):
        assert option.fleet is not None
        rate = option.fleet.performance.rate_per_s
        band = [rate.low / rate.typical, rate.high / rate.typical]
        assert np.exp(np.percentile(-drawn, [10, 90])) == pytest.approx(band, rel=0.03)


def test_what_an_option_costs_in_the_draws_does_not_depend_on_what_was_drawn_before() -> None:
    options = _planned("hours", 36, ()).options
    rents = [o for o in options if o.kind is OptionKind.RENT][:2]
    own = next(o for o in options if o.kind is OptionKind.BUY)
    evidence = Evidence.of((), ASSUMPTIONS, today=TODAY)
    known: KnownWorths = {}
    for together in (rents, [own, *rents], [rents[1], own]):
        drawn, alone = (
            JointDraws.of(together, ASSUMPTIONS, evidence, months=36, once=False, known=kept).costs_usd
            for kept in (known, None)
        )
        assert (drawn == alone).all()
    assert len(known) < 7  # as many as were drawn, had nothing been kept
