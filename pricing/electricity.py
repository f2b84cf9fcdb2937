"""Electricity: what a kilowatt-hour costs a business, place by place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from pricing.checks import refuse_faults, refuse_unless_above_zero
from pricing.ownership import ownership_inputs
from pricing.regions import countries

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
