"""Ways: every option of every workload of a shape that may be recommended, with its money, as arrays.

Options that a single plan shows as hints are left out: no verdict takes them. What may be recommended is told by the same rules
as in `planner.options`; the tests hold both against each other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from planner.costs.api import usd_for_tokens
from planner.costs.buy import Site, fits_at_home
from planner.costs.spot import spot_overhead_ratio
from planner.demand.workload import Batch, Serve
from planner.options.free import UNDATED_READ_ON
from planner.options.option import OptionKind
from planner.options.rented import LONGEST_CAPACITY_BLOCK_HOURS, MOST_OF_A_DEADLINE_ON_SPOT
from planner.portfolio.market import Market, Shelf
from planner.portfolio.money import Hours, Purse
from planner.portfolio.shape import Group
from planner.portfolio.work import Work
from pricing.dates import first_day

__all__ = ["Ways", "ways_of"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


WORST_STRETCH = 1e12
"""Thousands of machines of which each can be taken back get no work done; the cost stays a number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Options by workload: axis 0 are options, in the order of their ids within each kind, axis 1 workloads.

    Attributes
    ----------
    kind : ndarray of str
        `planner.options.option.OptionKind` of each option.
    ids, provider, region, instance_type, purchase_option, accelerator, basis : tuple of str
        What each option is; empty where it does not apply.
    accelerator_count : FloatArray
        In one instance.
    priced_on : tuple of date
        Dates of the prices.
    offer : ndarray of int
        Row of the shelf's offers, -1 where it is none; that of the shelf's servers for what is owned.
    is_open : BoolArray
        Whether it may be recommended.
    present_value_usd, usd_per_month : FloatArray
        Its money; infinite where it is not open.
    instance_count, hours_per_run, on_hours : FloatArray
        Machines, hours of one run (NaN for work that never ends), hours on in each month (in all, for a run).
    bridge_usd_per_month : FloatArray, shape (workloads,)
        Rent until delivery; NaN where nothing can be rented.
    is_affordable_at_all : ndarray of bool, shape (workloads,)
        Whether some option would be open with any budget.
    """

    kind: NDArray[np.str_]
    ids: tuple[str, ...]
    provider: tuple[str, ...]
    region: tuple[str, ...]
    instance_type: tuple[str, ...]
    purchase_option: tuple[str, ...]
    accelerator: tuple[str, ...]
    basis: tuple[str, ...]
    accelerator_count: FloatArray
    priced_on: tuple[date, ...]
    offer: NDArray[np.intp]
    is_open: BoolArray
    present_value_usd: FloatArray
    usd_per_month: FloatArray
    instance_count: FloatArray
    hours_per_run: FloatArray
    on_hours: FloatArray
    bridge_usd_per_month: FloatArray
    is_affordable_at_all: BoolArray


@dataclass(slots=True)
class _Part:
    """Options of one way to have machines."""

    kind: list[str]
    ids: list[str]
    provider: list[str]
    region: list[str]
    instance_type: list[str]
    purchase_option: list[str]
    accelerator: list[str]
    basis: list[str]
    accelerator_count: FloatArray
    priced_on: list[date]
    offer: NDArray[np.intp]
    is_open: BoolArray
    usd: FloatArray  # (2, options, workloads): present value, and the mean of a month
    instance_count: FloatArray
    hours_per_run: FloatArray
    on_hours: FloatArray


def ways_of(group: Group, shelf: Shelf, work: Work, purse: Purse, market: Market) -> Ways:
    """Return the options of a group that may be recommended.

    Parameters
    ----------
    group : Group
        Workloads of one shape under the same constraints.
    shelf : Shelf
        What the constraints leave.
    work : Work
        The group's work on the shelf's machines.
    purse : Purse
        How money is counted.
    market : Market
        Sellers by the token, and the rest.
    """
    rented = _rented(group, shelf, work, purse)
    binds_no_one = shelf.on_demand[rented.offer][:, None] & rented.is_open
    bridge = np.where(binds_no_one, rented.usd[1], np.inf).min(axis=0, initial=np.inf)
    parts = [
        rented,
        _owned(group, shelf, work, purse, bridge),
        _hosted(group, purse, market),
        _free(group, shelf, work),
    ]
    kind = np.array([name for part in parts for name in part.kind], dtype="<U8")
    basis = tuple(name for part in parts for name in part.basis)
    usd = np.concatenate([part.usd for part in parts], axis=1)
    is_open = np.concatenate([part.is_open for part in parts])
    is_open &= ~_without_ground(kind, basis, is_open)
    is_possible = np.asarray(is_open.any(axis=0), dtype=bool)
    is_open &= usd[1] <= group.max_usd_per_month
    return Ways(
        kind=kind,
        ids=tuple(name for part in parts for name in part.ids),
        provider=tuple(name for part in parts for name in part.provider),
        region=tuple(name for part in parts for name in part.region),
        instance_type=tuple(name for part in parts for name in part.instance_type),
        purchase_option=tuple(name for part in parts for name in part.purchase_option),
        accelerator=tuple(name for part in parts for name in part.accelerator),
        basis=basis,
        accelerator_count=np.concatenate([part.accelerator_count for part in parts]),
        priced_on=tuple(day for part in parts for day in part.priced_on),
        offer=np.concatenate([part.offer for part in parts]),
        is_open=is_open,
        present_value_usd=np.where(is_open, usd[0], np.inf),
        usd_per_month=np.where(is_open, usd[1], np.inf),
        instance_count=np.concatenate([part.instance_count for part in parts]),
        hours_per_run=np.concatenate([part.hours_per_run for part in parts]),
        on_hours=np.concatenate([part.on_hours for part in parts]),
        bridge_usd_per_month=np.where(np.isfinite(bridge), bridge, np.nan),
        is_affordable_at_all=is_possible,
    )


def _without_ground(kind: NDArray[np.str_], basis: Sequence[str], is_open: BoolArray) -> BoolArray:
    """Return which options rest on extrapolated speed while a rent on measured ground is open (`planner.ranking`)."""
    extrapolated = np.array([one == "extrapolated" for one in basis], dtype=bool)
    is_rent = np.asarray(kind == OptionKind.RENT.value, dtype=bool)
    grounded = (is_open & (is_rent & ~extrapolated)[:, None]).any(axis=0)
    concerned: BoolArray = np.asarray(extrapolated & (is_rent | (kind == OptionKind.BUY.value)), dtype=bool)
    return np.asarray(concerned[:, None] & grounded)


def _rented(group: Group, shelf: Shelf, work: Work, purse: Purse) -> _Part:
    """Return rented machines, with or without accelerators (`planner.options.rented`)."""
    endless = not group.is_job
    keep = ~shelf.is_stranger
    if endless:
        keep &= ~shelf.is_block & (~shelf.interruptible | shelf.asked_for)
    possible: BoolArray = np.asarray((work.rented_count > 0).any(axis=1), dtype=bool)
    keep &= possible[shelf.machine]
    offer = np.flatnonzero(keep)
    machine = shelf.machine[offer]
    count, busy = work.rented_count[machine], work.busy_hours[machine]
    hours = Hours(on=work.rented.on[machine], once=work.rented.once, last_month=work.rented.last_month[machine])
    is_open = count > 0
    stretch = np.ones(count.shape)
    if group.is_job:
        taken = shelf.interruptible[offer]
        # A service runs on while one machine is replaced by another; a job loses what it did since its last checkpoint.
        if taken.any():
            ratio = spot_overhead_ratio(
                checkpoint_hours=purse.beliefs["rent.spot_checkpoint_hours"],
                hours_between_of_one=purse.beliefs["rent.spot_hours_between_interruptions"],
                restart_hours=purse.beliefs["rent.spot_restart_hours"],
                instance_count=np.maximum(count[taken], 1.0),
            )
            stretch[taken] = np.minimum(ratio, WORST_STRETCH)
        deadline = group.deadline_hours
        risky = (count > 1) | (busy * stretch > deadline * MOST_OF_A_DEADLINE_ON_SPOT)
        unasked = (taken & ~shelf.asked_for[offer])[:, None]
        is_open &= ~(unasked & risky & np.isfinite(deadline))
        is_open &= ~(shelf.is_block[offer][:, None] & (busy > LONGEST_CAPACITY_BLOCK_HOURS))
    usd = _rents_usd(shelf, offer, count, hours, stretch, purse) + _kept_usd(purse, hours)
    usd[1] /= hours.last_month if hours.once else purse.months
    offers = [shelf.offers[row] for row in offer]
    return _Part(
        kind=[OptionKind.CPU.value if shelf.is_cpu[row] else OptionKind.RENT.value for row in offer],
        ids=[shelf.ids[row] for row in offer],
        provider=[one.provider for one in offers],
        region=[one.region for one in offers],
        instance_type=[one.instance_type for one in offers],
        purchase_option=[one.purchase_option.value for one in offers],
        accelerator=[one.accelerator or "" for one in offers],
        basis=[work.fleets.basis[row] for row in machine],
        accelerator_count=np.array([shelf.machines[row].accelerator_count for row in machine], dtype=float),
        priced_on=[one.observed_on for one in offers],
        offer=offer,
        is_open=is_open,
        usd=usd,
        instance_count=count,
        hours_per_run=busy * stretch if group.is_job else np.full(count.shape, np.nan),
        on_hours=hours.on,
    )


def _kept_usd(purse: Purse, hours: Hours) -> FloatArray:
    return purse.storage(hours)


def _rents_usd(
    shelf: Shelf, offer: NDArray[np.intp], count: FloatArray, hours: Hours, stretch: FloatArray, purse: Purse
) -> FloatArray:
    """Return what the machines cost without storage, shape (2, offers, workloads)."""
    usd = np.zeros((2, *count.shape))
    price, upfront, term = shelf.price[offer], shelf.upfront[offer], shelf.term_months[offer]
    step, ahead = shelf.step_hours[offer], shelf.is_block[offer]
    for in_advance in (False, True):
        mine = np.flatnonzero((term == 0) & (ahead == in_advance))
        if mine.size:
            part = Hours(on=hours.on[mine], once=hours.once, last_month=hours.last_month[mine])
            usd[:, mine] = purse.used(
                price[mine, None] * count[mine], part, stretch[mine], step[mine, None], in_advance=in_advance
            )
            usd[:, mine] += (upfront[mine, None] * count[mine]) * purse.upfront_ratio
    mine = np.flatnonzero(term > 0)
    if mine.size and not hours.once:
        each = purse.committed(price[mine], upfront[mine], term[mine], purse.months)
        usd[:, mine] = each[:, :, None] * count[mine]
    elif mine.size:
        begun = np.clip(np.ceil(hours.on[mine] / purse.hours_per_month), 1, purse.months)
        for working in np.unique(begun):
            each = purse.committed(price[mine], upfront[mine], term[mine], int(working))
            usd[:, mine] = np.where(begun == working, each[:, :, None] * count[mine], usd[:, mine])
    return usd


def _owned(group: Group, shelf: Shelf, work: Work, purse: Purse, bridge: FloatArray) -> _Part:
    """Return owned servers (`planner.options.owned`); nobody buys one for a job that is run once."""
    lead = round(purse.beliefs["own.lead_time_months"])
    open_ways: list[tuple[str, int, Site]] = []
    if not group.first.runs_once and lead < purse.months:
        # A service needs a second power feed and someone on call, which a home has not.
        sites = [site for site in get_args(Site) if site != "home" or group.is_job]
        open_ways = sorted(
            (f"own/{server.name}/{site}", row, site)
            for row, server in enumerate(shelf.servers)
            if (work.owned_count[shelf.server_machine[row]] > 0).any()
            for site in sites
        )
    shape = (len(open_ways), len(group.workloads))
    usd, counts, hours = np.zeros((2, *shape)), np.zeros(shape), np.zeros(shape)
    on, is_open = np.zeros(shape), np.zeros(shape, dtype=bool)
    rent_until = np.where(np.isfinite(bridge), bridge, 0.0) if lead else np.zeros(len(group.workloads))
    for site in dict.fromkeys(site for _, _, site in open_ways):
        at = np.array([index for index, way in enumerate(open_ways) if way[2] == site], dtype=np.intp)
        some = [shelf.servers[open_ways[index][1]] for index in at]
        machine = np.array([shelf.server_machine[open_ways[index][1]] for index in at], dtype=np.intp)
        counts[at], hours[at], on[at] = work.owned_count[machine], work.busy_hours[machine], work.owned.on[machine]
        is_open[at] = counts[at] > 0
        if site == "home":
            max_kw = np.array([server.max_kw for server in some])[:, None]
            is_open[at] &= fits_at_home(counts[at], max_kw, purse.beliefs)
        busy = np.where(is_open[at], work.busy_share[machine], 0.0)
        usd[:, at] = purse.owned(some, site, counts[at], busy, rent_until, lead)
    usd[1] /= purse.months
    servers = [shelf.servers[row] for _, row, _ in open_ways]
    return _Part(
        kind=[OptionKind.BUY.value] * len(open_ways),
        ids=[name for name, _, _ in open_ways],
        provider=["own"] * len(open_ways),
        region=["at home" if site == "home" else "in colocation" for _, _, site in open_ways],
        instance_type=[server.name for server in servers],
        purchase_option=["purchase"] * len(open_ways),
        accelerator=[server.machine.accelerator.name if server.machine.accelerator else "" for server in servers],
        basis=[work.fleets.basis[shelf.server_machine[row]] for _, row, _ in open_ways],
        accelerator_count=np.array([server.machine.accelerator_count for server in servers], dtype=float),
        priced_on=[server.priced_on for server in servers],
        offer=np.array([row for _, row, _ in open_ways], dtype=np.intp),
        is_open=is_open,
        usd=usd,
        instance_count=counts,
        hours_per_run=hours if group.is_job else np.full(shape, np.nan),
        on_hours=on,
    )


def _hosted(group: Group, purse: Purse, market: Market) -> _Part:
    """Return sellers by the token (`planner.options.hosted`)."""
    named = group.first.constraints.providers
    work = group.first.work
    hit_share = work.prefix_cache_hit_share if isinstance(work, Serve | Batch) else 0.0
    sellers = sorted(
        (price for price in market.sellers(group.first) if not named or price.provider in named),
        key=lambda price: f"api/{price.provider}/{price.model_id}",
    )
    shape = (len(sellers), len(group.workloads))
    usd = np.zeros((2, *shape))
    runs = group.runs_per_month
    for index, price in enumerate(sellers):
        per_run = np.asarray(
            usd_for_tokens(
                input_tokens=group.input_tokens,
                output_tokens=group.output_tokens,
                input_usd_per_million_tokens=price.input_usd_per_million_tokens,
                output_usd_per_million_tokens=price.output_usd_per_million_tokens,
                cached_input_usd_per_million_tokens=price.cached_input_usd_per_million_tokens,
                prefix_cache_hit_share=hit_share,
            )
        )
        monthly = per_run * runs * purse.kept[:, purse.months][:, None]
        usd[:, index] = np.where(runs > 0, monthly, per_run * purse.kept[:, 1][:, None])
    usd[1] /= np.where(runs > 0, purse.months, 1)
    none = [""] * len(sellers)
    return _Part(
        kind=[OptionKind.API.value] * len(sellers),
        ids=[f"api/{price.provider}/{price.model_id}" for price in sellers],
        provider=[price.provider for price in sellers],
        region=none,
        instance_type=[price.model_id for price in sellers],
        purchase_option=["per_token"] * len(sellers),
        accelerator=none,
        basis=none,
        accelerator_count=np.zeros(len(sellers)),
        priced_on=[price.priced_on for price in sellers],
        offer=np.full(len(sellers), -1, dtype=np.intp),
        is_open=np.ones(shape, dtype=bool),
        usd=usd,
        instance_count=np.zeros(shape),
        hours_per_run=np.full(shape, np.nan),
        on_hours=np.zeros(shape),
    )


def _free(group: Group, shelf: Shelf, work: Work) -> _Part:
    """Return free tiers under whose cap one machine does the job (`planner.options.free`)."""
    lent = []
    if group.is_job and not group.first.constraints.providers:
        for row, one in enumerate(shelf.lent):
            tier, chip = one.tier, one.machine.accelerator
            # Unpublished caps, credits and processors for other programs are hints.
            if tier.quota_hours is not None and tier.kind != "credit" and not (chip and chip.vendor == "Google"):
                name = f"free/{tier.service}/{tier.plan}/{tier.accelerator}".replace(" ", "-")
                lent.append((name, row))
    lent.sort()
    shape = (len(lent), len(group.workloads))
    is_open, counts, hours = np.zeros(shape, dtype=bool), np.zeros(shape), np.zeros(shape)
    for index, (_, row) in enumerate(lent):
        tier, machine = shelf.lent[row].tier, shelf.lent_machine[row]
        busy, runs = work.busy_hours[machine], np.where(group.runs_per_month > 0, group.runs_per_month, 1.0)
        most = min(tier.quota_hours or 0.0, tier.max_session_hours or math.inf)
        # A cap counts one machine's hours, so one machine has to do a run.
        fits = (work.fleets.instance_count[machine] == 1) & (busy <= most)
        is_open[index] = fits & (busy * runs <= (tier.quota_hours_per_month or 0.0))
        counts[index], hours[index] = work.owned_count[machine], busy
    tiers = [shelf.lent[row].tier for _, row in lent]
    return _Part(
        kind=[OptionKind.FREE.value] * len(lent),
        ids=[name for name, _ in lent],
        provider=[f"{tier.service} ({tier.plan})" if tier.plan else tier.service for tier in tiers],
        region=[""] * len(lent),
        instance_type=["notebook" if tier.kind == "quota" else "credit" for tier in tiers],
        purchase_option=["free"] * len(lent),
        accelerator=[tier.accelerator or "" for tier in tiers],
        basis=[work.fleets.basis[shelf.lent_machine[row]] for _, row in lent],
        accelerator_count=np.array([shelf.lent[row].machine.accelerator_count for _, row in lent], dtype=float),
        priced_on=[first_day(tier.as_of) if tier.as_of else UNDATED_READ_ON for tier in tiers],
        offer=np.full(len(lent), -1, dtype=np.intp),
        is_open=is_open,
        usd=np.zeros((2, *shape)),
        instance_count=counts,
        hours_per_run=hours,
        on_hours=np.zeros(shape),
    )
