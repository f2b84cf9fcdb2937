"""Ownership: what it takes to own machines - servers, space, people, resale, electricity - with range, source and date."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType

from pricing.errors import PricingError
from pricing.facts.dates import first_day
from pricing.facts.regions import countries
from pricing.tables import read_facts, refuse_faults, refuse_unless_above_zero, refuse_unless_known

PRICE_KINDS = ("street", "quotation", "range", "list", "plan", "estimate", "derived")
STATUSES = ("", "on_sale", "phased_out", "not_yet", "used")


USD_PER_EUR_2024 = 1.0824
"""Average of 2024, European Central Bank euro reference rates; the tariffs in euro are of that year."""
CUSTOMERS = {
    "electricity": "commercial",
    "electricity_commercial": "commercial",
    "electricity_business": "business",
    "electricity_industrial": "industrial",
}
"""Key of the ownership input -> whose price it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnershipInput:
    """One figure of ownership, in the unit of its source.

    Attributes
    ----------
    input_id, key, category, scope : str
        Identity, what it is, of which kind, and where or for what it holds.
    low, typical, high : float or None
        In `unit`; None where not known.
    unit : str
        In words (``USD/kW/month``, ``ratio``, ``fraction``).
    source : str
        Who says so.
    as_of : str
        Year, month or day of the source, ISO 8601.
    weak : bool
        True where the source is second-hand or a judgement.
    notes : str
        Traps.
    """

    input_id: str
    key: str
    category: str
    scope: str
    low: float | None = None
    typical: float | None = None
    high: float | None = None
    unit: str
    source: str
    as_of: str
    weak: bool = False
    notes: str = ""

    def __post_init__(self) -> None:
        stated = [value for value in (self.low, self.typical, self.high) if value is not None]
        faults = [] if stated else ["low, typical and high are all missing"]
        if stated != sorted(stated):
            faults.append(f"low, typical and high must not fall, got {stated}")
        refuse_faults(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerQuote:
    """What a server with accelerators costs to buy.

    Attributes
    ----------
    name : str
        The server as the source names it.
    vendor : str
        Who makes or sells it; empty where the source does not say.
    accelerator : str
        Canonical name.
    accelerator_count : int
        In the server.
    price_usd, price_low_usd, price_high_usd : float
        Typical price and range; equal where the source gives one figure.
    price_kind : str
        ``street`` (sold for), ``quotation`` (offered to a buyer), ``range`` (only a range is known; the typical price is its
        middle), ``list`` (before discount: never compare it with street), ``plan`` or ``estimate`` (nobody sells at it), or
        ``derived`` (cards and overhead).
    status : str
        ``on_sale``, ``phased_out``, ``not_yet`` (announced or ordered ahead), ``used``; empty where the source does not say.
    complete : bool
        False for a baseboard that still needs its chassis.
    max_power_kw : float or None
        Highest draw of the whole server, from the data sheet or as back-solved by the source.
    source, as_of : str
        Who says so, and when.
    weak : bool
        True where the source is second-hand, derived or a judgement.
    notes : str
        Traps.
    """

    name: str
    vendor: str = ""
    accelerator: str
    accelerator_count: int
    price_usd: float
    price_low_usd: float
    price_high_usd: float
    price_kind: str
    status: str = ""
    complete: bool = True
    max_power_kw: float | None = None
    source: str
    as_of: str
    weak: bool = False
    notes: str = ""

    def __post_init__(self) -> None:
        faults = refuse_unless_above_zero(self, "accelerator_count", "price_usd", "price_low_usd", "max_power_kw")
        faults += refuse_unless_known(self, "price_kind", PRICE_KINDS)
        faults += refuse_unless_known(self, "status", STATUSES)
        refuse_faults(faults + _range_faults(self))

    @property
    def is_for_sale(self) -> bool:
        """Whether a whole server can be bought at about this price."""
        sold = self.price_kind in {"street", "quotation", "range", "derived"}
        return sold and self.complete and self.status in {"", "on_sale"}

    @property
    def is_firm(self) -> bool:
        """Whether somebody named this price for this server, and not a range or a rounded figure."""
        return self.price_kind in {"street", "quotation"} and not self.weak

    @property
    def day(self) -> date:
        """First day of the stated year or month."""
        return first_day(self.as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceleratorQuote:
    """What one accelerator costs to buy, without its server.

    Attributes
    ----------
    accelerator : str
        Canonical name.
    condition : str
        ``new`` or ``used``.
    price_usd, price_low_usd, price_high_usd : float
        Typical price (the middle of the range where the source gives only that) and range.
    source, as_of : str
        Who says so, and when.
    weak : bool
        True where the source is second-hand.
    notes : str
        Traps.
    """

    accelerator: str
    condition: str
    price_usd: float
    price_low_usd: float
    price_high_usd: float
    source: str
    as_of: str
    weak: bool = False
    notes: str = ""

    def __post_init__(self) -> None:
        faults = refuse_unless_above_zero(self, "price_usd", "price_low_usd")
        faults += refuse_unless_known(self, "condition", ("new", "used"))
        refuse_faults(faults + _range_faults(self))


def _range_faults(quote: ServerQuote | AcceleratorQuote) -> list[str]:
    """Say when a typical price lies outside of its own range."""
    low, usual, high = quote.price_low_usd, quote.price_usd, quote.price_high_usd
    return [] if low <= usual <= high else [f"price_usd {usual:g} must lie between {low:g} and {high:g}"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResaleQuote:
    """What a used accelerator brings, or a published share of its price when new.

    Attributes
    ----------
    accelerator : str
        Canonical name.
    basis : str
        ``sold``, ``asked`` (no sale came of it yet), or ``curve`` (a published share by age).
    price_usd, price_low_usd, price_high_usd : float or None
        Where a price is stated.
    age_months : int or None
        Time since the purchase, where it is stated.
    new_price_share : float or None
        Of the price when new, where it is stated.
    is_recalled : bool
        True where the source repeats what others said without showing it.
    source, as_of : str
        Who says so, and when.
    notes : str
        Traps.
    """

    accelerator: str
    basis: str
    price_usd: float | None = None
    price_low_usd: float | None = None
    price_high_usd: float | None = None
    age_months: int | None = None
    new_price_share: float | None = None
    is_recalled: bool = False
    source: str
    as_of: str
    notes: str = ""

    def __post_init__(self) -> None:
        faults = refuse_unless_above_zero(self, "price_usd", "price_low_usd", "age_months", "new_price_share")
        faults += refuse_unless_known(self, "basis", ("sold", "asked", "curve"))
        refuse_faults(faults)


@cache
def ownership_inputs() -> tuple[OwnershipInput, ...]:
    """Return every figure, in the order of its identity."""
    return read_facts(OwnershipInput, "ownership_inputs.csv")


@cache
def server_quotes() -> tuple[ServerQuote, ...]:
    """Return what whole servers were sold or listed for."""
    return read_facts(ServerQuote, "server_quotes.csv")


@cache
def accelerator_quotes() -> tuple[AcceleratorQuote, ...]:
    """Return what single accelerators were sold for, new and used."""
    return read_facts(AcceleratorQuote, "accelerator_quotes.csv")


def derived_quote(
    accelerator: str, accelerator_count: int, quotes: Iterable[AcceleratorQuote] | None = None
) -> ServerQuote:
    """Return what a server would cost by the price of its cards times the overhead of a server, marked as weak.

    Parameters
    ----------
    accelerator : str
        Canonical name.
    accelerator_count : int
        In the server.
    quotes : iterable of AcceleratorQuote, optional
        Prices of cards; the bundled ones by default.

    Raises
    ------
    PricingError
        No price of a new card is known.

    References
    ----------
    Epoch AI hardware prices: a server costs 1.54 to 1.69 times its cards over four generations (`server_overhead`).

    Examples
    --------
    >>> derived_quote("RTX 4090", 2).price_usd == 2 * 1417 * 1.64
    True
    """
    cards = [q for q in (quotes or accelerator_quotes()) if q.accelerator == accelerator and q.condition == "new"]
    if not cards:
        raise PricingError(
            f"no purchase price of {accelerator} is known", hint="state one: own.server_price_usd in the assumptions"
        )
    card = max(cards, key=lambda quote: first_day(quote.as_of))
    overhead = next(row for row in ownership_inputs() if row.key == "server_overhead")
    assert overhead.typical is not None
    scale_ratio = accelerator_count * overhead.typical
    return ServerQuote(
        name=f"server with {accelerator_count} x {accelerator}",
        accelerator=accelerator,
        accelerator_count=accelerator_count,
        price_usd=card.price_usd * scale_ratio,
        price_low_usd=card.price_low_usd * scale_ratio,
        price_high_usd=card.price_high_usd * scale_ratio,
        price_kind="derived",
        source=f"{card.source}; times {overhead.typical:g} for the server ({overhead.source})",
        as_of=card.as_of,
        weak=True,
        notes="made from the price of single cards",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectricityTariff:
    """What a kilowatt-hour costs in one place.

    Attributes
    ----------
    place : str
        ``US-Texas``, an ISO country (``DE``), ``EU``, ``US``, ``World`` or a continent.
    energy_usd_per_kwh, low_usd_per_kwh, high_usd_per_kwh : float
        For a business customer; low is industrial and high residential where the source tells them apart.
    customer : str
        ``commercial``, ``industrial`` or ``business``.
    source, as_of : str
        Who says so, and when.
    weak : bool
        True where the source is second-hand.
    notes : str
        Currency conversion and traps.
    """

    place: str
    energy_usd_per_kwh: float
    low_usd_per_kwh: float
    high_usd_per_kwh: float
    customer: str
    source: str
    as_of: str
    weak: bool = False
    notes: str = ""

    def __post_init__(self) -> None:
        refuse_faults(refuse_unless_above_zero(self, "energy_usd_per_kwh", "low_usd_per_kwh", "high_usd_per_kwh"))


@cache
def electricity_tariffs() -> Mapping[str, ElectricityTariff]:
    """Return the newest tariff of each place, in USD.

    Examples
    --------
    >>> electricity_tariffs()["US-Texas"].energy_usd_per_kwh
    0.0882
    """
    tariffs: dict[str, ElectricityTariff] = {}
    for row in sorted(ownership_inputs(), key=lambda row: row.as_of):
        if row.key not in CUSTOMERS or row.typical is None:
            continue
        customer = CUSTOMERS[row.key]
        if row.scope in tariffs and customer == "industrial" and tariffs[row.scope].customer != "industrial":
            continue  # a business customer's price describes a server room better
        usd_per_unit = USD_PER_EUR_2024 if row.unit.startswith("EUR") else 1.0
        currency = f"{USD_PER_EUR_2024} USD per EUR (ECB, average of 2024)" if row.unit.startswith("EUR") else ""
        typical, low, high = (
            round((row.typical if value is None else value) * usd_per_unit, 6)
            for value in (row.typical, row.low, row.high)
        )
        tariffs[row.scope] = ElectricityTariff(
            place=row.scope,
            energy_usd_per_kwh=typical,
            low_usd_per_kwh=low,
            high_usd_per_kwh=high,
            customer=customer,
            source=row.source,
            as_of=row.as_of,
            weak=row.weak,
            notes="; ".join(filter(None, (row.notes, currency))),
        )
    return MappingProxyType(dict(sorted(tariffs.items())))


def electricity_tariff(place: str) -> ElectricityTariff:
    """Return the tariff of a place, or of the nearest larger place that has one.

    Parameters
    ----------
    place : str
        ISO country (``DE``, ``US``), or a US state as ``US-Texas``.

    Examples
    --------
    >>> electricity_tariff("US-Guam").place, electricity_tariff("ES").place, electricity_tariff("JP").place
    ('US', 'EU', 'Asia')
    """
    tariffs = electricity_tariffs()
    country = place.split("-", maxsplit=1)[0]
    row = countries().get(country)
    larger = (*row.groups, row.continent) if row else ()
    return next(tariffs[name] for name in (place, country, *larger, "World") if name in tariffs)
