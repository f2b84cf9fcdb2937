"""Of a scenario: which range changes the cheaper side, how sure that is, and what knowing more would be worth."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.costs.evaluate import Value
from planner.errors import PlanningError
from planner.scenario.costs import present_value_of, sides_of
from planner.scenario.schema import WHOLE_MONTH_NAMES, Scenario, bounds, spreads, typical_values, whole_months
from planner.uncertainty.draws import Z_OF_90_PERCENT, Correlations, Draws, Evaluate, Risk, Uncertain, risk, risk_record
from planner.uncertainty.tornado import Bar, SobolIndex, sobol, tornado

ALTERNATIVES = ("rent", "buy")

DEFAULT_CORRELATIONS: Correlations = {
    ("rent.usd_per_hour", "buy.resale_share"): 0.5,
    ("rent.price_change_share_per_year", "buy.resale_share"): 0.5,
    ("rent.price_change_share_per_year", "use.utilisation_share"): 0.3,
    ("rent.usd_per_hour", "use.utilisation_share"): 0.3,
    ("use.utilisation_share", "buy.resale_share"): 0.2,
}
"""When accelerators are scarce, rents, used prices and use rise together; how strongly is our judgement."""

WAIT_MONTHS = 12
"""How long the value of waiting is told for."""

WALK_TERMS = 6
"""Sine waves that make up a drawn price path; six carry 97 % of its variance."""


def scenario_inputs(scenario: Scenario) -> tuple[Uncertain, ...]:
    """Return the numbers of a scenario that are stated as ranges, and the walk of the rent where it has volatility."""
    allowed, inputs = bounds(), []
    for name, spread in spreads(scenario).items():
        if spread.is_range:
            limit = allowed[name]
            kind: Literal["amount", "change", "free"] = "amount"
            if limit.least == -1:
                kind = "change"
            elif limit.most <= 24 or limit.whole:
                kind = "free"
            inputs.append(
                Uncertain(
                    name=name,
                    low=spread.low,
                    typical=spread.typical,
                    high=spread.high,
                    kind=kind,
                    least=limit.least,
                    most=limit.most,
                )
            )
    if scenario.rent.price_volatility_share_per_year.high > 0:
        inputs += [
            Uncertain(name=f"rent.walk_{k}", low=-Z_OF_90_PERCENT, typical=0.0, high=Z_OF_90_PERCENT)
            for k in range(1, WALK_TERMS + 1)
        ]
    return tuple(inputs)


def scenario_costs(scenario: Scenario, *, wait_months: int = 0) -> Evaluate:
    """Return a function from draws of a scenario's uncertain numbers to present values, rows ``rent`` and ``buy``.

    With `wait_months`, buying begins with so many months of renting.

    Draws that differ in whole months (term, life, lead time) are kept in groups.
    """
    typical = typical_values(scenario)

    def evaluate(draws: Draws) -> FloatArray:
        count = len(next(iter(draws.values()))) if draws else 1
        costs = np.empty((2, count))
        for chosen, months in _groups(scenario, draws, count, wait_months):
            values: dict[str, Value] = {**typical, **{name: drawn[chosen, None] for name, drawn in draws.items()}}
            sides = sides_of(scenario, values, months, wait_months=wait_months)
            for row, side in zip(costs, sides, strict=True):
                row[chosen] = present_value_of(side)
        return costs

    return evaluate


def scenario_risk(
    scenario: Scenario,
    *,
    draws: int = 20_000,
    seed: int = 0,
) -> Risk | None:
    """Return what the ranges of a scenario make of its verdict; None where nothing is stated as a range."""
    inputs = scenario_inputs(scenario)
    if not inputs:
        return None
    return risk(
        ALTERNATIVES, scenario_costs(scenario), inputs, correlations=DEFAULT_CORRELATIONS, draws=draws, seed=seed
    )


def scenario_value_of_waiting_usd(
    scenario: Scenario, *, wait_months: int = WAIT_MONTHS, draws: int = 20_000, seed: int = 0
) -> float:
    """Return what renting for some months is worth, if by then everything is known and the cheaper side is taken.

    Compared are the cheaper of renting and buying today, on average, and the average of the cheaper of renting on and
    buying then; the rent until then is paid in both. Never negative: who gains nothing by waiting does not wait.

    Raises
    ------
    PlanningError
        If nothing would be owned within the horizon after waiting.
    """
    lead = scenario.buy.lead_time_months.high
    if wait_months < 0 or wait_months + lead >= scenario.horizon_months:
        raise PlanningError(
            f"waiting {wait_months} months, and {lead:g} for delivery, reaches the horizon of {scenario.horizon_months}"
        )
    today = scenario_risk(scenario, draws=draws, seed=seed)
    if today is None:
        return 0.0
    later = risk(
        ALTERNATIVES,
        scenario_costs(scenario, wait_months=wait_months),
        scenario_inputs(scenario),
        correlations=DEFAULT_CORRELATIONS,
        draws=draws,
        seed=seed,
    )
    known_then = later.expected_usd[0] - later.expected_regret_usd[0]
    return max(min(today.expected_usd) - known_then, 0.0)


def scenario_tornado(scenario: Scenario) -> tuple[Bar, ...]:
    """Return what each range of a scenario alone does to the saving of owning."""
    inputs = [uncertain for uncertain in scenario_inputs(scenario) if not uncertain.name.startswith("rent.walk_")]
    return tornado(scenario_costs(scenario), inputs) if inputs else ()


def scenario_sobol(scenario: Scenario, *, points: int = 1024, seed: int = 0) -> tuple[SobolIndex, ...]:
    """Return how much of the variance each range of a scenario explains."""
    inputs = scenario_inputs(scenario)
    return sobol(scenario_costs(scenario), inputs, points=points, seed=seed) if inputs else ()


def scenario_record(
    scenario: Scenario, *, draws: int = 20_000, seed: int = 0, with_sobol: bool = False
) -> dict[str, Any]:
    """Return what the ranges of a scenario say, for ``gpuplan breakeven --format json``; empty without ranges."""
    outcome = scenario_risk(scenario, draws=draws, seed=seed)
    if outcome is None:
        return {}
    record: dict[str, Any] = {
        "risk": risk_record(outcome, "buy"),
        "tornado": [asdict(bar) for bar in scenario_tornado(scenario)],
    }
    if scenario.horizon_months > WAIT_MONTHS + scenario.buy.lead_time_months.high:
        record["risk"]["wait_months"] = WAIT_MONTHS
        record["risk"]["value_of_waiting_usd"] = scenario_value_of_waiting_usd(
            scenario, wait_months=WAIT_MONTHS, draws=draws, seed=seed
        )
    if with_sobol:
        record["sobol"] = [asdict(index) for index in scenario_sobol(scenario, seed=seed)]
    return record


def _groups(
    scenario: Scenario, draws: Draws, count: int, wait_months: int
) -> Iterator[tuple[slice | NDArray[np.intp], dict[str, int]]]:
    """Yield the draws that share their whole months, and these months."""
    names = [name for name in WHOLE_MONTH_NAMES if name in draws]
    if not names:
        yield slice(None), whole_months(scenario)
        return
    whole = np.stack([np.rint(draws[name]).astype(int) for name in names])
    kinds, group = np.unique(whole, axis=1, return_inverse=True)
    # The tail of a drawn lead time or term must not reach the end of the comparison.
    most = {
        "buy.lead_time_months": scenario.horizon_months - 1 - wait_months,
        "rent.term_months": scenario.horizon_months,
    }
    for i, kind in enumerate(kinds.T):
        drawn = {name: min(int(month), most.get(name, int(month))) for name, month in zip(names, kind, strict=True)}
        yield np.flatnonzero(group.reshape(count) == i), whole_months(scenario) | drawn
