"""The catalog: all offers of a day, with their dates, and what is left after each filter."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pricing.errors import PricingError, did_you_mean
from pricing.facts.accelerator_rows import Accelerator
from pricing.facts.accelerators import accelerators, resolve_all
from pricing.facts.dates import EVERY_DAY, Dropped, Window
from pricing.facts.offers import Launchable, Offer, PurchaseOption, identity_key
from pricing.facts.price_history import points
from pricing.facts.regions import countries_named, country_of
from pricing.facts.sellers import sellers
from pricing.tables import frame, read_facts

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """How many offers a filter left.

    Attributes
    ----------
    name : str
        The filter in words (``in US, DE``).
    offer_count : int
        Offers left after it.
    """

    name: str
    offer_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """Offers as they were known at one time; where they come from does not matter here.

    Attributes
    ----------
    offers : tuple of Offer
        One for each identity (`pricing.facts.offers.offer_id`).
    snapshot : str
        Name of the state of knowledge (``bundled-2026-09-06``, a snapshot of the store).
    accelerators : mapping of str to Accelerator
        Facts of every accelerator that the offers name.
    funnel : tuple of FunnelStep
        What each filter left, in their order; empty for a catalog that was not filtered.
    notes : tuple of str
        What weakens the prices: their age, a source that failed, a part that comes from the bundled facts.
    window : Window
        The days whose facts may be used; servers, token prices and free tiers are held to it as well.
    out_of_window : tuple of Offer
        Offers that it took out.
    stands_for : mapping of tuple to int
        Identity (`pricing.facts.offers.identity_key`) to how many offers an offer stands for, itself included: of those that differ
        in price and place alone, the cheapest may stand for all. One where it is not named.
    """

    offers: tuple[Offer, ...]
    snapshot: str
    accelerators: Mapping[str, Accelerator] = field(default_factory=accelerators, repr=False)
    funnel: tuple[FunnelStep, ...] = ()
    notes: tuple[str, ...] = ()
    window: Window = EVERY_DAY
    out_of_window: tuple[Offer, ...] = field(default=(), repr=False)
    stands_for: Mapping[tuple[Any, ...], int] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        """Count the offers."""
        return self.count(self.offers)

    def count(self, offers: Collection[Offer]) -> int:
        """Count offers of this catalog, with all for which one of them stands."""
        if not self.stands_for:
            return len(offers)
        return sum(self.stands_for.get(identity_key(offer), 1) for offer in offers)

    @property
    def oldest_on(self) -> date | None:
        """The day of the oldest price; None for an empty catalog."""
        return min((offer.observed_on for offer in self.offers), default=None)

    @property
    def newest_on(self) -> date | None:
        """The day of the newest price; None for an empty catalog."""
        return max((offer.observed_on for offer in self.offers), default=None)

    def to_frame(self) -> pd.DataFrame:
        """Return the offers as a pandas frame, one a row."""
        return frame(Offer, self.offers)

    def filtered(self, name: str, keep: Callable[[Offer], bool]) -> Catalog:
        """Return the offers that `keep` keeps, with one more step in the funnel.

        Parameters
        ----------
        name : str
            The filter in words.
        keep : callable
            Says of one offer whether it stays.
        """
        left = tuple(offer for offer in self.offers if keep(offer))
        start = self.funnel or (FunnelStep("offers", len(self)),)
        return replace(self, offers=left, funnel=(*start, FunnelStep(name, self.count(left))))

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """What each filter took out, where it took out something."""
        return tuple(
            Dropped(before.offer_count - after.offer_count, f"offers not {after.name}")
            for before, after in pairwise(self.funnel)
            if before.offer_count > after.offer_count
        )

    def not_before(self, day: date) -> Catalog:
        """Return the offers that were seen on `day` or later."""
        young = self.filtered(f"dated {day.isoformat()} or later", lambda offer: offer.observed_on >= day)
        old = tuple(offer for offer in self.offers if offer.observed_on < day)
        return replace(young, window=replace(self.window, first_on=day), out_of_window=(*self.out_of_window, *old))

    def as_of(self, day: date) -> Catalog:
        """Return what was known on `day`: younger prices give way to the last one written down by then, or go.

        Examples
        --------
        >>> then = load_bundled().as_of(date(2025, 1, 1))
        >>> [row.price_usd_per_hour for row in then.offers if row.instance_type == "p5.48xlarge"]
        [98.32]
        """
        offers, later = [], []
        for offer in self.offers:
            if offer.observed_on <= day:
                offers.append(offer)
            elif earlier := [point for point in points(offer) if point.observed_on <= day]:
                point = earlier[-1]
                offers.append(
                    replace(
                        offer,
                        price_usd_per_hour=point.price_usd_per_hour,
                        observed_on=point.observed_on,
                        source=point.source,
                        # Said of today's row, not of that day's.
                        upfront_usd=0.0,
                        price_parts=(),
                        effective_on=None,
                        price_median_usd_per_hour=None,
                        price_high_usd_per_hour=None,
                        price_history=(),
                        flags=tuple(flag for flag in offer.flags if flag != "spot_equals_on_demand"),
                    )
                )
            else:
                later.append(offer)
        start = self.funnel or (FunnelStep("offers", len(self)),)
        return replace(
            self,
            offers=tuple(offers),
            snapshot=f"{self.snapshot} as of {day.isoformat()}",
            funnel=(*start, FunnelStep(f"known on {day.isoformat()}", self.count(offers))),
            window=replace(self.window, last_on=day),
            out_of_window=(*self.out_of_window, *later),
        )

    def select(  # noqa: PLR0913 - one filter each, by name
        self,
        *,
        providers: Iterable[str] = (),
        exclude_providers: Iterable[str] = (),
        regions: Iterable[str] = (),
        countries: Iterable[str] = (),
        accelerators: Iterable[str] = (),
        min_memory_gib: float | None = None,
        count: float | None = None,
        purchase: Iterable[str | PurchaseOption] = (),
        max_usd_per_hour: float | None = None,
        secure: bool = False,
        launchable: bool = False,
    ) -> Catalog:
        """Return the offers that meet every filter that is set.

        Parameters
        ----------
        providers, regions : iterable of str
            The provider's own names, in any letter case.
        exclude_providers : iterable of str
            Leave out what these sell.
        countries : iterable of str
            Codes (ISO 3166-1 alpha-2), names, continents, and groups such as ``EU``. An offer whose place is not told is in
            no country, which the funnel tells by a step of its own.
        accelerators : iterable of str
            Names as people write them; ``H100`` means all of them, SXM, PCIe and NVL.
        min_memory_gib : float, optional
            Least memory of one accelerator (of the slice, where a slice is sold).
        count : float, optional
            Accelerators in one instance, exactly.
        purchase : iterable of str or PurchaseOption
            ``on_demand``, ``spot``, ``reserved_1y`` ...; ``reserved`` and ``savings_plan`` mean every term.
        max_usd_per_hour : float, optional
            Highest price of the whole instance.
        secure : bool
            Leave out third parties' machines: community clouds and markets.
        launchable : bool
            Leave out what cannot be started as it is priced.

        Raises
        ------
        PricingError
            A name that no offer and no fact knows, with the nearest known ones.

        Examples
        --------
        >>> found = load_bundled().select(accelerators=["H100"], countries=["US"], purchase=["on_demand"], count=8)
        >>> [step.name.partition(" (")[0] for step in found.funnel]
        ['offers', 'H100', 'in a stated place', 'in US', 'on_demand', '8 accelerators']
        """
        left = self
        if wanted := [name for text in accelerators for name in resolve_all(text)]:
            names = {row.name for row in wanted}
            left = left.filtered(", ".join(accelerators), lambda offer: offer.accelerator in names)
        if providers := list(providers):
            chosen = names_among("provider", providers, {offer.provider for offer in self.offers})
            left = left.filtered(f"from {', '.join(sorted(chosen))}", lambda offer: offer.provider in chosen)
        if exclude_providers := list(exclude_providers):
            everyone = {offer.provider for offer in self.offers} | set(sellers())
            barred = names_among("provider", exclude_providers, everyone)
            left = left.filtered(f"not from {', '.join(sorted(barred))}", lambda offer: offer.provider not in barred)
        if regions := list(regions):
            places = names_among("region", regions, {offer.region for offer in self.offers})
            left = left.filtered(f"in {', '.join(sorted(places))}", lambda offer: offer.region in places)
        if countries := list(countries):
            lands = countries_named(countries)
            nowhere = sorted({offer.provider for offer in left.offers if not country_of(offer.provider, offer.region)})
            left = left.filtered(
                f"in a stated place (not stated by {_shortened(nowhere)})" if nowhere else "in a stated place",
                lambda offer: bool(country_of(offer.provider, offer.region)),
            )
            left = left.filtered(
                f"in {', '.join(countries)}", lambda offer: country_of(offer.provider, offer.region) in lands
            )
        if purchase := list(purchase):
            options = _purchase_options(purchase)
            name = ", ".join(str(option) for option in dict.fromkeys(purchase))
            left = left.filtered(name, lambda offer: offer.purchase_option in options)
        if count is not None:
            left = left.filtered(f"{count:g} accelerators", lambda offer: offer.accelerator_count == count)
        if min_memory_gib is not None:
            least_gib = min_memory_gib
            left = left.filtered(
                f"at least {least_gib:g} GiB an accelerator", lambda offer: self.accelerator_gib(offer) >= least_gib
            )
        if max_usd_per_hour is not None:
            most = max_usd_per_hour
            left = left.filtered(f"at most {most:g} USD an hour", lambda offer: offer.price_usd_per_hour <= most)
        if secure:
            left = left.filtered("in the provider's own data centers", lambda offer: not offer.shared_host)
        if launchable:
            left = left.filtered("launchable", lambda offer: offer.launchable is not Launchable.NO)
        return left

    def accelerator_gib(self, offer: Offer) -> float:
        """Return the usable memory of one accelerator of an offer, or of the slice that is sold; 0 without one."""
        if not offer.accelerator_count:
            return 0.0
        row = self.accelerators.get(offer.accelerator or "")
        if row is not None and offer.accelerator_count >= 1:
            return row.memory_gib
        if offer.accelerator_memory_gb is not None:
            return offer.accelerator_memory_gb * 1e9 / 2**30
        return row.memory_gib * offer.accelerator_count if row is not None else 0.0


CLOUD_NAMES = {
    "amazon": "aws",
    "amazon web services": "aws",
    "microsoft": "azure",
    "microsoft azure": "azure",
    "google": "gcp",
    "google cloud": "gcp",
    "google cloud platform": "gcp",
    "oracle": "oci",
    "oracle cloud": "oci",
}
"""How people and bills spell the large clouds, besides their short names."""


def names_among(what: str, names: Iterable[str], spellings: Iterable[str]) -> set[str]:
    """Return the known spelling of names that were written in any letter case.

    Raises
    ------
    PricingError
        All names that are not known, each with the nearest known ones.
    """
    by_lower = {name.lower(): name for name in spellings}
    chosen = set()
    faults = []
    for name in names:
        if name.lower() in by_lower:
            chosen.add(by_lower[name.lower()])
        else:
            cloud = CLOUD_NAMES.get(name.lower())
            near = [cloud] if cloud in by_lower else difflib.get_close_matches(name.lower(), by_lower, n=3, cutoff=0.5)
            faults.append(
                f"no offer is from {what} {name!r}"
                + (f"; did you mean {', '.join(by_lower[n] for n in near)}?" if near else "")
            )
    if faults:
        raise PricingError("\n  ".join(faults), hint=f"known: {', '.join(sorted(spellings))}")
    return chosen


def _shortened(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _purchase_options(words: Iterable[str | PurchaseOption]) -> set[PurchaseOption]:
    chosen: set[PurchaseOption] = set()
    for word in words:
        text = str(word).strip().lower().replace("-", "_")
        options = {o for o in PurchaseOption if o.value == text or (text in GROUPS and o.value.startswith(f"{text}_"))}
        if not options:
            names_sold = [*GROUPS, *(option.value for option in PurchaseOption)]
            raise PricingError(
                f"unknown purchase option {str(word)!r}{did_you_mean(text, names_sold)}",
                hint=f"known: {', '.join(names_sold)}",
            )
        chosen |= options
    return chosen


GROUPS = ("reserved", "savings_plan")
"""Words that stand for a product in all its terms."""


@cache
def load_bundled() -> Catalog:
    """Return the offers that the package ships.

    Examples
    --------
    >>> len(load_bundled()) > 4000
    True
    """
    offers = read_facts(Offer, "offers.csv")
    newest = max(offer.observed_on for offer in offers)
    return Catalog(offers=offers, snapshot=f"bundled-{newest.isoformat()}")
