"""Regions: where a provider's region lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from pricing.checks import refuse_faults
from pricing.tables import read_facts

__all__ = ["Region", "country_of", "regions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One region of one provider.

    Attributes
    ----------
    provider, region : str
        The provider's own names, as in `pricing.offers.Offer`.
    display_name : str
        What people call it.
    city : str
        City, state or county, as near as the provider says; empty where one price holds in several places.
    country : str or None
        ISO 3166-1 alpha-2; None where one price holds in several countries, or the provider does not say where.
    source : str
        Who says so.
    """

    provider: str
    region: str
    display_name: str
    city: str = ""
    country: str | None = None
    source: str

    def __post_init__(self) -> None:
        faults = []
        if self.country is not None and not (
            len(self.country) == 2 and self.country.isalpha() and self.country.isupper()
        ):
            faults.append(f"country must be two capital letters (ISO 3166-1 alpha-2), got {self.country!r}")
        refuse_faults(faults)


@cache
def regions() -> Mapping[tuple[str, str], Region]:
    """Return every known region by provider and region.

    Examples
    --------
    >>> regions()["aws", "eu-central-1"].country
    'DE'
    """
    return MappingProxyType({(row.provider, row.region): row for row in read_facts(Region, "regions.csv")})


def country_of(provider: str, region: str) -> str | None:
    """Return the country of a region, None where it is not told."""
    row = regions().get((provider, region))
    return row.country if row is not None else None
