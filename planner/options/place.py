"""The place where owned machines stand: its tariff and its grid."""

from __future__ import annotations

import difflib
from dataclasses import replace

from planner.assumptions import Assumptions
from planner.costs.carbon import grid_intensities
from planner.demand.have import SITES
from planner.demand.workload import Workload
from planner.errors import InputError
from pricing.electricity import electricity_tariff, electricity_tariffs
from pricing.errors import PricingError
from pricing.regions import countries_named

HOME_OF_THE_DEFAULTS = "US"
"""The bundled tariffs are American averages."""
LARGEST_MARKET = "DE"
"""Where in a group of countries (EU) a server would stand."""


def own_place(workload: Workload) -> str:
    """Return the country or state whose tariff and grid servers of one's own have.

    That is what the workload says; where it does not, the first of the countries that it has to stay in.

    Examples
    --------
    >>> hours = {"kind": "gpu_hours", "gpu_hours": {"gpu": "h100-sxm", "count": 8}, "constraints": {"countries": ["DE", "NL"]}}
    >>> own_place(Workload.model_validate(hours)), own_place(Workload.model_validate(hours | {"own": {"place": "NL"}}))
    ('DE', 'NL')
    """
    own = workload.own
    is_stated = ("country" if own.place in SITES else "place") in own.model_fields_set
    if is_stated or not workload.constraints.countries:
        return own.tariff_place
    places = electricity_tariffs().keys() | grid_intensities().keys()
    for name in workload.constraints.countries:
        try:
            codes = countries_named([name]) & places
        except PricingError:
            continue  # told with the other faults of the constraints
        if codes:
            return (
                own.tariff_place
                if own.tariff_place in codes
                else LARGEST_MARKET
                if LARGEST_MARKET in codes
                else min(codes)
            )
    return own.tariff_place


def assumptions_at(assumptions: Assumptions, place: str) -> Assumptions:
    """Return the assumptions with the electricity tariffs of a place; what the user has set stays.

    Colocation pays what businesses pay there, a home the higher end of it (households, where the source tells them).

    Parameters
    ----------
    assumptions : Assumptions
        Stated assumptions.
    place : str
        ISO country (``DE``) or a US state (``US-Texas``).

    Raises
    ------
    InputError
        Nothing is known of the place.

    Examples
    --------
    >>> from planner.assumptions import default_assumptions
    >>> assumptions_at(default_assumptions(), "US-Texas")["site.colocation.electricity_usd_per_kwh"]
    0.0882
    """
    if place == HOME_OF_THE_DEFAULTS:
        return assumptions
    places = {*electricity_tariffs(), *grid_intensities()}
    if place not in places:
        near = difflib.get_close_matches(place, sorted(places), n=3, cutoff=0.5)
        raise InputError(
            f"nothing is known of the place {place!r}" + (f"; did you mean {', '.join(near)}?" if near else ""),
            hint="an ISO country (DE) or a US state (US-Texas)",
            where="own.place",
        )
    tariff = electricity_tariff(place)
    rows = dict(assumptions.rows)
    for name, typical, high in (
        ("site.colocation.electricity_usd_per_kwh", tariff.energy_usd_per_kwh, tariff.high_usd_per_kwh),
        ("site.home.electricity_usd_per_kwh", tariff.high_usd_per_kwh, tariff.high_usd_per_kwh),
    ):
        row = rows[name]
        if not row.overridden:
            rows[name] = replace(
                row,
                value=typical,
                low=min(tariff.low_usd_per_kwh, typical),
                high=high,
                source=f"{tariff.place}: {tariff.source}",
                as_of=tariff.as_of,
                weak=tariff.weak,
                notes=tariff.notes,
            )
    return Assumptions(rows)
