"""The economics: draws, rates, mixes, and what a plan pays for its timelines."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from planner.assumptions import default_assumptions
from planner.costs.breakeven import break_even
from planner.costs.evaluate import timelines
from planner.costs.inputs import BuyInputs, RentInputs
from planner.costs.timeline import Timeline
from planner.mix.capacity import DemandCurve, Tier, TierKind
from planner.mix.cheapest import cheapest_mix
from planner.scenario.risk import scenario_risk
from planner.scenario.schema import Scenario
from planner.uncertainty.assumptions import correlations_of, draws_of_inputs, normals_of
from planner.uncertainty.draws import Risk, risk
from planner.uncertainty.plan_risk import DRAWS, Pair, pair_costs, pair_inputs

SCENARIO = Scenario.model_validate(
    {
        "rent": {
            "usd_per_hour": {"low": 18, "typical": 23.92, "high": 30},
            "price_change_share_per_year": {"low": -0.2, "typical": 0, "high": 0.2},
        },
        "buy": {
            "capex_usd": {"low": 280_000, "typical": 320_000, "high": 350_000},
            "opex_usd_per_hour": 1.1,
            "power_kw": 10.2,
            "electricity_usd_per_kwh": {"low": 0.08, "typical": 0.14, "high": 0.24},
            "staff_usd_per_year": {"low": 15_000, "typical": 25_000, "high": 60_000},
            "support_share_per_year": {"low": 0.05, "typical": 0.12, "high": 0.15},
            "resale_share": {"low": 0.05, "typical": 0.15, "high": 0.3},
            "lead_time_months": 2,
        },
        "use": {"utilisation_share": {"low": 0.4, "typical": 0.7, "high": 0.95}},
        "money": {"discount_rate_share_per_year": {"low": 0.08, "typical": 0.1, "high": 0.15}},
        "horizon_months": 60,
    }
)


def measure() -> Iterator[tuple[str, str, str]]:
    """Time each part on this machine."""
    yield (
        "1,000,000 draws, rent or buy over 60 months",
        _seconds(lambda: scenario_risk(SCENARIO, draws=1_000_000)),
        "< 2 s",
    )
    walk = SCENARIO.model_copy(
        update={"rent": Scenario.model_validate(
            {"rent": {"usd_per_hour": 20, "price_volatility_share_per_year": 0.3}, "buy": {"capex_usd": 1}}
        ).rent}
    )  # fmt: skip
    yield "the same with drawn price paths", _seconds(lambda: scenario_risk(walk, draws=1_000_000)), "< 3 s"
    few, many = (_peak_mb(draws) for draws in (50_000, 1_000_000))
    yield "peak memory of 50,000 and of 1,000,000 draws", f"{few:.1f} and {many:.1f} MB", "flat"
    offers = _offers()
    rates = np.linspace(0.0, 0.3, 1000)
    yield "1,000 discount rates x 500 options", _seconds(lambda: offers.present_value_usd(rates)), "< 0.1 s"
    yield "timelines of 500 rented options", _seconds(_offers), "< 0.05 s"
    server = BuyInputs(
        site="colocation", server_price_usd=320_000, accelerator_count=8, server_max_kw=10.2, hours_per_month=438.0
    )
    rent = RentInputs(price_usd_per_hour=31.2, hours_per_month=438.0)
    drawn = _seconds(lambda: _plan_draws(Pair(rent=rent, own=server, months=36)))
    yield f"{DRAWS:,} draws of a plan's rent and server", drawn, "< 0.1 s"
    own = timelines([server], default_assumptions(), months=36).at(0)
    first = offers.at(0)
    yield (
        "one break-even of two timelines",
        _seconds(lambda: break_even(first, own, discount_rate_share_per_year=0.1)),
        "",
    )
    whole, fractions = _demand()
    tiers = _tiers()
    yield (
        "mix of 5 tiers, 8,760 hours, whole units",
        _seconds(lambda: cheapest_mix(DemandCurve(units=whole), tiers)),
        "< 10 s",
    )
    loose = [replace(tier, units_per_machine=1) if tier.kind is TierKind.ON_DEMAND else tier for tier in tiers]
    yield (
        "the same, 8,760 different demands",
        _seconds(lambda: cheapest_mix(DemandCurve(units=fractions), loose)),
        "< 10 s",
    )
    waiting = DemandCurve(units=whole, deferrable_share=0.3, deadline_hours=12)
    yield "the same, hour by hour, a third may wait", _seconds(lambda: cheapest_mix(waiting, loose)), "< 10 s"


def _plan_draws(pair: Pair) -> Risk:
    """Return the risk of a plan from draws of all its assumptions."""
    assumptions = default_assumptions()
    inputs, costs_usd = pair_inputs(pair, assumptions), pair_costs(pair, assumptions)
    return risk(
        ("rent", "buy"),
        lambda draws: costs_usd(draws_of_inputs(draws, inputs)),
        normals_of(inputs),
        correlations=correlations_of(inputs, assumptions),
        draws=DRAWS,
    )


def _offers() -> Timeline:
    prices, terms = np.linspace(2, 100, 500).tolist(), (0, 12, 36, 60)
    rents = [
        RentInputs(price_usd_per_hour=price, hours_per_month=438.0, term_months=terms[index % 4])
        for index, price in enumerate(prices)
    ]
    return timelines(rents, default_assumptions(), months=36, useful_gpu_hours_per_month=3504.0)


def _tiers() -> list[Tier]:
    committed, on_demand = TierKind.COMMITTED, TierKind.ON_DEMAND
    return [
        Tier(name="own", kind=TierKind.OWNED, fixed_usd_per_machine_hour=14.0, usd_per_unit_hour=0.1,
             units_per_machine=8, max_machines=3),
        Tier(name="3 years", kind=committed, fixed_usd_per_machine_hour=17.0, units_per_machine=8),
        Tier(name="1 year", kind=committed, fixed_usd_per_machine_hour=2.4),
        Tier(name="spot", kind=TierKind.SPOT, usd_per_unit_hour=1.5, max_share_of_demand=0.4, availability_share=0.85),
        Tier(name="on demand", kind=on_demand, usd_per_unit_hour=3.4, units_per_machine=8),
    ]  # fmt: skip


def _demand() -> tuple[np.ndarray, np.ndarray]:
    hour = np.arange(8760)
    rng = np.random.default_rng(1)
    wave = 30 + 15 * np.sin(hour / 24 * 2 * np.pi) + 10 * np.sin(hour / 168 * 2 * np.pi)
    units = np.maximum(wave + rng.normal(0, 5, 8760), 0)
    return np.round(units), units


def _seconds(work: Callable[[], object]) -> str:
    work()  # imports and caches
    best = min(_once(work) for _ in range(3))
    return f"{best:.3f} s"


def _once(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak_mb(draws: int) -> float:
    tracemalloc.start()
    scenario_risk(SCENARIO, draws=draws)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return peak
