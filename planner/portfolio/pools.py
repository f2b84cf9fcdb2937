"""Pools: machines of one kind that several workloads want, and what they cost together instead of apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.demand.profiles import week_of_rates
from planner.demand.workload import Diffusion, EmbedService, Profile, Serve, Video
from planner.mix.capacity import DemandCurve, TierKind
from planner.mix.cheapest import cheapest_mix
from planner.mix.from_catalog import tiers_of_offers
from planner.options.energy import own_place
from planner.options.option import OptionKind
from planner.portfolio.groups import Group
from planner.portfolio.market import Market
from planner.portfolio.option_table import OptionTable
from pricing.clock import HOURS_PER_MONTH
from pricing.errors import GpuplanError

HOURS_OF_WEEK = 168
LEAST_SHARERS = 2
MOST_POOLS = 50
"""Pools that are looked at; the rest costs least."""
USUAL_MONTHS = 36
MIX_TIME_LIMIT_S = 20.0
LEVELS = 400
"""A sum of many workloads is rounded up to so many steps of its peak: no program should be asked for more."""


@dataclass(slots=True)
class Pool:
    """Accelerators of one kind that workloads under the same constraints want.

    Attributes
    ----------
    workloads : int
        How many want them.
    usd_per_month : float
        What these pay apart.
    gpus_by_hour : FloatArray, shape (168,)
        Accelerators at work in each hour of the week, all workloads together.
    peak_gpus : float
        Accelerators that they take apart, each at its own busiest hour.
    """

    workloads: int = 0
    usd_per_month: float = 0.0
    gpus_by_hour: FloatArray = field(default_factory=lambda: np.zeros(HOURS_OF_WEEK))
    peak_gpus: float = 0.0

    def add(self, other: Pool) -> None:
        """Put another pool's workloads to these."""
        self.workloads += other.workloads
        self.usd_per_month += other.usd_per_month
        self.gpus_by_hour = self.gpus_by_hour + other.gpus_by_hour
        self.peak_gpus += other.peak_gpus


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What a pool costs together.

    Attributes
    ----------
    accelerator, place : str
        What is shared, and where it may stand, in words.
    workloads : int
        That share it.
    apart_gpus, peak_gpus, mean_gpus : float
        Accelerators that they take apart; at the busiest hour and in the mean when they share.
    apart_usd_per_month, together_usd_per_month : float
        The sum of their own choices, and the cheapest for all of them, shared or kept apart; None where no mix was found.
    owned_gpus, committed_gpus, on_demand_share : float
        What the mix takes: machines that are had all the time, and the share of the hours served without binding.
    note : str
        What the reader should know.
    """

    accelerator: str
    place: str
    workloads: int
    apart_gpus: float
    peak_gpus: float
    mean_gpus: float
    apart_usd_per_month: float
    together_usd_per_month: float | None = None
    owned_gpus: float = 0.0
    committed_gpus: float = 0.0
    on_demand_share: float = 0.0
    note: str = ""


def _week(profile: Profile, peak_over_mean: FloatArray, machine_count: FloatArray) -> FloatArray:
    """Return the machines at work in each hour of the week, shape (workloads, 168); see `planner.demand.profiles.elastic_shares`."""
    rates = week_of_rates(profile, peak_over_mean)
    needed = np.ceil(rates / rates.max(axis=1, keepdims=True) * machine_count[:, None] - 1e-9)
    return np.asarray(np.maximum(needed, 1.0))


def add_to_pools(pools: dict[str, Pool], group: Group, options: OptionTable, chosen: NDArray[np.intp]) -> None:
    """Add the accelerators of workloads that last; a job that is run once leaves nothing to share.

    Parameters
    ----------
    pools : dict of str to Pool
        By key, added to.
    group : Group
        Workloads of one shape under the same constraints.
    options, chosen : OptionTable, ndarray of int
        Their options, and what each takes.
    """
    first = group.first
    if first.runs_once or not options.listed:
        return
    columns = np.arange(len(chosen))
    lasts = np.isin(options.kind[chosen], [OptionKind.RENT.value, OptionKind.BUY.value]) & (chosen >= 0)
    limits = first.constraints
    place: dict[str, Any] = {
        "providers": limits.providers, "countries": limits.countries, "regions": limits.regions, "secure": limits.min_secure,
        "purchase": limits.purchase, "own": own_place(first), "months": first.horizon_months,
    }  # fmt: skip
    names = np.array([per_machine.accelerator or "" for per_machine in options.listed], dtype=object)
    for name in dict.fromkeys(names[chosen[lasts]]):
        mine = columns[lasts & (names[chosen] == name)]
        option = chosen[mine]
        count, per_machine = options.instance_count[option, mine], options.accelerator_count[option]
        if isinstance(first.work, Serve | EmbedService | Diffusion | Video):
            mean, peak = group.mean_per_s[mine], group.peak_per_s[mine]
            ratio = np.divide(peak, mean, out=np.ones_like(mean), where=mean > 0)
            by_hour = (_week(first.work.profile, ratio, count) * per_machine[:, None]).sum(axis=0)
        else:
            share = (
                group.hours_per_month[mine] / HOURS_PER_MONTH
                if not group.is_job
                else np.minimum(options.on_hours[option, mine] / HOURS_PER_MONTH, 1.0)
            )
            by_hour = np.full(HOURS_OF_WEEK, float((count * per_machine * share).sum()))
        key = json.dumps({"accelerator": name, **place}, sort_keys=True)
        pools.setdefault(key, Pool()).add(
            Pool(
                len(mine), float(options.usd_per_month[option, mine].sum()), by_hour, float((count * per_machine).sum())
            )
        )


def united(parts: Mapping[str, Pool], into: dict[str, Pool]) -> None:
    """Add pools of one part of the work to those of the whole."""
    for key, pool in parts.items():
        into.setdefault(key, Pool()).add(pool)


def shared_capacity(pools: Mapping[str, Pool], market: Market) -> tuple[Shared, ...]:
    """Return what pools of two or more workloads cost together, the dearest first.

    Parameters
    ----------
    pools : mapping of str to Pool
        From `add_to_pools`.
    market : Market
        Offers and assumptions.
    """
    worth = sorted(
        ((key, pool) for key, pool in pools.items() if pool.workloads >= LEAST_SHARERS),
        key=lambda item: (-item[1].usd_per_month, item[0]),
    )
    return tuple(_shared(key, pool, market) for key, pool in worth[:MOST_POOLS])


def _place(asked: Mapping[str, Any]) -> str:
    """Return what defines a pool: where its machines may be, and what else distinguishes it."""
    parts = [", ".join(asked[name]) for name in ("providers", "regions", "countries", "purchase") if asked[name]]
    said = "; ".join(parts) or "anywhere"
    extra = ["secure"] * bool(asked["secure"]) + [f"{asked['months']} months"] * (asked["months"] != USUAL_MONTHS)
    extra += [f"own in {asked['own']}"] * (asked["own"] != "US")
    return f"{said} ({', '.join(extra)})" if extra else said


def _shared(key: str, pool: Pool, market: Market) -> Shared:
    asked = json.loads(key)
    facts: dict[str, Any] = {
        "accelerator": asked["accelerator"],
        "place": _place(asked),
        "workloads": pool.workloads,
        "apart_gpus": pool.peak_gpus,
        "peak_gpus": float(pool.gpus_by_hour.max()),
        "mean_gpus": float(pool.gpus_by_hour.mean()),
        "apart_usd_per_month": pool.usd_per_month,
    }
    try:
        offers = market.catalog.select(
            accelerators=[asked["accelerator"]],
            providers=asked["providers"],
            countries=asked["countries"],
            regions=asked["regions"],
            purchase=asked["purchase"],
            secure=asked["secure"],
            launchable=True,
        )
        offers = offers.filtered("this accelerator", lambda offer: offer.accelerator == asked["accelerator"])
        servers = [
            server
            for server in market.servers
            if server.machine.accelerator and server.machine.accelerator.name == asked["accelerator"]
        ]
        tiers = tiers_of_offers(offers, servers, market.assumptions, months=asked["months"])
        step = float(np.ceil(pool.gpus_by_hour.max() / LEVELS))
        curve = DemandCurve(units=pool.gpus_by_hour).rounded_up(step if step > 1 else 0.0)
        mix = cheapest_mix(curve, tiers, time_limit_s=MIX_TIME_LIMIT_S)
    except GpuplanError as error:
        return Shared(**facts, note=error.message)
    by_name = {tier.name: tier for tier in tiers}
    had = {kind: sum(use.machines * by_name[use.name].units_per_machine for use in mix.tiers if by_name[use.name].kind is kind) for kind in TierKind}  # fmt: skip
    served = sum(use.unit_hours for use in mix.tiers)
    free = sum(use.unit_hours for use in mix.tiers if not by_name[use.name].is_chosen_once)
    weeks_per_month = market.assumptions["money.hours_per_month"] / HOURS_OF_WEEK
    together = mix.total_usd * weeks_per_month
    if together >= pool.usd_per_month:
        # Nobody has to share: together they cost no more than apart.
        return Shared(**facts, together_usd_per_month=pool.usd_per_month, note="kept separate: sharing is no cheaper")
    return Shared(
        **facts,
        together_usd_per_month=together,
        owned_gpus=had[TierKind.OWNED],
        committed_gpus=had[TierKind.COMMITTED],
        on_demand_share=free / served if served else 0.0,
    )
