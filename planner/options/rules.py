"""Rules: what speaks against renting or owning machines for a work, whoever asks.

Figures are arrays that broadcast: of shape (options,) in a plan, (options, 1) and (options, workloads) in a portfolio.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.arrays import BoolArray, FloatArray
from planner.costs.inputs import Site
from planner.costs.products import product_of
from planner.costs.spot import spot_overhead_ratio
from planner.demand.workload import Constraints, Workload
from planner.options.option import Reason, ReasonCode
from planner.supply.machines import Machine
from pricing.facts.offers import Offer, PurchaseOption

MOST_OF_A_DEADLINE_ON_SPOT = 0.5
"""A run on a machine that can be taken back leaves as much time again, so that it can be repeated."""
WORST_STRETCH = 1e12
"""Thousands of machines of which each can be taken back get no work done; the cost stays a number."""
BLOCK = product_of("aws", "capacity_block")
assert BLOCK is not None
MOST_BLOCK_HOURS = 24.0 * (BLOCK.longest_days or math.inf)
MOST_BLOCK_INSTANCES = BLOCK.most_count or math.inf


@dataclass(frozen=True, slots=True)
class Against:
    """A rule, where it speaks against an option, and the figures that its sentence needs."""

    code: ReasonCode
    where: BoolArray
    figures: tuple[ArrayLike, ...] = ()


def reasons_of(rules: Iterable[Against], count: int) -> list[tuple[Reason, ...]]:
    """Return what rules say of each of so many options, in the order of the rules.

    Examples
    --------
    >>> too_large = Against(ReasonCode.BLOCK_TOO_LARGE, np.array([False, True]), (64,))
    >>> [[reason.code.value for reason in reasons] for reasons in reasons_of([too_large], 2)]
    [[], ['block_too_large']]
    """
    reasons: list[tuple[Reason, ...]] = [()] * count
    for rule in rules:
        if not rule.where.any():
            continue
        figures = [np.broadcast_to(np.ravel(figure), count) for figure in rule.figures]
        for row in np.flatnonzero(np.broadcast_to(rule.where.ravel(), count)):
            reasons[row] += (Reason(rule.code, tuple(figure[row].item() for figure in figures)),)
    return reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class RentTerms:
    """What the rules look at in offers, as columns.

    Attributes
    ----------
    interruptible, is_asked_for, is_block, needs_xla : BoolArray
        Whether it can be taken back; is paid in a way that the user named; is sold in dated blocks; runs programs for XLA
        alone, and the user named no accelerator.
    longest_hours : FloatArray
        How long it can be kept at most; infinite for no such rule.
    """

    interruptible: BoolArray
    is_asked_for: BoolArray
    is_block: BoolArray
    needs_xla: BoolArray
    longest_hours: FloatArray

    @classmethod
    def of(cls, offers: Sequence[Offer], machines: Sequence[Machine], constraints: Constraints) -> RentTerms:
        """Look at offers and the machine behind each."""
        return cls(
            interruptible=np.array([offer.interruptible for offer in offers], dtype=bool),
            is_asked_for=np.array([offer.purchase_option in constraints.purchase for offer in offers], dtype=bool),
            is_block=np.array([offer.purchase_option is PurchaseOption.CAPACITY_BLOCK for offer in offers], dtype=bool),
            needs_xla=np.array([machine.needs_xla and not constraints.gpus for machine in machines], dtype=bool),
            longest_hours=np.array([_longest_hours(offer) for offer in offers], dtype=float),
        )

    def at(self, rows: NDArray[np.intp]) -> RentTerms:
        """Return some of the offers along a first axis, to be held against many workloads."""
        return RentTerms(**{name: getattr(self, name)[rows][:, None] for name in self.__dataclass_fields__})


def _longest_hours(offer: Offer) -> float:
    product = product_of(offer.provider, offer.purchase_option.value, offer.offering_class)
    return 24.0 * (product.longest_days or math.inf) if product else math.inf


def against_renting(
    terms: RentTerms, workload: Workload, *, count: FloatArray, run_hours: FloatArray, stretch_ratio: FloatArray, deadline_hours: FloatArray | float
) -> Iterator[Against]:  # fmt: skip
    """Say which rules of this work speak against offers.

    Parameters
    ----------
    terms : RentTerms
        Of the offers.
    workload : Workload
        Tells the kind of work.
    count, run_hours : FloatArray
        Machines, and the hours of one run; infinite for work that never ends.
    stretch_ratio : FloatArray
        Wall time over useful time of what can be taken back.
    deadline_hours : FloatArray or float
        Infinite without one.
    """
    unasked = terms.interruptible & ~terms.is_asked_for
    if workload.ends:
        dated, several = unasked & np.isfinite(deadline_hours), count > 1
        most_hours = deadline_hours * MOST_OF_A_DEADLINE_ON_SPOT
        yield Against(ReasonCode.GANG_RECLAIMABLE, dated & several)
        yield Against(ReasonCode.NO_TIME_TO_REPEAT, dated & ~several & (run_hours * stretch_ratio > most_hours))
    else:
        yield Against(ReasonCode.RECLAIMABLE, unasked)
    yield Against(ReasonCode.BLOCK_TOO_SHORT, terms.longest_hours < run_hours, (terms.longest_hours / 24,))
    too_large = terms.is_block & (count > MOST_BLOCK_INSTANCES)
    yield Against(ReasonCode.BLOCK_TOO_LARGE, too_large, (MOST_BLOCK_INSTANCES,))
    if workload.kind != "gpu_hours":
        yield Against(ReasonCode.NEEDS_XLA, terms.needs_xla)


def stretch_ratio(
    interruptible: BoolArray, count: FloatArray, workload: Workload, assumptions: Mapping[str, float]
) -> FloatArray:
    """Return wall time over useful time: a job loses what it did since its last checkpoint when a machine is taken back.

    A service runs on while one machine is replaced by another.

    Parameters
    ----------
    interruptible : BoolArray, shape (options,)
        What can be taken back.
    count : FloatArray, shape (options,) or (options, workloads)
        Machines.
    """
    stretch = np.ones(count.shape)
    if workload.ends and interruptible.any():
        ratio = spot_overhead_ratio(
            checkpoint_hours=assumptions["rent.spot_checkpoint_hours"],
            hours_between_of_one=assumptions["rent.spot_hours_between_interruptions"],
            restart_hours=assumptions["rent.spot_restart_hours"],
            instance_count=np.maximum(count[interruptible], 1.0),
        )
        stretch[interruptible] = np.minimum(ratio, WORST_STRETCH)
    return stretch


def may_bridge(is_block: ArrayLike, is_open: ArrayLike, is_only_too_short: ArrayLike, hours: float) -> BoolArray:
    """Tell what may do the work for the hours until servers are delivered.

    Whatever may be recommended may. So may a dated block that is long enough, though it would not last for a service.
    """
    return np.where(is_block, np.logical_and(is_only_too_short, hours <= MOST_BLOCK_HOURS), is_open)


def needs_a_second(workload: Workload) -> bool:
    """Tell whether people wait for the answers of one machine, and nobody said that it may be down for days."""
    serve = workload.serve
    return serve is not None and not serve.spare_replicas and "spare_replicas" not in serve.model_fields_set


def is_licensed(machine: Machine, site: Site) -> bool:
    """Tell whether a card may work at a site: NVIDIA's license of GeForce drivers excludes data centers.

    Source: License for Customer Use of NVIDIA GeForce Software, section 2.1.3 ("No Datacenter Deployment").
    """
    card = machine.accelerator
    return site != "colocation" or card is None or (card.vendor, card.market_class) != ("NVIDIA", "consumer")


def against_owning(
    site: Site, workload: Workload, *, may_stand_there: ArrayLike, is_lonely: ArrayLike, has_bridge: ArrayLike, lead_months: int, last_month: int
) -> Iterator[Against]:  # fmt: skip
    """Say which rules of this work speak against servers at a site; where several do, the first one says enough.

    Parameters
    ----------
    site : {'home', 'colocation', 'own_room'}
        Where it would stand.
    workload : Workload
        Tells the kind of work.
    may_stand_there : ArrayLike
        Whether each `is_licensed`.
    is_lonely : ArrayLike
        Whether a single server would be all that does work which needs a second one.
    has_bridge : ArrayLike
        Whether something may do the work until delivery.
    lead_months, last_month : int
        Months to delivery; the month in which the work ends.
    """
    always = np.ones((), dtype=bool)
    if workload.runs_once:
        # Nobody waits for a server to start a job that rent would have finished.
        yield Against(ReasonCode.SINGLE_RUN, always)
    elif lead_months >= last_month:
        yield Against(ReasonCode.DELIVERED_TOO_LATE, always, (lead_months, last_month))
    elif lead_months:
        yield Against(ReasonCode.NO_BRIDGE, np.logical_not(has_bridge), (lead_months,))
    if site == "home" and not workload.ends:
        yield Against(ReasonCode.SERVICE_AT_HOME, always)
    yield Against(ReasonCode.CONSUMER_LICENSE, np.logical_not(may_stand_there))
    yield Against(ReasonCode.SINGLE_SERVER, np.asarray(is_lonely))
