"""Gates: what a price has to pass before it lands. Pure; every refusal names the row and the rule.

A row that is refused leaves what the store holds of it, with its age; a part in which too much is refused fails whole.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from pricing.facts.offers import TERM_MONTHS, Offer, PurchaseOption, identity_of
from pricing.providers.contract import PartFault, RefusedRow

ACCELERATOR_USD_PER_HOUR: Final = (0.02, 80.0)
"""Band of a whole accelerator's hour: a consumer card on a market stands at the low end, a GB300 in a dear region at half the high one."""

FAR_BELOW: Final = "far_below_others"
SPOT_EQUALS_ON_DEMAND: Final = "spot_equals_on_demand"
SPOT_AT_FLOOR: Final = "spot_at_floor"
FAR_BELOW_SHARE: Final = 0.6
LEAST_SELLERS: Final = 2
"""Other sellers without whom nothing can be said to be far below all."""

VCPU_USD_PER_HOUR: Final = (0.0005, 1.0)

SAME_SHARE: Final = 1e-4
"""Prices nearer than this are equal: sources print four decimals at least."""

LEAST_ROW_SHARE: Final = 0.8
LEAST_ROWS_COUNTED: Final = 10
SAME_SIZE_SHARE: Final = 0.05
CONFIRMING_DAYS: Final = 3
"""A source that lost its rows in an outage has them back within a day or two; a smaller catalog stays smaller."""
MOST_REFUSED_SHARE: Final = 0.2
MOST_REFUSED_ROWS: Final = 3

PLANS: Final = {PurchaseOption.SAVINGS_PLAN_1Y, PurchaseOption.SAVINGS_PLAN_3Y}
RESERVED: Final = set(TERM_MONTHS) - PLANS


@dataclass(frozen=True, slots=True)
class Judged:
    """What passed, and what did not."""

    offers: tuple[Offer, ...]
    refused: tuple[RefusedRow, ...]
    faults: tuple[PartFault, ...]


@dataclass(frozen=True, slots=True)
class Market:
    """What sellers take for an accelerator-hour.

    Attributes
    ----------
    lowest : mapping of (accelerator, how it is paid) to mapping of str to float
        The lowest price of each seller, USD per accelerator and hour.
    listed : mapping of (accelerator, how it is paid) to mapping of str to float
        The same of the bundled offers alone, whose sources are others.
    """

    lowest: Mapping[tuple[str, str], Mapping[str, float]]
    listed: Mapping[tuple[str, str], Mapping[str, float]]

    @classmethod
    def of(cls, listed: Iterable[Offer], gathered: Iterable[Offer] = ()) -> Market:
        """Return the market that the bundled offers and those of the store make."""
        facts = list(listed)
        return cls(_lowest_prices([*facts, *gathered]), _lowest_prices(facts))

    def is_far_below(self, offer: Offer) -> bool:
        """Return whether an offer is far below every other seller of its accelerator, and no other source confirms it."""
        price = offer.accelerators_usd_per_hour
        if price is None or offer.accelerator is None:
            return False
        key = offer.accelerator, _paid(offer)
        others = [least for seller, least in self.lowest.get(key, {}).items() if seller != offer.provider]
        own = self.listed.get(key, {}).get(offer.provider, math.inf)
        return (
            len(others) >= LEAST_SELLERS
            and price < FAR_BELOW_SHARE * min(others)
            and not own * FAR_BELOW_SHARE <= price
        )


def _paid(offer: Offer) -> str:
    """Return the class within which prices are compared."""
    if offer.interruptible or offer.purchase_option is PurchaseOption.MARKETPLACE:
        return "spot"
    return "committed" if offer.term_months else "firm"


def _lowest_prices(offers: Iterable[Offer]) -> dict[tuple[str, str], dict[str, float]]:
    lowest: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for offer in offers:
        price = offer.accelerators_usd_per_hour
        if price is None or offer.accelerator is None or FAR_BELOW in offer.flags:
            continue
        sellers = lowest[offer.accelerator, _paid(offer)]
        sellers[offer.provider] = min(price, sellers.get(offer.provider, math.inf))
    return lowest


def judge(
    offers: Iterable[Offer],
    refused: Sequence[RefusedRow] = (),
    market: Market | None = None,
    *,
    today: date = date.max,
) -> Judged:
    """Pass every offer of one provider, card or file through the gates.

    Parameters
    ----------
    offers : iterable of Offer
        All that was read in one refresh, or that a file tells of one day.
    refused : sequence of RefusedRow
        Rows that the adapter itself refused; they count where a part has too many.
    market : Market, optional
        What other sellers take; without it no price is held against theirs.
    today : date
        The day (UTC); a price of a later one is none, but for the next, which has begun somewhere.

    Returns
    -------
    Judged
        Offers with their flags, all refused rows, and the parts that fail.
    """
    single, doubles = _without_duplicates(list(offers))
    # A Local Zone's own price does not stand for its parent.
    on_demand = {
        _place(offer): offer.price_usd_per_hour
        for offer in single
        if offer.purchase_option is PurchaseOption.ON_DEMAND and not offer.zone
    }
    one_year = {_commitment(offer): offer.price_usd_per_hour for offer in single if offer.term_months == 12}
    passed: list[Offer] = []
    refusals = [*refused, *doubles]
    for offer in single:
        list_price = on_demand.get(_place(offer))
        if fault := _fault(offer, today, list_price, one_year.get(_commitment(offer))):
            refusals.append(RefusedRow(offer.part, identity_of(offer), *fault))
        else:
            passed.append(_flagged(offer, list_price, market))
    faults = _overfull(passed, refusals)
    broken = {fault.part for fault in faults}
    return Judged(tuple(offer for offer in passed if offer.part not in broken), tuple(refusals), tuple(faults))


def judge_table(offers: Iterable[Offer], market: Market | None = None, *, today: date = date.max) -> Judged:
    """Pass the offers of a file through the same gates, day by day; a price of another day is no second price."""
    by_day: dict[date, list[Offer]] = defaultdict(list)
    for offer in offers:
        by_day[offer.observed_on].append(offer)
    judged = [judge(rows, market=market, today=today) for _, rows in sorted(by_day.items())]
    return Judged(
        tuple(offer for day in judged for offer in day.offers),
        tuple(row for day in judged for row in day.refused),
        tuple(fault for day in judged for fault in day.faults),
    )


def _without_duplicates(offers: list[Offer]) -> tuple[list[Offer], list[RefusedRow]]:
    """Keep one of equal rows; of two prices for one thing nobody knows which is right, so neither is kept."""
    by_identity: dict[str, Offer] = {}
    doubles: dict[str, RefusedRow] = {}
    for offer in offers:
        identity = identity_of(offer)
        first = by_identity.setdefault(identity, offer)
        if not math.isclose(first.price_usd_per_hour, offer.price_usd_per_hour, rel_tol=SAME_SHARE):
            message = f"two prices: {first.price_usd_per_hour:g} and {offer.price_usd_per_hour:g} USD/h"
            doubles[identity] = RefusedRow(first.part, identity, "duplicate", message)
    return [offer for identity, offer in by_identity.items() if identity not in doubles], list(doubles.values())


def _place(offer: Offer) -> tuple[str, str, str]:
    return offer.provider, offer.instance_type, offer.region


def _commitment(offer: Offer) -> tuple[str, str, str, str, str, str]:
    kind = "reserved" if offer.purchase_option in RESERVED else "plan" if offer.purchase_option in PLANS else ""
    return *_place(offer), kind, offer.payment.value, offer.offering_class


def _fault(offer: Offer, today: date, on_demand: float | None, one_year: float | None) -> tuple[str, str] | None:
    """Return the first rule that an offer breaks, and how; None where it breaks none."""
    price = offer.price_usd_per_hour
    if (offer.observed_on - today).days > 1:  # such a one would stay the newest until that day has passed
        return "future_date", f"dated {offer.observed_on}, after today ({today}); is the clock of this machine right?"
    for count, unit, (low, high) in (
        (offer.accelerator_count, "accelerator", ACCELERATOR_USD_PER_HOUR),
        (0.0 if offer.accelerator_count else offer.vcpus, "vCPU", VCPU_USD_PER_HOUR),
    ):
        if count and not low <= price / count <= high:
            return "out_of_band", f"{price / count:g} USD per {unit} and hour is outside {low:g} to {high:g}"
    if on_demand is not None and price > on_demand * (1 + SAME_SHARE) and offer.zone_kind != "local_zone":
        if offer.purchase_option is PurchaseOption.SPOT:
            return "spot_above_on_demand", f"spot at {price:g} above on-demand at {on_demand:g}"
        if offer.term_months:
            return "commitment_above_on_demand", f"committed at {price:g} above on-demand at {on_demand:g}"
    if offer.term_months > 12 and one_year is not None and price > one_year * (1 + SAME_SHARE):
        years = offer.term_months // 12
        return "longer_is_dearer", f"{years} years at {price:g} above one year at {one_year:g}"
    return None


def _flagged(offer: Offer, on_demand: float | None, market: Market | None) -> Offer:
    """Set the flags that come from comparing prices anew: an exported offer brings those of its first check along."""
    flags = [flag for flag in offer.flags if flag not in {FAR_BELOW, SPOT_EQUALS_ON_DEMAND, SPOT_AT_FLOOR}]
    if market is not None and market.is_far_below(offer):
        flags.append(FAR_BELOW)
    if offer.purchase_option is PurchaseOption.SPOT:
        if on_demand is None:
            flags.extend(flag for flag in offer.flags if flag in {SPOT_EQUALS_ON_DEMAND, SPOT_AT_FLOOR})
        elif math.isclose(offer.price_usd_per_hour, on_demand, rel_tol=SAME_SHARE):
            flags.append(SPOT_EQUALS_ON_DEMAND)
        elif math.isclose(offer.price_usd_per_hour, on_demand / 10, rel_tol=SAME_SHARE):
            flags.append(SPOT_AT_FLOOR)
    return offer if tuple(flags) == offer.flags else replace(offer, flags=tuple(flags))


def _overfull(passed: Sequence[Offer], refused: Sequence[RefusedRow]) -> list[PartFault]:
    good = Counter(offer.part for offer in passed)
    bad: dict[str, list[RefusedRow]] = defaultdict(list)
    for row in refused:
        bad[row.part].append(row)
    causes = {part: len({row.cause or row.identity for row in rows}) for part, rows in bad.items()}
    return [
        PartFault(
            part=part,
            reason="too_many_refused",
            message=f"{len(rows)} of {len(rows) + good[part]} rows refused; the first: {rows[0].identity}: {rows[0].message}",
        )
        for part, rows in bad.items()
        if causes[part] > MOST_REFUSED_ROWS and causes[part] > MOST_REFUSED_SHARE * (causes[part] + good[part])
    ]


def has_shrunk(row_count: int, held_count: int) -> bool:
    """Return whether an answer is too small to be accepted at once.

    Parameters
    ----------
    row_count, held_count : int
        Rows that came, and rows that the store holds.

    Examples
    --------
    >>> has_shrunk(60, 100), has_shrunk(85, 100), has_shrunk(1, 9), has_shrunk(0, 9)
    (True, False, False, True)
    """
    if not row_count:
        return held_count > 0
    return held_count >= LEAST_ROWS_COUNTED and row_count < LEAST_ROW_SHARE * held_count


def is_confirmed_shrink(row_count: int, earlier: Iterable[tuple[date, int]], today: date) -> bool:
    """Return whether the same smaller answer has come on `CONFIRMING_DAYS` days, today included; an empty one never counts.

    Parameters
    ----------
    row_count : int
        Rows that came today.
    earlier : iterable of (date, int)
        Day and size of each answer that was found too small since the part was last accepted.
    today : date
        The day (UTC).
    """
    days = {day for day, count in earlier if math.isclose(count, row_count, rel_tol=SAME_SIZE_SHARE)}
    return row_count > 0 and len(days | {today}) >= CONFIRMING_DAYS


def missing_anchors(offers: Iterable[Offer], anchors: Sequence[str]) -> list[str]:
    """Return the instance types without which a full answer of a provider is not accepted, and that it lacks."""
    types = {offer.instance_type for offer in offers}
    return [name for name in anchors if name not in types]
