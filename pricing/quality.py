"""Gates: what a price has to pass before it lands. Pure; every refusal names the row and the rule.

A row that is refused leaves what the store holds of it, with its age; a part in which too much is refused fails whole.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pricing.identity import identity_of
from pricing.offers import Offer, PurchaseOption
from pricing.providers.contract import PartFault, RefusedRow

__all__ = ["Judged", "has_shrunk", "judge", "missing_anchors"]

ACCELERATOR_USD_PER_HOUR: Final = (0.02, 40.0)
"""Band of a whole accelerator's hour: a consumer card on a market stands at the low end, a GB300 far below the high one."""

VCPU_USD_PER_HOUR: Final = (0.0005, 1.0)

SAME_SHARE: Final = 1e-4
"""Prices nearer than this are equal: sources print four decimals at least."""

LEAST_ROW_SHARE: Final = 0.8
LEAST_ROWS_COUNTED: Final = 10
MOST_REFUSED_SHARE: Final = 0.2
MOST_REFUSED_ROWS: Final = 3

RESERVED: Final = {PurchaseOption.RESERVED_1Y, PurchaseOption.RESERVED_3Y, PurchaseOption.RESERVED_5Y}
PLANS: Final = {PurchaseOption.SAVINGS_PLAN_1Y, PurchaseOption.SAVINGS_PLAN_3Y}


@dataclass(frozen=True, slots=True)
class Judged:
    """What passed, and what did not."""

    offers: tuple[Offer, ...]
    refused: tuple[RefusedRow, ...]
    faults: tuple[PartFault, ...]


def judge(offers: Iterable[Offer], refused: Sequence[RefusedRow] = ()) -> Judged:
    """Pass every offer of one provider through the gates.

    Parameters
    ----------
    offers : iterable of Offer
        All that was read in one refresh.
    refused : sequence of RefusedRow
        Rows that the adapter itself refused; they count where a part has too many.

    Returns
    -------
    Judged
        Offers with their flags, all refused rows, and the parts that fail.
    """
    single, faults = _without_duplicates(list(offers))
    on_demand = _on_demand_prices(single)
    first_year = _one_year_prices(single)
    passed: list[Offer] = []
    told = list(refused)
    for offer in single:
        fault = _fault(offer, on_demand.get(_place(offer)), first_year.get(_commitment(offer)))
        if fault:
            told.append(RefusedRow(part=offer.part, identity=identity_of(offer), reason=fault[0], message=fault[1]))
        else:
            passed.append(_flagged(offer, on_demand.get(_place(offer))))
    faults += _overfull(passed, told)
    broken = {fault.part for fault in faults}
    return Judged(tuple(offer for offer in passed if offer.part not in broken), tuple(told), tuple(faults))


def _without_duplicates(offers: list[Offer]) -> tuple[list[Offer], list[PartFault]]:
    """Keep one of equal rows; two prices for one thing are a fault of their parts, since nobody knows which is right."""
    by_identity: dict[str, Offer] = {}
    faults: dict[str, PartFault] = {}
    for offer in offers:
        identity = identity_of(offer)
        known = by_identity.setdefault(identity, offer)
        if known is offer or math.isclose(known.price_usd_per_hour, offer.price_usd_per_hour, rel_tol=SAME_SHARE):
            continue
        message = f"two prices for {identity}: {known.price_usd_per_hour:g} and {offer.price_usd_per_hour:g}"
        for part in (known.part, offer.part):
            faults[part] = PartFault(part=part, reason="duplicate", message=message)
    return list(by_identity.values()), list(faults.values())


def _place(offer: Offer) -> tuple[str, str, str]:
    return offer.provider, offer.instance_type, offer.region


def _commitment(offer: Offer) -> tuple[str, str, str, str, str, str]:
    kind = "reserved" if offer.purchase_option in RESERVED else "plan" if offer.purchase_option in PLANS else ""
    return *_place(offer), kind, offer.payment.value, offer.offering_class


def _on_demand_prices(offers: Sequence[Offer]) -> dict[tuple[str, str, str], float]:
    """Return the on-demand price of each machine in each region; a Local Zone's own price does not stand for its parent."""
    return {
        _place(offer): offer.price_usd_per_hour
        for offer in offers
        if offer.purchase_option is PurchaseOption.ON_DEMAND and not offer.zone
    }


def _one_year_prices(offers: Sequence[Offer]) -> dict[tuple[str, str, str, str, str, str], float]:
    return {_commitment(offer): offer.price_usd_per_hour for offer in offers if offer.term_months == 12}


def _fault(offer: Offer, on_demand: float | None, one_year: float | None) -> tuple[str, str] | None:
    """Return the first rule that an offer breaks, and how; None where it breaks none."""
    price = offer.price_usd_per_hour
    if (band := _band_fault(offer)) is not None:
        return "out_of_band", band
    if on_demand is not None and price > on_demand * (1 + SAME_SHARE) and offer.zone_kind != "local_zone":
        if offer.purchase_option is PurchaseOption.SPOT:
            return "spot_above_on_demand", f"spot at {price:g} above on-demand at {on_demand:g}"
        if offer.term_months:
            return "commitment_above_on_demand", f"committed at {price:g} above on-demand at {on_demand:g}"
    if offer.term_months > 12 and one_year is not None and price > one_year * (1 + SAME_SHARE):
        years = offer.term_months // 12
        return "longer_is_dearer", f"{years} years at {price:g} above one year at {one_year:g}"
    return None


def _band_fault(offer: Offer) -> str | None:
    if offer.accelerator_count:
        low, high = ACCELERATOR_USD_PER_HOUR
        each, unit = offer.price_usd_per_hour / offer.accelerator_count, "accelerator"
    elif offer.vcpus:
        low, high = VCPU_USD_PER_HOUR
        each, unit = offer.price_usd_per_hour / offer.vcpus, "vCPU"
    else:
        return None
    if low <= each <= high:
        return None
    return f"{each:g} USD per {unit} and hour is outside {low:g} to {high:g}"


def _flagged(offer: Offer, on_demand: float | None) -> Offer:
    if offer.purchase_option is not PurchaseOption.SPOT or on_demand is None:
        return offer
    if math.isclose(offer.price_usd_per_hour, on_demand, rel_tol=SAME_SHARE):
        return replace(offer, flags=(*offer.flags, "spot_equals_on_demand"))
    if math.isclose(offer.price_usd_per_hour, on_demand / 10, rel_tol=SAME_SHARE):
        return replace(offer, flags=(*offer.flags, "spot_at_floor"))
    return offer


def _overfull(passed: Sequence[Offer], refused: Sequence[RefusedRow]) -> list[PartFault]:
    good = Counter(offer.part for offer in passed)
    bad: dict[str, list[RefusedRow]] = defaultdict(list)
    for row in refused:
        bad[row.part].append(row)
    return [
        PartFault(
            part=part,
            reason="too_many_refused",
            message=f"{len(rows)} of {len(rows) + good[part]} rows refused; the first: {rows[0].identity}: {rows[0].message}",
        )
        for part, rows in bad.items()
        if len(rows) > MOST_REFUSED_ROWS and len(rows) > MOST_REFUSED_SHARE * (len(rows) + good[part])
    ]


def has_shrunk(row_count: int, held_count: int, last_reason: str, last_count: int) -> bool:
    """Return whether a part's answer is too small to believe; a second answer of the same size is believed.

    Parameters
    ----------
    row_count, held_count : int
        Rows that came, and rows that the store holds.
    last_reason : str
        Why the last asking failed, if it did.
    last_count : int
        How many rows it had.

    Examples
    --------
    >>> has_shrunk(60, 100, "", 100), has_shrunk(60, 100, "shrunk", 60), has_shrunk(85, 100, "", 100)
    (True, False, False)
    """
    if held_count < LEAST_ROWS_COUNTED or row_count >= LEAST_ROW_SHARE * held_count:
        return False
    return not (last_reason == "shrunk" and math.isclose(row_count, last_count, rel_tol=0.05))


def missing_anchors(offers: Iterable[Offer], anchors: Sequence[str]) -> list[str]:
    """Return the instance types without which a full answer of a provider is not believed, and that it lacks."""
    found = {offer.instance_type for offer in offers}
    return [name for name in anchors if name not in found]
