"""Energy and carbon beside the money: kilowatt-hours of an option, and what the grid emits for them.

Counted is the electricity of running (scope 2, and the cloud's share of it), by what the grid of the place emits on
average over a year. Making the hardware is not counted, nor what a provider buys in certificates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

import numpy as np

from planner.costs.servers import server_power_kw
from planner.errors import PlanningError
from pricing.tables import read_facts


@dataclass(frozen=True, slots=True, kw_only=True)
class GridIntensity:
    """What a kilowatt-hour emits in one place.

    Attributes
    ----------
    place : str
        An ISO country (``DE``), or ``World``.
    g_co2e_per_kwh : float
        Grams of CO2 equivalent per kilowatt-hour, mean of the year.
    basis : str
        ``life_cycle``: building plants and bringing fuel is counted, not only what leaves the chimney.
    year : int or None
        Of the electricity; None where the source does not say.
    source, source_url, retrieved_on : str
        Who says so, and when it was read.
    """

    place: str
    g_co2e_per_kwh: float
    basis: str
    year: int | None
    source: str
    source_url: str
    retrieved_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Electricity and emissions of an option in a month.

    Attributes
    ----------
    kwh_per_month, co2e_kg_per_month : float
        Of the whole fleet, the site's overhead counted.
    grid : GridIntensity
        What the emissions rest on.
    """

    kwh_per_month: float
    co2e_kg_per_month: float
    grid: GridIntensity


@cache
def grid_intensities() -> Mapping[str, GridIntensity]:
    """Return what a kilowatt-hour emits, by place."""
    rows = read_facts(GridIntensity, "grid_intensity.csv", "planner")
    return MappingProxyType({row.place: row for row in rows})


def grid_intensity(place: str) -> GridIntensity:
    """Return what a kilowatt-hour emits in the country of a place, or in the world where it is not known.

    All of them are on one basis, so that options compare: the mean of a country's year, including the building of plants and the fuel supply.
    Figures of single states and of providers' regions are on other bases (chimneys alone; what a provider states), and are not mixed in.

    Examples
    --------
    >>> grid_intensity("SE").g_co2e_per_kwh < grid_intensity("PL").g_co2e_per_kwh
    True
    >>> grid_intensity("US-Texas").place, grid_intensity("").place
    ('US', 'World')
    """
    by_place = grid_intensities()
    return next(by_place[name] for name in (place.split("-", maxsplit=1)[0], "World") if name in by_place)


def footprint(
    *,
    max_kw: float,
    instance_count: float,
    hours_per_month: float,
    busy_share: float,
    pue_ratio: float,
    place: str,
    idle_power_share: float = 0.25,
    busy_power_share: float = 0.75,
) -> Footprint:
    """Return the electricity and emissions of machines in a month.

    Parameters
    ----------
    max_kw : float
        Highest draw of one machine with its host.
    instance_count : float
        Machines.
    hours_per_month : float
        Hours in which each of them is on: those paid for a rented one, all for an owned one.
    busy_share : float
        Share of these hours in which it works.
    pue_ratio : float
        Power of the site over power of its machines.
    place : str
        See `grid_intensity`.
    idle_power_share, busy_power_share : float
        Draw of a waiting and of a working machine over its highest.

    Returns
    -------
    Footprint

    Raises
    ------
    PlanningError
        If an amount is negative or a share lies outside 0..1.

    Examples
    --------
    >>> eight = footprint(max_kw=10.2, instance_count=1, hours_per_month=730, busy_share=1.0, pue_ratio=1.1, place="FR")
    >>> round(eight.kwh_per_month), round(eight.co2e_kg_per_month)
    (6143, 344)
    """
    if not (max_kw >= 0 and instance_count >= 0 and hours_per_month >= 0 and pue_ratio >= 1 and 0 <= busy_share <= 1):
        raise PlanningError(
            "power, machines and hours must not be negative, the busy share lies in 0..1, the site's ratio is at least 1"
        )
    kw = float(np.asarray(server_power_kw(max_kw, busy_share, idle_power_share, busy_power_share)))
    kwh = kw * instance_count * hours_per_month * pue_ratio
    grid = grid_intensity(place)
    return Footprint(kwh_per_month=kwh, co2e_kg_per_month=kwh * grid.g_co2e_per_kwh / 1000.0, grid=grid)
