"""Which assumptions are drawn: those with a range that stand in the formulas of options, and how they move together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Literal

import numpy as np

from planner.assumptions import Assumption, Assumptions
from planner.costs.evaluate import MODELS, Value, own_values
from planner.costs.expression import Expr, names_in, substituted
from planner.costs.financing import Financing, financing_of
from planner.costs.formulas import site_names
from planner.costs.inputs import BuyInputs, CostInputs, RentInputs, TokenInputs
from planner.costs.servers import RESALE_AGES_MONTHS
from planner.uncertainty.draws import Z_OF_90_PERCENT, Correlations, Draws, Uncertain

DEMAND, SERVER_PRICE = "risk.demand_ratio", "risk.server_price_ratio"
LEAD, DISCOUNT_RATE = "own.lead_time_months", "money.discount_rate_share_per_year"
RESALE = tuple(f"own.resale_after_{age}_months_share" for age in RESALE_AGES_MONTHS)
USED_PRICES = "own.resale"
"""What is drawn for used prices of all ages: they rise and fall together."""
RENT_CHANGES = ("rent.price_change_share_per_year", "rent.spot_price_change_share_per_year")
CHANGES = {*RENT_CHANGES, "own.refresh_price_change_share_per_year", DISCOUNT_RATE}
"""Assumptions that err by factors of one plus themselves."""


def drawn_inputs(all_inputs: Sequence[CostInputs], assumptions: Assumptions, months: int) -> tuple[Uncertain, ...]:
    """Return the assumptions with a range that stand in the formulas of options (`planner.uncertainty.plan_risk.pair_inputs`)."""
    names_used: set[str] = {DEMAND, SERVER_PRICE}
    aliases: dict[str, str] = {}
    for cost_inputs in all_inputs:
        if isinstance(cost_inputs, TokenInputs):
            continue
        names_used |= _names_behind(cost_inputs, financing_of(assumptions))
        if isinstance(cost_inputs, BuyInputs):
            aliases = site_names(cost_inputs.site)
    names = sorted({aliases.get(name, name) for name in names_used | {DISCOUNT_RATE}} & assumptions.rows.keys())
    rows = [_narrowed(assumptions.rows[name], months) for name in names]
    return tuple(row for row in rows if row.low < row.high)


@lru_cache(maxsize=256)
def _names_behind(cost_inputs: RentInputs | BuyInputs, financing: Financing) -> set[str]:
    """Return the names that an option's formulas hold once its own numbers are put in."""
    model = MODELS[cost_inputs.kind](once=False, financing=financing)
    numbers, done = own_values(cost_inputs), dict[int, Expr]()
    exprs = (*model.scalars.values(), *model.lines.values())
    return names_in(*(substituted(expr, numbers, done) for expr in exprs))


def _narrowed(row: Assumption, months: int) -> Uncertain:
    low, high = row.low, row.high
    if row.name in RENT_CHANGES:
        years = max(months / 12.0, 1.0)
        low, high = (
            math.expm1(math.log1p(row.value) + (math.log1p(edge) - math.log1p(row.value)) / math.sqrt(years))
            for edge in (low, high)
        )
    return replace(uncertain_of(row), low=low, high=high)


def uncertain_of(row: Assumption) -> Uncertain:
    """Return an assumption with its range, to be drawn."""
    kind: Literal["amount", "change"] = "change" if row.name in CHANGES else "amount"
    return Uncertain(
        name=row.name, low=row.low, typical=row.value, high=row.high, kind=kind, least=row.least, most=row.most
    )


def clip_draws(drawn: dict[str, Value], assumptions: Mapping[str, float], months: int) -> None:
    """Keep draws to what can be: delivery within the horizon, and no used server dearer than a younger one."""
    if LEAD in drawn:
        drawn[LEAD] = np.minimum(drawn[LEAD], months - 1.0)
    if drawn.keys() & set(RESALE):
        most: Value = 1.0
        for name in RESALE:
            most = drawn[name] = np.minimum(drawn.get(name, assumptions[name]), most)


def normals_of(inputs: Sequence[Uncertain]) -> list[Uncertain]:
    """Return what is drawn: the inputs, with one standard normal for used prices of all ages."""
    normals = [uncertain for uncertain in inputs if uncertain.name not in RESALE]
    if len(normals) < len(inputs):
        normals.append(Uncertain(name=USED_PRICES, low=-Z_OF_90_PERCENT, typical=0.0, high=Z_OF_90_PERCENT))
    return normals


def draws_of_inputs(draws: Draws, inputs: Sequence[Uncertain]) -> Draws:
    """Return draws of the inputs themselves, from those of `normals_of`."""
    resale = [uncertain for uncertain in inputs if uncertain.name in RESALE]
    others = {name: values for name, values in draws.items() if name != USED_PRICES}
    return others | {uncertain.name: uncertain.value_at(draws[USED_PRICES]) for uncertain in resale}


def correlations_of(inputs: Sequence[Uncertain], assumptions: Mapping[str, float]) -> Correlations:
    """Return how rents, used prices and demand move together."""
    rents = [uncertain.name for uncertain in inputs if uncertain.name in RENT_CHANGES]
    return {(rent, DEMAND): assumptions["risk.correlation_rent_demand_share"] for rent in rents} | {
        (rent, USED_PRICES): assumptions["risk.correlation_rent_resale_share"] for rent in rents
    }
