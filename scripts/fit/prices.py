"""How far prices of each class move in a year: fitted from the bundled price history, printed as rows of assumptions.

PYTHONPATH=scripts python -m fit.prices
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pricing.facts.offers import PurchaseOption
from pricing.facts.price_history import PricePoint, price_history
from pricing.facts.sellers import tier_of

LEAST_DAYS = 28
"""Of two prices that are compared: nearer ones tell how sources differ, not how prices move."""
DOUBTED = frozenset({("nebius", date(2026, 5, 8))})
"""Prices that are not used: on that day a tracker has three of Nebius's GPUs at 40 % of the prices before and after, by all signs
those of preemptible machines under the name of on-demand. With them the list spread of GPU clouds would be 0.64."""
DAYS_PER_YEAR = 365.25
CLASS_OF = {
    PurchaseOption.SPOT: "spot",
    PurchaseOption.CAPACITY_BLOCK: "block",
    PurchaseOption.MARKETPLACE: "marketplace",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How far the prices of a class move.

    Attributes
    ----------
    share : float
        Standard deviation of the logarithm of a price after a year.
    low, high : float
        The least and the most that it would be without one of the sellers.
    series_count : int
        Prices that were seen twice or more.
    years : float
        Time between the prices that are compared, of all series together.
    """

    share: float
    low: float
    high: float
    series_count: int
    years: float


def class_of(provider: str, option: PurchaseOption) -> str:
    """Return the class of a price; empty for means over sellers, which move less than any of them."""
    if provider.startswith("neocloud"):
        return ""
    return CLASS_OF.get(option) or {"A": "hyperscaler_list", "B": "list"}.get(tier_of(provider).letter, "")


def moves(points: tuple[PricePoint, ...]) -> list[tuple[float, float]]:
    """Return squared changes of a price's logarithm, with the years between, over steps of `LEAST_DAYS` or more."""
    found, last = [], points[0]
    for point in points[1:]:
        days = (point.observed_on - last.observed_on).days
        if days >= LEAST_DAYS:
            change = math.log(point.price_usd_per_hour / last.price_usd_per_hour)
            found.append((change**2, days / DAYS_PER_YEAR))
            last = point
    return found


def fitted() -> Mapping[str, Spread]:
    """Return the spread of each class: the root of all squared changes over all years."""
    by_class: dict[str, list[tuple[str, list[tuple[float, float]]]]] = defaultdict(list)
    for (provider, _, _, option), points in price_history().items():
        sound = tuple(point for point in points if (provider, point.observed_on) not in DOUBTED)
        if (name := class_of(provider, option)) and sound and (steps := moves(sound)):
            by_class[name].append((provider, steps))
    return {name: _spread(series) for name, series in sorted(by_class.items())}


def _spread(series: list[tuple[str, list[tuple[float, float]]]]) -> Spread:
    sellers = sorted({provider for provider, _ in series})
    without = [_share([each for each in series if each[0] != seller]) for seller in sellers if len(sellers) > 1]
    share = _share(series)
    return Spread(
        share=share,
        low=min([share, *without]),
        high=max([share, *without]),
        series_count=len(series),
        years=sum(years for _, steps in series for _, years in steps),
    )


def _share(series: list[tuple[str, list[tuple[float, float]]]]) -> float:
    steps = [step for _, each in series for step in each]
    return math.sqrt(sum(square for square, _ in steps) / sum(years for _, years in steps))


if __name__ == "__main__":
    for name, spread in fitted().items():
        print(
            f"evidence.{name}_spread_share {spread.share:.2f} ({spread.low:.2f} to {spread.high:.2f}): "
            f"{spread.series_count} prices over {spread.years:.0f} years together"
        )
