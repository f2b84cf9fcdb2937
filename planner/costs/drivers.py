"""Which beliefs move which items of a timeline, so that a plan can be drawn a thousand times without being made again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.assumptions import Assumptions
from planner.costs.buy import RESALE_AGES_MONTHS, Site
from planner.costs.timeline import COMPONENTS, FloatArray, Timeline
from planner.costs.uncertainty import Correlations, Draws, Evaluate, Uncertain

__all__ = ["Alternative", "plan_correlations", "plan_costs", "plan_inputs"]

HARDWARE = ("servers", "network", "install", "refresh", "resale", "support", "spares", "down_payment", "loan", "lease")
POWER = ("idle_power", "busy_power")


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """An option as the draws see it.

    Attributes
    ----------
    name : str
        The option.
    timeline : Timeline
        Its money at the typical beliefs.
    term_months : int
        Of a commitment, which keeps its price that long; 0 without one.
    site : {'home', 'colocation'} or None
        Where owned machines stand; None for what is not owned.
    owned_months : int, optional
        Age at which owned hardware is sold; the horizon without it.
    price_belief : str
        The belief by which its rent moves; spot prices move by one of their own.
    """

    name: str
    timeline: Timeline
    term_months: int = 0
    site: Site | None = None
    owned_months: int | None = None
    price_belief: str = "rent.price_change_share_per_year"


def plan_inputs(alternatives: Sequence[Alternative], beliefs: Assumptions) -> tuple[Uncertain, ...]:
    """Return the beliefs with a range that touch any of the alternatives.

    A yearly change of rents that is kept up for years errs less than that of a single year: its range is narrowed by the
    square root of the years, so that the price at the horizon spreads as after a random walk.
    """
    months = max(one.timeline.months for one in alternatives)
    found = []
    for name in _belief_names(alternatives):
        row = beliefs.rows[name]
        low, high = row.low, row.high
        if name.endswith("price_change_share_per_year"):
            years = max(months / 12.0, 1.0)
            low, high = (
                math.expm1(math.log1p(row.value) + (math.log1p(edge) - math.log1p(row.value)) / math.sqrt(years))
                for edge in (low, high)
            )
        if low < high:
            kind = (
                "change"
                if name.endswith("price_change_share_per_year") or name.startswith("money.discount")
                else "amount"
            )
            found.append(
                Uncertain(
                    name=name,
                    low=low,
                    typical=row.value,
                    high=high,
                    kind=kind,  # type: ignore[arg-type]
                    least=row.least,
                    most=row.most,
                )
            )
    return tuple(found)


def plan_correlations(alternatives: Sequence[Alternative], beliefs: Assumptions) -> Correlations:
    """Return how rents, used prices and demand move together."""
    rents = dict.fromkeys(one.price_belief for one in alternatives)
    found = {(rent, "risk.demand_ratio"): beliefs["risk.correlation_rent_demand_share"] for rent in rents}
    for one in alternatives:
        if one.site is not None:
            found |= {(rent, _resale_belief(one)): beliefs["risk.correlation_rent_resale_share"] for rent in rents}
    return found


def plan_costs(alternatives: Sequence[Alternative], beliefs: Assumptions) -> Evaluate:
    """Return a function from draws of beliefs to present values, one row for each alternative.

    Items that a belief moves in proportion are scaled; the price path and the discount rate reach into the months.
    Demand scales what moves with use and leaves the number of machines as it is.
    """

    def evaluate(draws: Draws) -> FloatArray:
        count = len(next(iter(draws.values()))) if draws else 1
        return np.stack([np.broadcast_to(_present_value(one, beliefs, draws), (count,)) for one in alternatives])

    return evaluate


def _present_value(one: Alternative, beliefs: Assumptions, draws: Draws) -> FloatArray:
    months = one.timeline.months
    column = np.arange(months + 1)
    rate = np.atleast_1d(draws.get("money.discount_rate_share_per_year", beliefs["money.discount_rate_share_per_year"]))
    factors = _powers((1.0 + rate) ** (-1.0 / 12.0), months)
    path = None
    if one.price_belief in draws:
        growth = (1.0 + draws[one.price_belief]) / (1.0 + beliefs[one.price_belief])
        path = _powers(growth ** (1.0 / 12.0), months)
    ratios = {name: draws[name] / beliefs[name] for name in draws if beliefs.get(name)}
    total: FloatArray = np.zeros(1)
    for name in one.timeline.components:
        cash = one.timeline.component_usd(name)
        if not cash.any():
            continue
        if path is not None and (COMPONENTS[name].with_rent_price or name in {"upfront", "support_of_upfront"}):
            # The month whose price is paid: this one's, or that in which a term began.
            priced = column if name in {"upfront", "support_of_upfront", "in_advance"} else (column - 1).clip(min=0)
            if one.term_months and name in {"commitment", "support_of_commitment"}:
                priced = priced // one.term_months * one.term_months
            elif name == "rest_of_term":
                priced = np.zeros_like(column)
            value = (factors * path[:, priced.clip(max=months)]) @ cash
        else:
            value = factors @ cash
        total = total + value * _scale(name, one, ratios)
    return total


def _scale(name: str, one: Alternative, ratios: Mapping[str, FloatArray]) -> FloatArray:
    """Return by how much drawn beliefs multiply an item."""
    scale: FloatArray = np.ones(1)
    for belief, components in _moves(one).items():
        if belief in ratios and name in components:
            scale = scale / ratios[belief] if belief == "own.gpus_per_fte" else scale * ratios[belief]
    if COMPONENTS[name].with_use and "risk.demand_ratio" in ratios:
        scale = scale * ratios["risk.demand_ratio"]
    return scale


def _moves(one: Alternative) -> dict[str, tuple[str, ...]]:
    """Return which items each belief multiplies."""
    moved: dict[str, tuple[str, ...]] = {
        "rent.storage_gb": ("storage",),
        "rent.storage_usd_per_gb_month": ("storage",),
        "rent.egress_usd_per_gb": ("egress",),
    }
    if one.site is not None:
        here = f"site.{one.site}."
        moved |= {
            "risk.server_price_ratio": HARDWARE,
            _resale_belief(one): ("resale",),
            here + "electricity_usd_per_kwh": POWER,
            here + "pue_ratio": POWER,
            here + "usd_per_kw_month": ("colocation",),
            here + "support_share_per_year": ("support",),
            "own.spares_share_per_year": ("spares",),
            "own.fte_usd_per_year": ("staff",),
            "own.gpus_per_fte": ("staff",),
        }
    return {
        belief: components
        for belief, components in moved.items()
        if any(_paid(one, component) for component in components)
    }


def _belief_names(alternatives: Sequence[Alternative]) -> list[str]:
    names = dict.fromkeys(belief for one in alternatives for belief in _moves(one))
    for one in alternatives:
        paid = [COMPONENTS[name] for name in one.timeline.components if _paid(one, name)]
        if any(component.with_use for component in paid):
            names["risk.demand_ratio"] = None
        if any(component.with_rent_price for component in paid):
            names[one.price_belief] = None
    names["money.discount_rate_share_per_year"] = None
    return list(names)


def _resale_belief(one: Alternative) -> str:
    """Return the known age that is nearest to the one at which the hardware is sold."""
    age = one.owned_months or one.timeline.months
    nearest = min(RESALE_AGES_MONTHS, key=lambda known: abs(known - age))
    return f"own.resale_after_{nearest}_months_share"


def _paid(one: Alternative, component: str) -> bool:
    return bool(one.timeline.component_usd(component).any())


def _powers(base: FloatArray, months: int) -> FloatArray:
    """Return powers 0 to months of each base, shape (bases, months + 1)."""
    powers = np.empty((len(base), months + 1))
    powers[:, 0] = 1.0
    np.multiply.accumulate(np.broadcast_to(base[:, None], (len(base), months)), axis=1, out=powers[:, 1:])
    return powers
