"""Regions: where a provider's region lies, and in which countries and groups of countries one can look."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType

from pricing.errors import PricingError
from pricing.tables import read_facts, refuse_faults, refuse_unless_country

HOSTED = "hosted"
"""The region of a seller of tokens: where its endpoint for everyone computes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """A country, and the groups of countries that it belongs to.

    Attributes
    ----------
    country, name : str
        ISO 3166-1 alpha-2, and its English name.
    continent : str
        ``Europe``, ``North America`` (with Central America and the Caribbean) ...
    groups : tuple of str
        ``EU``, ``EEA``, ``APAC`` (Oceania, and Asia without its west).
    """

    country: str
    name: str
    continent: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One region of one provider.

    Attributes
    ----------
    provider, region : str
        The provider's own names, as in `pricing.facts.offers.Offer`.
    city : str
        City, state or county, as near as the provider says; empty where one price holds in several places.
    country : str or None
        ISO 3166-1 alpha-2; None where one price holds in several countries, or the provider does not say where.
    source : str
        Who says so.
    observed_on : date
        The day of the survey.
    weak : bool
        Whether it is recalled, not read.
    notes : str
        Traps.
    """

    provider: str
    region: str
    city: str = ""
    country: str | None = None
    source: str
    observed_on: date
    weak: bool = False
    notes: str = ""

    def __post_init__(self) -> None:
        refuse_faults(refuse_unless_country(self.country))


@cache
def regions() -> Mapping[tuple[str, str], Region]:
    """Return every known region by provider and region.

    Examples
    --------
    >>> regions()["aws", "eu-central-1"].country
    'DE'
    """
    return MappingProxyType({(row.provider, row.region): row for row in read_facts(Region, "regions.csv")})


@cache
def countries() -> Mapping[str, Country]:
    """Return every country by its code."""
    return MappingProxyType({row.country: row for row in read_facts(Country, "countries.csv")})


def country_of(provider: str, region: str) -> str | None:
    """Return the country of a region, None where it is not told; the regions of a market are its hosts' countries."""
    row = regions().get((provider, region))
    return row.country if row is not None else region if region in countries() else None


def country_of_seller(provider: str) -> str | None:
    """Return the country in which a seller of tokens computes, None where it is not told."""
    # Behind Hugging Face's router stands the seller that the listing names.
    return country_of(provider.removeprefix("huggingface_"), HOSTED)


@cache
def _codes_by_name() -> Mapping[str, frozenset[str]]:
    """Return the codes behind each code, name and group, in lower case."""
    members: dict[str, set[str]] = {"uk": {"GB"}, "usa": {"US"}}
    for row in countries().values():
        for name in (row.country, row.name, row.continent, *row.groups):
            members.setdefault(name.lower(), set()).add(row.country)
    return {name: frozenset(codes) for name, codes in members.items()}


def countries_named(names: Iterable[str]) -> frozenset[str]:
    """Return the codes of countries, continents and groups as people write them.

    Raises
    ------
    PricingError
        A name of neither, with the nearest known ones.

    Examples
    --------
    >>> sorted(countries_named(["fr", "Germany", "UK"]))
    ['DE', 'FR', 'GB']
    >>> "NO" in countries_named(["EEA"]), "NO" in countries_named(["EU"])
    (True, False)
    """
    codes_by_name = _codes_by_name()
    codes: set[str] = set()
    faults = []
    for name in names:
        key = " ".join(name.replace("-", " ").replace("_", " ").split()).lower()
        if key in codes_by_name:
            codes |= codes_by_name[key]
        else:
            near = difflib.get_close_matches(key, codes_by_name, n=2, cutoff=0.7)
            said = [word.upper() if len(word) <= 4 else word.title() for word in near]
            faults.append(f"unknown country {name!r}" + (f"; did you mean {' or '.join(said)}?" if said else ""))
    if faults:
        raise PricingError(
            "\n  ".join(faults),
            hint="write an ISO 3166 code (DE), a name (Germany), a continent (Europe, 'North America') or a group (EU, EEA, APAC)",
        )
    return frozenset(codes)
