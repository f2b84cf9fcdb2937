"""What is left of the price of a data-center GPU by age, from the shipped quotes: what the shipped assumptions are held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from pricing.facts.accelerators import accelerators
from pricing.facts.dates import first_day
from pricing.facts.ownership import AcceleratorQuote, ResaleQuote, accelerator_quotes
from pricing.tables import read_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualPoint:
    """What is left of a price after some time.

    Attributes
    ----------
    age_months : int
        Time since the purchase.
    low_share, residual_share, high_share : float
        Of the purchase price, 0..1.
    source, as_of : str
        Who says so, and when.
    """

    age_months: int
    low_share: float
    residual_share: float
    high_share: float
    source: str
    as_of: str


@cache
def resale_quotes() -> tuple[ResaleQuote, ...]:
    """Return what used accelerators were sold and offered for, and published curves."""
    return read_facts(ResaleQuote, "resale_quotes.csv")


def sold_over_asked_ratios() -> tuple[float, ...]:
    """Return what cards were sold for over what was asked for the same ones, in the same record of the same day; rising.

    Examples
    --------
    >>> [round(ratio, 2) for ratio in sold_over_asked_ratios()]
    [0.51, 0.68, 0.7, 0.71, 0.74]
    """
    asked = {(q.accelerator, q.source, q.as_of): q.price_usd for q in resale_quotes() if q.basis == "asked"}
    pairs = [(q.price_usd, asked.get((q.accelerator, q.source, q.as_of))) for q in resale_quotes() if q.basis == "sold"]
    return tuple(sorted(sold / ask for sold, ask in pairs if sold and ask))


def residual_evidence() -> tuple[tuple[float, float, ResaleQuote], ...]:
    """Return age in months, share of the price when new, and where that is from: cards sold, and curves published.

    A price that was asked is no evidence (`sold_over_asked_ratios`), nor is what was recalled. Where a sale does not state the
    share, it is over the newest price of a new card; where it does not state the age, the card is as old as its model, from
    the middle of the year in which that came out.
    """
    new: dict[str, AcceleratorQuote] = {}
    for card in sorted((q for q in accelerator_quotes() if q.condition == "new" and not q.weak), key=lambda q: q.as_of):
        new[card.accelerator] = card
    found = []
    for quote in resale_quotes():
        model = accelerators()[quote.accelerator]
        if quote.basis == "asked" or quote.is_recalled or model.market_class != "datacenter":
            continue
        share, age = quote.new_price_share, float(quote.age_months or 0)
        if share is None and quote.price_usd and quote.accelerator in new:
            share = quote.price_usd / new[quote.accelerator].price_usd
        if not age:
            day = first_day(quote.as_of)
            age = (day.year - model.launch_year) * 12.0 + day.month - 7
        if share is not None:
            found.append((age, share, quote))
    return tuple(found)


RESIDUAL_AGES_MONTHS = (12, 24, 36, 48, 60)


@cache
def residual_curve() -> tuple[ResidualPoint, ...]:
    """Return what is left of the price of a data-center GPU by age, from what used ones were sold for and published curves.

    At each age the median of the evidence that is nearest to it, within half a year, with the 10th and 90th percentile; an
    older card is never worth more than a younger one.
    """
    points: list[ResidualPoint] = []
    evidence = [each for each in residual_evidence() if 6 <= each[0] <= 66]
    nearest = [min(RESIDUAL_AGES_MONTHS, key=lambda at: (abs(at - age), -at)) for age, _, _ in evidence]
    for at in RESIDUAL_AGES_MONTHS:
        here = [each for each, age in zip(evidence, nearest, strict=True) if age == at]
        low, typical, high = (_quantile(sorted(share for _, share, _ in here), part) for part in (0.1, 0.5, 0.9))
        if points:
            low = min(low, points[-1].low_share)
            typical = min(typical, points[-1].residual_share)
            high = min(high, points[-1].high_share)
        quotes = [quote for _, _, quote in here]
        points.append(
            ResidualPoint(
                age_months=at,
                low_share=low,
                residual_share=typical,
                high_share=high,
                source="; ".join(sorted({quote.source for quote in quotes})),
                as_of=max((quote.as_of for quote in quotes), key=first_day),
            )
        )
    return tuple(points)


def _quantile(rising: Sequence[float], part: float) -> float:
    """Return a quantile by straight lines between neighbors."""
    place = part * (len(rising) - 1)
    below = int(place)
    above = min(below + 1, len(rising) - 1)
    return rising[below] + (rising[above] - rising[below]) * (place - below)
