"""Energy of an option: the tariff and the grid where its machines stand, what they draw, and what that emits."""

from __future__ import annotations

import difflib
from dataclasses import replace

from planner.assumptions import Assumptions
from planner.costs.carbon import Footprint, footprint, grid_intensities
from planner.costs.formulas import site_names
from planner.demand.have import SITES
from planner.demand.workload import Workload
from planner.errors import InputError
from planner.supply.machines import Machine
from pricing.errors import PricingError
from pricing.facts.ownership import electricity_tariff, electricity_tariffs
from pricing.facts.regions import countries_named, regions

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


def machine_max_kw(machine: Machine, assumptions: Assumptions) -> float | None:
    """Return the highest draw of a machine, worked out from its accelerators or else its cores; None where neither is known."""
    accelerator = machine.accelerator
    if accelerator is None:
        cores = machine.physical_cores or (machine.vcpus or 0.0) / 2.0
        return cores * assumptions["rent.cpu_w_per_core"] / 1000 if cores else None
    if accelerator.tdp_w is None:
        return None
    host = "own.host_w_per_gpu" if accelerator.market_class == "datacenter" else "own.workstation_host_w_per_gpu"
    return machine.accelerator_count * (accelerator.tdp_w + assumptions[host]) / 1000


def rented_footprint(
    machine: Machine,
    provider: str,
    region: str,
    *,
    machine_hours_per_month: float,
    busy_share: float,
    assumptions: Assumptions,
) -> Footprint | None:
    """Return energy and emissions of rented machines; None where nobody states what they draw.

    Parameters
    ----------
    machine : Machine
        The sort.
    provider, region : str
        Tell the grid.
    machine_hours_per_month : float
        Hours paid, all instances together.
    busy_share : float
        Share of these in which they work.
    assumptions : Assumptions
        Power shares and overhead of a cloud's site.
    """
    max_kw = machine_max_kw(machine, assumptions)
    if max_kw is None:
        return None
    row = regions().get((provider, region))
    return footprint(
        max_kw=max_kw,
        instance_count=1,
        hours_per_month=machine_hours_per_month,
        busy_share=busy_share,
        pue_ratio=assumptions["rent.pue_ratio"],
        place=(row.country if row else "") or "",
        idle_power_share=assumptions["own.idle_power_share"],
        busy_power_share=assumptions["own.busy_power_share"],
    )


def owned_footprint(
    max_kw: float, site: str, place: str, *, server_count: int, busy_share: float, assumptions: Assumptions
) -> Footprint:
    """Return energy and emissions of owned servers, which are always on, from the grid of a place."""
    return footprint(
        max_kw=max_kw,
        instance_count=server_count,
        hours_per_month=assumptions["money.hours_per_month"],
        busy_share=busy_share,
        pue_ratio=assumptions[site_names(site)["site.pue_ratio"]],
        place=place,
        idle_power_share=assumptions["own.idle_power_share"],
        busy_power_share=assumptions["own.busy_power_share"],
    )
