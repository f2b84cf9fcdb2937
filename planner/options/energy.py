"""Energy of an option: what its machines draw, and what that emits."""

from __future__ import annotations

from planner.assumptions import Assumptions
from planner.costs.carbon import Footprint, footprint
from planner.costs.formulas import site_names
from planner.supply.machines import Machine
from pricing.regions import regions


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
