"""Every option of every workload of a shape that may be recommended, with its money, as arrays.

Options that a single plan does not recommend are left out: no verdict takes them. What may be recommended is told by the same rules
as in `planner.options`; the tests hold both against each other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from planner.costs.buy import capex_usd, fits_at_home
from planner.costs.financing import financing_of
from planner.costs.inputs import Site
from planner.costs.spot import spot_overhead_ratio
from planner.options.evidence import MOST_STALENESS, against_token_seller
from planner.options.hosted import admitted_sellers, per_run_usd, token_option_id
from planner.options.option import LONGEST_FREE_TERM_MONTHS, OptionKind
from planner.options.owned import ANYWHERE, OWNED_BY, REGIONS, is_licensed, needs_a_second
from planner.options.rented import MOST_BLOCK_HOURS, MOST_BLOCK_INSTANCES, MOST_OF_A_DEADLINE_ON_SPOT
from planner.portfolio.groups import Group
from planner.portfolio.market import AllowedMarket, Market
from planner.portfolio.money import HorizonCosts, Hours
from planner.portfolio.option_table import Bridges, OptionsOfKind, OptionTable
from planner.portfolio.rents import cheapest_bridges, rents_usd, until_delivery_usd
from planner.portfolio.work import Work
from planner.verdict.ranking import outranked
from pricing.units import HOURS_PER_MONTH

__all__ = ["option_table"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


WORST_STRETCH = 1e12
"""Thousands of machines of which each can be taken back get no work done; the cost stays a number."""


def option_table(group: Group, allowed: AllowedMarket, work: Work, costs: HorizonCosts, market: Market) -> OptionTable:
    """Return the options of a group that may be recommended.

    Parameters
    ----------
    group : Group
        Workloads of one shape under the same constraints.
    allowed : AllowedMarket
        What the constraints leave.
    work : Work
        The group's work on the allowed market's machines.
    costs : HorizonCosts
        How money is counted.
    market : Market
        Sellers by the token, and the rest.
    """
    until = market.costs_until_delivery(group.first)
    rented, until_usd = _rented(group, allowed, work, costs, until)
    hosted = _hosted(group, costs, market)
    bridge = cheapest_bridges(group, rented.offer, until_usd, hosted.usd[1], until)
    parts = [
        rented,
        _owned(group, allowed, work, costs, bridge, until.months),
        hosted,
        _free(group, allowed, work),
    ]
    kind = np.array([name for part in parts for name in part.kind], dtype="<U8")
    basis = tuple(name for part in parts for name in part.basis)
    usd = np.concatenate([part.usd for part in parts], axis=1)
    is_open = np.concatenate([part.is_open for part in parts])
    counts = np.concatenate([part.instance_count for part in parts])
    per_machine = np.concatenate([part.accelerator_count for part in parts])
    binds = np.asarray(kind == OptionKind.BUY.value, dtype=bool)
    binds[: len(rented.offer)] = allowed.term_months[rented.offer] > LONGEST_FREE_TERM_MONTHS
    is_rent = np.asarray(kind == OptionKind.RENT.value, dtype=bool)[:, None]
    months = np.ceil(rented.hours_per_run / HOURS_PER_MONTH) if group.first.runs_once else np.array(np.inf)
    most = np.full(len(kind), np.inf)
    most[: len(rented.offer)] = allowed.most_accelerators[rented.offer]
    too_many = counts * per_machine[:, None] > most[:, None]
    is_listed = (most >= costs.assumptions["evidence.on_demand_accelerators"])[:, None]
    for weak in (*_weaknesses(kind, basis, allowed, rented.offer, counts.shape, months), too_many):
        is_open &= ~outranked(weak, is_open, is_rent, usd[0], is_listed & (weak is too_many), costs.assumptions)
    is_possible = np.asarray(is_open.any(axis=0), dtype=bool)
    is_open &= usd[1] <= group.max_usd_per_month
    return OptionTable(
        kind=kind,
        ids=tuple(name for part in parts for name in part.ids),
        provider=tuple(name for part in parts for name in part.provider),
        region=tuple(name for part in parts for name in part.region),
        instance_type=tuple(name for part in parts for name in part.instance_type),
        purchase_option=tuple(name for part in parts for name in part.purchase_option),
        accelerator=tuple(name for part in parts for name in part.accelerator),
        basis=basis,
        accelerator_count=per_machine,
        binds=binds,
        priced_on=tuple(day for part in parts for day in part.priced_on),
        offer=np.concatenate([part.offer for part in parts]),
        is_open=is_open,
        present_value_usd=np.where(is_open, usd[0], np.inf),
        usd_per_month=np.where(is_open, usd[1], np.inf),
        instance_count=counts,
        hours_per_run=np.concatenate([part.hours_per_run for part in parts]),
        on_hours=np.concatenate([part.on_hours for part in parts]),
        bridge=bridge,
        is_affordable_at_all=is_possible,
    )


def _weaknesses(
    kind: NDArray[np.str_],
    basis: Sequence[str],
    allowed: AllowedMarket,
    offer: NDArray[np.intp],
    shape: tuple[int, ...],
    run_months: FloatArray,
) -> Iterator[BoolArray]:
    """Yield all but the last of `planner.verdict.ranking.WEAKNESSES`, shape (options, workloads); the offers' options first."""
    extrapolated = np.array([name == "extrapolated" for name in basis], dtype=bool)
    extrapolated &= np.isin(kind, [OptionKind.RENT.value, OptionKind.BUY.value])
    outlasts = np.zeros(shape, dtype=bool)
    outlasts[: len(offer)] = allowed.term_months[offer][:, None] > run_months
    yield outlasts
    yield np.broadcast_to(extrapolated[:, None], shape)
    older = (allowed.staleness_count >= least for least in range(MOST_STALENESS, 0, -1))
    for weak in (allowed.is_floor_price, *older):
        is_weak = np.zeros(len(kind), dtype=bool)
        is_weak[: len(offer)] = weak[offer]
        yield np.broadcast_to(is_weak[:, None], shape)


def _rented(
    group: Group, allowed: AllowedMarket, work: Work, costs: HorizonCosts, until: HorizonCosts
) -> tuple[OptionsOfKind, FloatArray]:
    """Return rented machines, with or without accelerators (`planner.options.rented`), and what they cost until delivery."""
    endless = not group.is_job
    keep = ~allowed.is_barred
    if group.first.kind != "gpu_hours":
        keep &= ~allowed.needs_xla
    if endless:
        keep &= ~allowed.interruptible | allowed.asked_for
    possible: BoolArray = np.asarray((work.rented_count > 0).any(axis=1), dtype=bool)
    keep &= possible[allowed.machine]
    offer = np.flatnonzero(keep)
    machine = allowed.machine[offer]
    count, busy = work.rented_count[machine], work.busy_hours[machine]
    hours = Hours(on=work.rented.on[machine], once=work.rented.once, last_month=work.rented.last_month[machine])
    blocks = allowed.is_block[offer][:, None]
    is_open = (count > 0) & ~(blocks & (count > MOST_BLOCK_INSTANCES))
    lasts = is_open & (until.months * until.hours_per_month <= MOST_BLOCK_HOURS)
    stretch = np.ones(count.shape)
    if group.is_job:
        taken = allowed.interruptible[offer]
        # A service runs on while one machine is replaced by another; a job loses what it did since its last checkpoint.
        if taken.any():
            ratio = spot_overhead_ratio(
                checkpoint_hours=costs.assumptions["rent.spot_checkpoint_hours"],
                hours_between_of_one=costs.assumptions["rent.spot_hours_between_interruptions"],
                restart_hours=costs.assumptions["rent.spot_restart_hours"],
                instance_count=np.maximum(count[taken], 1.0),
            )
            stretch[taken] = np.minimum(ratio, WORST_STRETCH)
        deadline = group.deadline_hours
        risky = (count > 1) | (busy * stretch > deadline * MOST_OF_A_DEADLINE_ON_SPOT)
        unasked = (taken & ~allowed.asked_for[offer])[:, None]
        is_open &= ~(unasked & risky & np.isfinite(deadline))
        is_open &= busy <= allowed.longest_hours[offer][:, None]
    else:
        is_open &= np.isinf(allowed.longest_hours[offer])[:, None]
    until_usd = until_delivery_usd(allowed, offer, count, hours, stretch, until)
    until_usd = np.where(np.where(blocks, lasts, is_open), until_usd, np.inf)
    usd = rents_usd(allowed, offer, count, hours, stretch, costs) + costs.storage(hours)
    usd[1] /= hours.last_month if hours.once else costs.months
    offers = [allowed.offers[row] for row in offer]
    part = OptionsOfKind(
        kind=[OptionKind.CPU.value if allowed.is_cpu[row] else OptionKind.RENT.value for row in offer],
        ids=[allowed.ids[row] for row in offer],
        provider=[one.provider for one in offers],
        region=[one.region for one in offers],
        instance_type=[one.instance_type for one in offers],
        purchase_option=[one.purchase_option.value for one in offers],
        accelerator=[one.accelerator or "" for one in offers],
        basis=[work.fleets.basis[row] for row in machine],
        accelerator_count=np.array([allowed.machines[row].accelerator_count for row in machine], dtype=float),
        priced_on=[one.observed_on for one in offers],
        offer=offer,
        is_open=is_open,
        usd=usd,
        instance_count=count,
        hours_per_run=busy * stretch if group.is_job else np.full(count.shape, np.nan),
        on_hours=hours.on,
    )
    return part, until_usd


def _owned(
    group: Group, allowed: AllowedMarket, work: Work, costs: HorizonCosts, bridge: Bridges, lead: int
) -> OptionsOfKind:
    """Return owned servers (`planner.options.owned`); nobody buys one for a job that is run once."""
    candidates: list[tuple[str, int, Site]] = []
    if not group.first.runs_once and lead < costs.months:
        # A service needs a second power feed and someone on call, which a home has not.
        sites = [site for site in ANYWHERE if site != "home" or group.is_job]
        candidates = sorted(
            (server.option_id(site), row, site)
            for row, server in enumerate(allowed.servers)
            if (work.owned_count[allowed.server_machine[row]] > 0).any()
            for site in sites
            if is_licensed(server.machine, site)
        )
    shape = (len(candidates), len(group.workloads))
    usd, counts, hours = np.zeros((2, *shape)), np.zeros(shape), np.zeros(shape)
    on, is_open = np.zeros(shape), np.zeros(shape, dtype=bool)
    has_bridge = np.isfinite(bridge.usd[0])
    until_usd = np.where(has_bridge, bridge.usd, 0.0)[:, None, :]
    lonely = np.array([needs_a_second(workload) for workload in group.workloads], dtype=bool)
    for site in dict.fromkeys(site for _, _, site in candidates):
        at = np.array([index for index, option in enumerate(candidates) if option[2] == site], dtype=np.intp)
        some = [allowed.servers[candidates[index][1]] for index in at]
        machine = np.array([allowed.server_machine[candidates[index][1]] for index in at], dtype=np.intp)
        counts[at], hours[at], on[at] = work.owned_count[machine], work.busy_hours[machine], work.owned.on[machine]
        price_usd = np.array([server.price_usd for server in some])[:, None]
        is_open[at] = (counts[at] > 0) & has_bridge
        is_open[at] &= capex_usd(price_usd, counts[at], costs.assumptions) <= group.max_capex_usd
        is_open[at] &= ~(lonely & (counts[at] == 1))
        if site == "home":
            max_kw = np.array([server.max_kw for server in some])[:, None]
            is_open[at] &= fits_at_home(counts[at], max_kw, costs.assumptions)
        busy = np.where(is_open[at], work.busy_share[machine], 0.0)
        usd[:, at] = costs.owned(some, site, counts[at], busy) + until_usd
    usd[1] /= costs.months
    servers = [allowed.servers[row] for _, row, _ in candidates]
    return OptionsOfKind(
        kind=[OptionKind.BUY.value] * len(candidates),
        ids=[name for name, _, _ in candidates],
        provider=["own"] * len(candidates),
        region=[REGIONS[site] for _, _, site in candidates],
        instance_type=[server.name for server in servers],
        purchase_option=[OWNED_BY[financing_of(costs.assumptions).kind]] * len(candidates),
        accelerator=[server.machine.accelerator.name if server.machine.accelerator else "" for server in servers],
        basis=[work.fleets.basis[allowed.server_machine[row]] for _, row, _ in candidates],
        accelerator_count=np.array([server.machine.accelerator_count for server in servers], dtype=float),
        priced_on=[server.priced_on for server in servers],
        offer=np.array([row for _, row, _ in candidates], dtype=np.intp),
        is_open=is_open,
        usd=usd,
        instance_count=counts,
        hours_per_run=hours if group.is_job else np.full(shape, np.nan),
        on_hours=on,
    )


def _hosted(group: Group, costs: HorizonCosts, market: Market) -> OptionsOfKind:
    """Return sellers by the token (`planner.options.hosted`)."""
    constraints = group.first.constraints
    sellers = sorted(
        (
            price
            for price in admitted_sellers(market.sellers(group.first), constraints)[0]
            if not any(against_token_seller(price.provider, constraints))
        ),
        key=token_option_id,
    )
    shape = (len(sellers), len(group.workloads))
    usd = np.zeros((2, *shape))
    runs = group.runs_per_month
    for index, price in enumerate(sellers):
        per_run = per_run_usd(price, group.first, group.input_tokens, group.output_tokens)
        monthly = per_run * runs * costs.kept[:, costs.months][:, None]
        usd[:, index] = np.where(runs > 0, monthly, per_run * costs.kept[:, 1][:, None])
    usd[1] /= np.where(runs > 0, costs.months, 1)
    none = [""] * len(sellers)
    return OptionsOfKind(
        kind=[OptionKind.API.value] * len(sellers),
        ids=[token_option_id(price) for price in sellers],
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


def _free(group: Group, allowed: AllowedMarket, work: Work) -> OptionsOfKind:
    """Return free tiers under whose cap one machine does the job (`planner.options.free`)."""
    constraints = group.first.constraints
    offered = enumerate(allowed.free) if group.is_job and not constraints.names_sellers else ()
    rows = [row for row, one in offered if not any(one.reasons_against(constraints))]
    rows.sort(key=lambda row: allowed.free[row].option_id)
    free, machine = [allowed.free[row] for row in rows], allowed.free_machine[rows]
    shape = (len(free), len(group.workloads))
    busy, is_open = work.busy_hours[machine], np.zeros(shape, dtype=bool)
    runs = np.where(group.runs_per_month > 0, group.runs_per_month, 1.0)
    for index, one in enumerate(free):
        is_open[index] = one.holds(busy[index], runs) & (busy[index] <= (one.tier.max_session_hours or math.inf))
    # A cap counts one machine's hours, so one machine has to do a run.
    is_open &= work.fleets.instance_count[machine] == 1
    return OptionsOfKind(
        kind=[OptionKind.FREE.value] * len(free),
        ids=[one.option_id for one in free],
        provider=[one.provider for one in free],
        region=[""] * len(free),
        instance_type=[one.instance_type for one in free],
        purchase_option=["free"] * len(free),
        accelerator=[one.tier.accelerator or "" for one in free],
        basis=[work.fleets.basis[row] for row in machine],
        accelerator_count=np.array([one.machine.accelerator_count for one in free], dtype=float),
        priced_on=[one.read_on for one in free],
        offer=np.full(len(free), -1, dtype=np.intp),
        is_open=is_open,
        usd=np.zeros((2, *shape)),
        instance_count=work.owned_count[machine],
        hours_per_run=busy,
        on_hours=np.zeros(shape),
    )
