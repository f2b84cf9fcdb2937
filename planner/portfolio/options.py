"""Every option of every workload of a shape that may be recommended, with its money, as arrays.

Options that a single plan does not recommend are left out: no verdict takes them. What may be recommended is told by `planner.options.rules`
and `planner.verdict.ranking.Ground`, as for a single plan.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.arrays import BoolArray, FloatArray
from planner.costs.financing import financing_of
from planner.costs.inputs import Site
from planner.costs.servers import capex_usd, fits_at_home
from planner.options.hosted import admitted_sellers, per_run_usd, token_option_id
from planner.options.machine_hours import whole_months
from planner.options.option import NO_END_MONTHS, OptionKind, ReasonCode
from planner.options.owned import ANYWHERE, OWNED_BY, REGIONS
from planner.options.price_evidence import against_token_seller
from planner.options.rules import (
    against_owning,
    against_renting,
    is_licensed,
    may_bridge,
    needs_a_second,
    stretch_ratio,
)
from planner.options.substitutes import lead_months_of
from planner.portfolio.costs import HorizonCosts
from planner.portfolio.groups import Group
from planner.portfolio.market import AllowedMarket, Market
from planner.portfolio.option_table import Listed, OptionsOfKind, OptionTable
from planner.portfolio.work import Work, cheapest_bridges, rents_usd, until_delivery_usd
from planner.verdict.ranking import MACHINES, Ground
from pricing.clock import HOURS_PER_MONTH


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
    until = market.costs(group.first, lead_months_of(market.assumptions))
    rented, until_usd = _rented(group, allowed, work, costs, until)
    hosted = _hosted(group, costs, market)
    offer = np.array([option.row for option in rented.listed], dtype=np.intp)
    owned = _owned(group, allowed, work, costs, until.months)
    parts = [rented, owned, hosted, _free(group, allowed, work)]
    listed = tuple(option for part in parts for option in part.listed)
    kind = np.array([option.kind.value for option in listed], dtype="<U8")
    basis = tuple(work.fleets.basis[row] if row >= 0 else "" for part in parts for row in part.machine)
    usd = np.concatenate([part.usd for part in parts], axis=1)
    is_open = np.concatenate([part.is_open for part in parts])
    counts = np.concatenate([part.instance_count for part in parts])
    per_machine = np.array([option.accelerator_count for option in listed])
    term_months = np.where(kind == OptionKind.BUY.value, float(NO_END_MONTHS), 0.0)
    term_months[: len(offer)] = allowed.term_months[offer]

    def of_rents(column: NDArray[Any], otherwise: float = 0) -> NDArray[Any]:
        """Return a column of the offers for all options, that of the offers' options first."""
        return np.concatenate([column[offer], np.full(len(kind) - len(offer), otherwise)])[:, None]

    run_months = np.full(counts.shape, np.inf)
    if group.first.runs_once:
        run_months[: len(offer)] = whole_months(rented.hours_per_run, HOURS_PER_MONTH)
    ground = Ground(
        is_rent=(kind == OptionKind.RENT.value)[:, None],
        usd=usd[0],
        term_months=of_rents(allowed.term_months),
        run_months=run_months,
        is_late=np.zeros((1, 1), dtype=bool),  # nothing is simulated
        is_extrapolated=((np.array(basis) == "extrapolated") & np.isin(kind, [option.value for option in MACHINES]))[
            :, None
        ],
        is_floor_price=of_rents(allowed.is_floor_price) > 0,
        staleness_count=of_rents(allowed.staleness_count),
        accelerators=counts * per_machine[:, None],
        most_accelerators=of_rents(allowed.most_accelerators, np.inf),
    )
    is_outranked = np.zeros(is_open.shape, dtype=bool)
    for lost in ground.outranked(is_open, costs.assumptions):
        is_outranked |= lost.where
    is_open &= ~is_outranked
    until_usd[:, is_outranked[: len(offer)]] = np.inf
    bridge = cheapest_bridges(group, offer, until_usd, hosted.usd[1] / hosted.months, until)
    has_bridge, bought = np.isfinite(bridge.usd[0]), slice(len(offer), len(offer) + len(owned.listed))
    is_open[bought] &= has_bridge
    usd[:, bought] += np.where(has_bridge, bridge.usd, 0.0)[:, None, :]
    working_months = np.concatenate([np.broadcast_to(part.months, part.is_open.shape) for part in parts])
    usd_per_month = usd[1] / working_months
    is_possible = np.asarray(is_open.any(axis=0), dtype=bool)
    is_open &= usd_per_month <= group.max_usd_per_month
    return OptionTable(
        kind=kind,
        listed=listed,
        basis=basis,
        accelerator_count=per_machine,
        term_months=term_months,
        is_open=is_open,
        present_value_usd=np.where(is_open, usd[0], np.inf),
        total_usd=np.where(is_open, usd[1], np.inf),
        usd_per_month=np.where(is_open, usd_per_month, np.inf),
        instance_count=counts,
        hours_per_run=np.concatenate([part.hours_per_run for part in parts]),
        on_hours=np.concatenate([part.on_hours for part in parts]),
        bridge=bridge,
        is_affordable_at_all=is_possible,
    )


def _rented(
    group: Group, allowed: AllowedMarket, work: Work, costs: HorizonCosts, until: HorizonCosts
) -> tuple[OptionsOfKind, FloatArray]:
    """Return rented machines, with or without accelerators (`planner.options.rented`), and what they cost until delivery."""
    is_possible = np.asarray((work.rented_count > 0).any(axis=1), dtype=bool)
    offer = np.flatnonzero(~allowed.is_barred & is_possible[allowed.machine])
    count, run_hours = work.rented_count[allowed.machine[offer]], work.run_hours[allowed.machine[offer]]
    stretch = stretch_ratio(allowed.terms.interruptible[offer], count, group.first, costs.assumptions)
    terms, is_open = allowed.terms.at(offer), count > 0
    only_too_short = is_open
    for rule in against_renting(
        terms, group.first, count=count, run_hours=run_hours, stretch_ratio=stretch, deadline_hours=group.deadline_hours
    ):
        is_open = is_open & ~rule.where
        only_too_short = only_too_short & (~rule.where | (rule.code == ReasonCode.BLOCK_TOO_SHORT))
    bridges = may_bridge(terms.is_block, is_open, only_too_short, until.months * until.hours_per_month)
    kept = (is_open | bridges).any(axis=1)
    offer, count, stretch = offer[kept], count[kept], stretch[kept]
    is_open, bridges = is_open[kept], bridges[kept]
    machine = allowed.machine[offer]
    hours = work.rented.at(machine)
    until_usd = np.where(bridges, until_delivery_usd(allowed, offer, count, hours, stretch, until), np.inf)
    usd = rents_usd(allowed, offer, count, hours, stretch, costs) + costs.storage(hours)
    part = OptionsOfKind(
        listed=[allowed.listed[row] for row in offer],
        machine=machine,
        is_open=is_open,
        usd=usd,
        months=hours.last_month if hours.once else costs.months,
        instance_count=count,
        hours_per_run=work.busy_hours[machine] * stretch if group.is_job else np.full(count.shape, np.nan),
        on_hours=hours.on,
    )
    return part, until_usd


def _owned(group: Group, allowed: AllowedMarket, work: Work, costs: HorizonCosts, lead: int) -> OptionsOfKind:
    """Return owned servers (`planner.options.owned`) without their bridge; nobody buys one for a job that is run once."""
    lonely = np.array([needs_a_second(workload) for workload in group.workloads], dtype=bool)
    count = work.owned_count[allowed.server_machine]
    price_usd, max_kw = np.array([(server.price_usd, server.max_kw) for server in allowed.servers]).reshape(-1, 2).T
    may_be = (count > 0) & (capex_usd(price_usd[:, None], count, costs.assumptions) <= group.max_capex_usd)
    open_at: dict[Site, BoolArray] = {}
    for site in ANYWHERE:
        open_at[site] = may_be & (site != "home" or fits_at_home(count, max_kw[:, None], costs.assumptions))
        licensed = np.array([is_licensed(server.machine, site) for server in allowed.servers], dtype=bool)[:, None]
        for rule in against_owning(
            site, group.first, may_stand_there=licensed, is_lonely=lonely & (count == 1), has_bridge=True, lead_months=lead, last_month=costs.months
        ):  # fmt: skip
            open_at[site] = open_at[site] & ~rule.where
    candidates = sorted(
        (allowed.servers[row].option_id(site), row, site)
        for site, is_open in open_at.items()
        for row in np.flatnonzero(is_open.any(axis=1)).tolist()
    )
    servers = [allowed.servers[row] for _, row, _ in candidates]
    machine = allowed.server_machine[np.array([row for _, row, _ in candidates], dtype=np.intp)]
    is_open = np.array([open_at[site][row] for _, row, site in candidates], dtype=bool).reshape(-1, count.shape[1])
    counts, busy = work.owned_count[machine], np.where(is_open, work.busy_share[machine], 0.0)
    usd = np.zeros((2, *counts.shape))
    for site in ANYWHERE:
        at = [index for index, (_, _, where) in enumerate(candidates) if where == site]
        if at:
            usd[:, at] = costs.owned([servers[index] for index in at], site, counts[at], busy[at])
    return OptionsOfKind(
        listed=[
            Listed(
                id=name,
                kind=OptionKind.BUY,
                provider="own",
                region=REGIONS[site],
                instance_type=server.name,
                purchase_option=OWNED_BY[financing_of(costs.assumptions).kind],
                accelerator=server.machine.accelerator.name if server.machine.accelerator else None,
                accelerator_count=server.machine.accelerator_count,
                priced_on=server.priced_on,
                row=row,
            )
            for (name, row, site), server in zip(candidates, servers, strict=True)
        ],
        machine=machine,
        is_open=is_open,
        usd=usd,
        months=costs.months,
        instance_count=counts,
        hours_per_run=work.busy_hours[machine] if group.is_job else np.full(counts.shape, np.nan),
        on_hours=work.owned.on[machine],
    )


def _hosted(group: Group, costs: HorizonCosts, market: Market) -> OptionsOfKind:
    """Return sellers by the token (`planner.options.hosted`)."""
    constraints = group.first.constraints
    sellers = sorted(
        (
            price
            for price in admitted_sellers(market.sellers(group.first.model, group.first.kind), constraints)[0]
            if not any(against_token_seller(price.provider, constraints))
        ),
        key=token_option_id,
    )
    shape = (len(sellers), len(group.workloads))
    usd = np.zeros((2, *shape))
    runs = group.runs_per_month
    for index, price in enumerate(sellers):
        usd[:, index] = costs.tokens(per_run_usd(price, group.first, group.input_tokens, group.output_tokens), runs)
    return OptionsOfKind(
        listed=[
            Listed(
                id=token_option_id(price),
                kind=OptionKind.API,
                provider=price.provider,
                instance_type=price.model_id,
                purchase_option="per_token",
                priced_on=price.priced_on,
            )
            for price in sellers
        ],
        machine=np.full(len(sellers), -1),
        is_open=np.ones(shape, dtype=bool),
        usd=usd,
        months=np.where(runs > 0, costs.months, 1),
        instance_count=np.zeros(shape),
        hours_per_run=np.full(shape, np.nan),
        on_hours=np.zeros(shape),
    )


def _free(group: Group, allowed: AllowedMarket, work: Work) -> OptionsOfKind:
    """Return free tiers under whose cap one machine does the job (`planner.options.free`)."""
    constraints = group.first.constraints
    offered = enumerate(allowed.free) if group.is_job and not constraints.names_sellers else ()
    rows = [row for row, tier in offered if not any(tier.reasons_against(constraints))]
    rows.sort(key=lambda row: allowed.free[row].option_id)
    free, machine = [allowed.free[row] for row in rows], allowed.free_machine[rows]
    shape = (len(free), len(group.workloads))
    busy, is_open = work.busy_hours[machine], np.zeros(shape, dtype=bool)
    runs = np.where(group.runs_per_month > 0, group.runs_per_month, 1.0)
    for index, tier_machine in enumerate(free):
        longest_hours = tier_machine.tier.max_session_hours or math.inf
        is_open[index] = tier_machine.holds(busy[index], runs) & (busy[index] <= longest_hours)
    # A cap counts one machine's hours, so one machine has to do a run.
    is_open &= work.fleets.instance_count[machine] == 1
    return OptionsOfKind(
        listed=[
            Listed(
                id=tier.option_id,
                kind=OptionKind.FREE,
                provider=tier.provider,
                instance_type=tier.instance_type,
                purchase_option="free",
                accelerator=tier.tier.accelerator,
                accelerator_count=tier.machine.accelerator_count,
                priced_on=tier.read_on,
            )
            for tier in free
        ],
        machine=machine,
        is_open=is_open,
        usd=np.zeros((2, *shape)),
        months=1,
        instance_count=work.owned_count[machine],
        hours_per_run=busy,
        on_hours=np.zeros(shape),
    )
