"""One kind of machine at one place on its way to a decision: its curve, what was paid for it by hour, the cheapest mix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.decision.curve import HOURS_PER_WEEK, HOURS_PER_YEAR, Trend, trend_of, year_of
from planner.decision.place import Place
from planner.errors import NothingFitsError
from planner.mix.capacity import DemandCurve, Tier, TierKind
from planner.mix.cheapest import MixResult, cheapest_mix
from planner.mix.from_catalog import tiers_of_offers
from planner.options.owned import OwnableServer
from planner.usage.answer import COMMITTED, Usage
from planner.usage.bill import PLAN_WORD
from pricing.catalog import Catalog
from pricing.errors import PricingError
from pricing.facts.offers import PurchaseOption

TODAY = "today's"
"""Begins the name of a tier at the price that the bill itself shows."""
BY_THE_HOUR = {TierKind.SPOT: PurchaseOption.SPOT, TierKind.ON_DEMAND: PurchaseOption.ON_DEMAND}
MOVED_SHARE = 0.02
"""A price that is further from the record's mean has moved; nobody saves what has become cheaper by itself."""
LEAST_RECORD_HOURS = 2 * HOURS_PER_WEEK
"""Of less nobody buys or commits: a few days know nothing of the next year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of machine at one place on its way to a decision.

    Attributes
    ----------
    place : Place
        Which.
    level : FloatArray, shape (hours,)
        Accelerators needed in what counts of the record: its last year, or what runs now where there is a trend.
    allocated : FloatArray, shape (hours,)
        Accelerators that ran; above `level` where counters saw whole machines idle.
    open_usd, fixed_usd : FloatArray, shape (hours,)
        Effective cost by hour: outside commitments; and of what was committed or reserved, used or not.
    tiers : tuple of Tier
        What can be chosen from.
    servers : tuple of OwnableServer
        That hold this accelerator.
    best : MixResult
        The cheapest mix for the whole curve.
    left : FloatArray, shape (hours,)
        Accelerators needed outside today's commitments: what is committed and not used could serve first, it is paid either way.
    spot_share : float
        Largest part of the demand that may rest on spot.
    trend : Trend or None
        Where use went up or down so far that only its end counts.
    is_short : bool
        Whether the record is too short to own or to commit on.
    above_list_ratio : float
        What the same machines cost by the hour in the bill over what the price list says, at least 1.
    moved_ratio : float
        The on-demand price of the record's last week over that of all of it, where it has moved; all counts at the last.
    price_age_years : mapping of str to float
        How old the price of each tier is that stands in the catalog.
    """

    place: Place
    level: FloatArray
    allocated: FloatArray
    open_usd: FloatArray
    fixed_usd: FloatArray
    tiers: tuple[Tier, ...]
    servers: tuple[OwnableServer, ...]
    best: MixResult
    left: FloatArray
    spot_share: float
    trend: Trend | None
    is_short: bool
    above_list_ratio: float = 1.0
    moved_ratio: float = 1.0
    price_age_years: Mapping[str, float] = field(default_factory=dict)

    @property
    def gpu(self) -> str:
        """The accelerator."""
        return self.place.gpu

    @property
    def hours(self) -> int:
        """Length of the curve that the mix is for."""
        return len(year_of(self.level))

    @property
    def open_usd_per_hour(self) -> float:
        """What an hour cost outside commitments."""
        return float(self.open_usd.mean())

    @property
    def paid_usd_per_hour(self) -> float:
        """What an hour cost in all."""
        return float(self.open_usd.mean() + self.fixed_usd.mean())

    @property
    def idle_gpus(self) -> float:
        """Accelerators in machines on which nothing worked, on average."""
        return float((self.allocated - self.level).mean())

    @property
    def mix_usd_per_hour(self) -> float:
        """What an hour of the mix costs."""
        return self.best.total_usd / self.hours

    @property
    def now_usd_per_hour(self) -> float:
        """What an hour of the cheapest mix for the hours outside today's commitments costs, before a server can be delivered."""
        if not self.left.any():
            return 0.0
        tiers = [tier for tier in _choosable(self.tiers, self.is_short) if tier.kind is not TierKind.OWNED]
        return cheapest_mix(DemandCurve(units=year_of(self.left)), tiers).total_usd / self.hours

    @property
    def mix(self) -> tuple[str, ...]:
        """What the cheapest mix is of."""
        return tuple(use.name for use in self.best.tiers if use.fixed_usd + use.variable_usd > 0)

    def kinds(self) -> frozenset[TierKind]:
        """Return which kinds of tiers keep machines in the mix."""
        kept = self.machines()
        return frozenset(tier.kind for tier in self.tiers if kept.get(tier.name))

    def machines(self) -> dict[str, float]:
        """Return how many of each tier are kept."""
        return {use.name: use.machines for use in self.best.tiers}

    def going_on(self) -> Case | None:
        """Return the same where use goes on to go up or down for as long again, with the mix that would then be cheapest; None where it does neither."""
        if self.trend is None:
            return None
        ratio = max(2.0 - self.trend.first_gpus / self.trend.last_gpus, 0.0)
        step = float(max(self.place.gpus_per_machine, 1))
        level = np.ceil(self.level * ratio / step - 1e-9) * step
        if not level.any():
            return None
        return replace(self, level=level, best=cheapest_mix(DemandCurve(units=year_of(level)), self.tiers))

    def mixed(self, *kinds: TierKind) -> Case:
        """Return the same with the cheapest mix of some kinds of tiers alone; those by the hour are always among them."""
        tiers = tuple(tier for tier in self.tiers if tier.kind in (*kinds, TierKind.ON_DEMAND))
        return replace(self, tiers=tiers, best=cheapest_mix(DemandCurve(units=year_of(self.level)), tiers))


def case_of(
    usage: Usage, place: Place, catalog: Catalog, servers: Sequence[OwnableServer], assumptions: Assumptions, months: int,
    *, anywhere: bool, basis: str = "",
) -> Case | str:  # fmt: skip
    """Return what is known of one kind of machine and its cheapest mix, or the code of why there is none (`planner.decision.answer.Kept`).

    Parameters
    ----------
    usage : Usage
        From a bill.
    place : Place
        One of its places.
    catalog : Catalog
        Offers to choose from.
    servers : sequence of OwnableServer
        Servers to choose from.
    assumptions : Assumptions
        Ownership, money, spot.
    months : int
        Months over which an owned server is counted.
    anywhere : bool
        Whether offers of other places may stand in.
    basis : str
        ``allocated`` sizes for all that ran, whatever counters saw.
    """
    if place.is_part:
        return "part_of_an_accelerator"
    try:
        offers = catalog.select(accelerators=[place.gpu])
    except PricingError:
        return "unknown_accelerator"
    offers = offers.filtered("of this shape and place", lambda offer: place.takes(offer, anywhere=anywhere))
    own = tuple(
        server for server in servers if server.machine.accelerator and server.machine.accelerator.name == place.gpu
    )
    table = usage.table
    used, committed = table.equals("state", "used"), table.equals("option", *COMMITTED)
    mine, effective = place.rows, table.values["effective_usd"]

    def by_hour(values: FloatArray, mask: NDArray[np.bool_]) -> FloatArray:
        hour = table.hour[mask] - usage.first_hour
        inside = (hour >= 0) & (hour < usage.hours)
        level: FloatArray = np.bincount(hour[inside], weights=values[mask][inside], minlength=usage.hours).astype(float)
        return level[-HOURS_PER_YEAR:]

    gpu_hours = table.values["gpu_hours"]
    allocated = by_hour(gpu_hours, mine & used)
    trend = trend_of(allocated)
    window = slice(-trend.recent_hours, None) if trend else slice(None)
    level = allocated if basis == "allocated" else _needed(usage, place, allocated)
    held = by_hour(gpu_hours, mine & committed)
    by_the_hour = used & mine & table.equals("option", "on_demand", "not_stated")
    lately = by_the_hour & (table.hour >= usage.first_hour + usage.hours - HOURS_PER_WEEK)
    moved_ratio = _moved_ratio(*(_price(effective, gpu_hours, mask) for mask in (by_the_hour, lately)))
    effective = np.where(by_the_hour, effective * moved_ratio, effective)
    open_usd = by_hour(effective, mine & used & ~committed)
    fixed_usd = by_hour(effective, mine & ~(used & ~committed)) + by_hour(*_plan_waste(usage, mine & used))
    allocated, level, held, open_usd, fixed_usd = (x[window] for x in (allocated, level, held, open_usd, fixed_usd))
    if not level.any():
        return "nothing_works" if allocated.any() else "not_used_lately"
    if not open_usd.any() and not fixed_usd.any():
        return "no_cost_in_the_bill"
    spot = used & mine & table.equals("option", "spot")
    share = assumptions["mix.spot_share"] if assumptions.rows["mix.spot_share"].overridden else 0.0
    share = max(share, float(gpu_hours[spot].sum() / gpu_hours[used & mine].sum()))
    prices = {kind: _price(effective, gpu_hours, mask) for kind, mask in ((TierKind.SPOT, spot), (TierKind.ON_DEMAND, by_the_hour))}  # fmt: skip
    offers, above_list_ratio = _as_paid(offers, place, prices)
    try:
        listed = tiers_of_offers(offers, own, assumptions, months=months)
    except NothingFitsError:
        listed = ()
    tiers = _tiers(listed, prices, place, share)
    if not listed and not any(tier.kind is not TierKind.ON_DEMAND for tier in tiers):
        return "no_offer"
    if not any(tier.kind is TierKind.ON_DEMAND for tier in tiers):
        return "no_on_demand_offer"
    is_short = usage.hours < LEAST_RECORD_HOURS
    best = cheapest_mix(DemandCurve(units=year_of(level)), _choosable(tiers, is_short))
    return Case(
        place=place,
        level=level,
        allocated=allocated,
        open_usd=open_usd,
        fixed_usd=fixed_usd,
        tiers=tiers,
        servers=own,
        best=best,
        left=np.maximum(level - held, 0.0),
        spot_share=share,
        trend=trend,
        is_short=is_short,
        above_list_ratio=above_list_ratio,
        moved_ratio=moved_ratio,
    )


def _as_paid(offers: Catalog, place: Place, prices: Mapping[TierKind, float]) -> tuple[Catalog, float]:
    """Return the offers that are a change, and how far above the list an hour on demand is paid.

    The price for what already runs by the hour is the one that is paid; a list's, for the same machines, is no saving. Whoever
    pays more than the list by the hour (a license in the price, a reseller) pays more for a commitment to them too.
    """
    own = {offer for offer in offers.offers if place.is_of(offer)}
    listed = [offer.price_usd_per_hour / offer.accelerator_count for offer in own if offer.purchase_option is PurchaseOption.ON_DEMAND]  # fmt: skip
    above = max(prices[TierKind.ON_DEMAND] / min(listed), 1.0) if listed else 1.0
    paid = {BY_THE_HOUR[kind] for kind, price in prices.items() if price > 0}
    others = offers.filtered(
        "paid by the hour today", lambda offer: not (offer.purchase_option in paid and offer in own)
    )
    dearer = (replace(offer, price_usd_per_hour=offer.price_usd_per_hour * above) if offer in own else offer for offer in others.offers)  # fmt: skip
    return replace(others, offers=tuple(dearer)), above


def _choosable(tiers: Sequence[Tier], is_short: bool) -> tuple[Tier, ...]:
    """Return what can be chosen: on a short record only what is taken by the hour."""
    return tuple(tier for tier in tiers if not (is_short and tier.is_chosen_once))


def _needed(usage: Usage, place: Place, allocated: FloatArray) -> FloatArray:
    """Return what was needed of what ran: whole machines on which counters saw nothing at work are not."""
    busy, present = usage.counted(place.gpu)
    if not present.any():
        return allocated
    of_gpu = usage.levels.get(place.gpu, usage.level)
    busy, present, of_gpu = (x[-len(allocated) :] for x in (busy, present, of_gpu))
    mine = np.divide(allocated, of_gpu, out=np.zeros(len(allocated)), where=of_gpu > 0)
    endless = np.isinf(present)
    seen = np.where(endless, allocated, np.minimum(allocated, np.where(endless, 0.0, present) * mine))
    step = float(max(place.gpus_per_machine, 1))
    worked = np.ceil(busy * mine / step - 1e-9) * step
    return allocated - np.maximum(seen - worked, 0.0)


def _price(effective: FloatArray, gpu_hours: FloatArray, mask: NDArray[np.bool_]) -> float:
    hours = float(gpu_hours[mask].sum())
    return float(effective[mask].sum()) / hours if hours > 0 else 0.0


def _moved_ratio(usd: float, lately_usd: float) -> float:
    """Return how far the price of the last week is from that of the whole record; 1 where it has not moved."""
    ratio = lately_usd / usd if usd > 0 and lately_usd > 0 else 1.0
    return ratio if abs(ratio - 1.0) > MOVED_SHARE else 1.0


def _tiers(listed: Sequence[Tier], prices: dict[TierKind, float], place: Place, spot_share: float) -> tuple[Tier, ...]:
    """Return what can be chosen: the catalog's tiers and today's prices; no more spot than there is already or was asked."""
    choices = [
        # Lost work is done again in another hour; it takes no machine more in its own.
        replace(tier, max_share_of_demand=spot_share, availability_share=1.0, usd_per_unit_hour=tier.usd_per_unit_hour / tier.availability_share)
        if tier.kind is TierKind.SPOT else tier
        for tier in listed
        if tier.kind is not TierKind.SPOT or spot_share > 0
    ]  # fmt: skip
    for kind, price in prices.items():
        if price > 0:
            choices.append(
                Tier(
                    name=f"{TODAY} {kind.value.replace('_', '-')} machines",
                    kind=kind,
                    usd_per_unit_hour=price,
                    units_per_machine=max(place.gpus_per_machine, 1),
                    max_share_of_demand=spot_share if kind is TierKind.SPOT else 1.0,
                )
            )
    return tuple(sorted(choices, key=lambda tier: tier.name))


def _plan_waste(usage: Usage, mine: NDArray[np.bool_]) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the unused part of savings plans that falls to an accelerator, by row, and which rows have one.

    It is tied to no machine; it falls to each accelerator as far as the plan's use was of it, by cost.
    """
    table = usage.table
    plans = table.equals("gpu", PLAN_WORD)
    codes, cost = table.codes["commitment"], table.values["effective_usd"]
    count = len(table.words["commitment"])
    used = table.equals("state", "used")
    of_all = np.bincount(codes[used], weights=cost[used], minlength=count)
    of_it = np.bincount(codes[mine], weights=cost[mine], minlength=count)
    share = np.divide(of_it, of_all, out=np.zeros(count), where=of_all > 0)
    return cost * share[codes], plans
