"""Variants: the same work asked a little differently, each sized and ranked anew: other limits, other counts, twice as much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from planner.demand.workload import (
    Batch,
    Embed,
    Finetune,
    FinetuneImages,
    GpuHours,
    Pretrain,
    Serve,
    Transcribe,
    Workload,
)
from planner.options.option import Option, OptionKind, ReasonCode
from planner.supply.machines import Fleet, Machine, Refusal
from planner.traffic.confirm import STRICTEST_PERCENTILE, Confirmed
from planner.verdict.autoscaling import Autoscaled, autoscaled
from planner.verdict.runs import LaterRun, OtherCount, at_other_counts, later_run
from planner.verdict.supply import Supply

HALF_AND_TWICE = (0.5, 2.0)
MACHINES_LOOKED_AT = 12
"""Sorts of machines, of the cheapest options, on which a variant is sized."""
WITH_MACHINES = frozenset({OptionKind.RENT, OptionKind.BUY})
AMOUNTS = {
    Batch: "requests", Embed: "documents", Pretrain: "tokens_b", Finetune: "tokens_m", FinetuneImages: "steps", Transcribe: "audio_hours",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherLimit:
    """A service at a tighter or looser time per further token.

    Attributes
    ----------
    tpot_limit_ms : float
        The limit.
    option_id, accelerator : str
        The cheapest machines that may be recommended; empty where none keeps the limit.
    accelerators_total_count, usd_per_month : float
        Of them.
    """

    tpot_limit_ms: float
    option_id: str = ""
    accelerator: str = ""
    accelerators_total_count: float = 0.0
    usd_per_month: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherDeadline:
    """A job with half and twice the time.

    Attributes
    ----------
    deadline_hours : float
        The deadline.
    option_id, accelerator : str
        The cheapest machines that may be recommended; empty where none meets it.
    accelerators_total_count, usd : float
        Of them; the cost of one run.
    """

    deadline_hours: float
    option_id: str = ""
    accelerator: str = ""
    accelerators_total_count: float = 0.0
    usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TwiceTheWork:
    """What twice the work by the same deadline would cost.

    Attributes
    ----------
    option_id : str
        The cheapest option that may be recommended; empty where there is none.
    accelerator, accelerators_total_count : str, float
        What it takes.
    usd, ratio : float
        Its cost, and that over the cost of the work as asked.
    causes : tuple of ReasonCode
        Rules that speak against the verdict's own option then; empty where it only grows in proportion.
    is_unjoined : bool
        Whether the verdict's machines cannot be joined, so that no number of them does it.
    """

    option_id: str
    accelerator: str
    accelerators_total_count: float
    usd: float
    ratio: float
    causes: tuple[ReasonCode, ...]
    is_unjoined: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Stated hours read one way: given back when idle, or kept and paid all month."""

    is_releasable: bool
    option_id: str
    usd_per_month: float
    usd_per_useful_gpu_hour: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherPercentile:
    """What the verdict's machines, or the best rented ones, would cost if the limits held for another percentile of the requests.

    Attributes
    ----------
    option_id : str
        The machines.
    percentile : float
        Percent of the requests that keep the limits.
    instance_count : int
        Machines, spares counted; 0 where no number of them holds the limits.
    usd_per_month : float
        Their cost in proportion to the verdict's.
    """

    option_id: str
    percentile: float
    instance_count: int
    usd_per_month: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """The variants that a kind of work has; empty or None where it has none."""

    at_other_limits: tuple[OtherLimit, ...] = ()
    at_other_percentiles: tuple[OtherPercentile, ...] = ()
    following: Autoscaled | None = None
    at_other_counts: tuple[OtherCount, ...] = ()
    at_other_deadlines: tuple[OtherDeadline, ...] = ()
    at_twice_the_work: TwiceTheWork | None = None
    later_run: LaterRun | None = None
    readings: tuple[Reading, ...] = ()


def variants_of(
    workload: Workload, taken: Option, options: Sequence[Option], supply: Supply, simulated: Confirmed | None = None
) -> Variants:
    """Return what the same work would take if it were asked a little differently.

    Parameters
    ----------
    workload : Workload
        The work, with the limits in force.
    taken : Option
        The verdict.
    options : sequence of Option
        All of them, ranked.
    supply : Supply
        What may do the work.
    simulated : Confirmed, optional
        What was simulated of the verdict's fleet, or of the best rented one beside a verdict that has none.
    """
    match workload.work:
        case Serve() as work:
            rents = (option for option in options if option.kind is OptionKind.RENT and option.choosable)
            rented = taken if taken.fleet is not None else next(rents, taken)
            return Variants(
                at_other_limits=_at_other_limits(workload, options, supply),
                at_other_percentiles=_at_other_percentiles(workload, rented, supply, simulated),
                following=autoscaled(work, rented, supply.architecture, supply.assumptions),
            )
        case GpuHours() as work:
            return Variants(readings=_readings(workload, work, supply, options))
        case Pretrain() | Finetune() | FinetuneImages() | Batch() | Embed() | Transcribe():
            return Variants(
                at_other_counts=at_other_counts(workload, taken, supply),
                at_other_deadlines=_at_other_deadlines(workload, options, supply),
                at_twice_the_work=_at_twice_the_work(workload, taken, options, supply),
                later_run=later_run(workload, taken, _part(supply, options)),
            )
        case _:
            return Variants()


def _part(supply: Supply, options: Sequence[Option]) -> Supply:
    """Return the machines of the cheapest options: variants of them are near."""
    machines: dict[Machine, None] = {}
    for option in options:
        if option.choosable and option.fleet is not None and option.kind in WITH_MACHINES:
            machines.setdefault(option.fleet.machine)
            if len(machines) == MACHINES_LOOKED_AT:
                break
    return supply.only(machines, options)


def _best(options: Sequence[Option]) -> Option | None:
    """Return the cheapest machines that may be recommended and bind for a year at most, else the cheapest that bind."""
    machines = [option for option in options if option.choosable and option.kind in WITH_MACHINES]
    return next((option for option in machines if not option.binds), next(iter(machines), None))


def _asked(workload: Workload, **changes: float) -> Workload:
    """Return a workload with other figures in its section."""
    return workload.model_copy(update={workload.kind: workload.work.model_copy(update=changes)})


def _best_where(supply: Supply, workload: Workload) -> Option | None:
    return _best(supply.options(workload, supply.sized(workload)[0]))


class _Machines(TypedDict):
    option_id: str
    accelerator: str
    accelerators_total_count: float


def _machines(option: Option | None) -> _Machines:
    """Return what an option takes; of none, empty values."""
    if option is None:
        return {"option_id": "", "accelerator": "", "accelerators_total_count": 0.0}
    accelerator, total_count = option.accelerator or "", option.accelerators_total_count
    return {"option_id": option.id, "accelerator": accelerator, "accelerators_total_count": total_count}


PERCENTILES = (50.0, 90.0, 95.0, 99.0)


def _at_other_percentiles(
    workload: Workload, taken: Option, supply: Supply, simulated: Confirmed | None
) -> tuple[OtherPercentile, ...]:
    """Return what the rent of the verdict's machine would be if the limits held for other shares of the requests."""
    fleet = taken.fleet
    if taken.kind is not OptionKind.RENT or fleet is None or fleet.performance.ttft_ms is None:
        return ()
    assert workload.serve is not None
    stated = workload.serve.limit_percentile
    results = []
    for percentile in PERCENTILES:
        sized = supply.sized_on(_asked(workload, limit_percentile=percentile), [fleet.machine])[0]
        count = sized.instance_count if isinstance(sized, Fleet) else 0
        if simulated and percentile == STRICTEST_PERCENTILE:
            serving = fleet.instance_count - fleet.spare_instance_count
            needed = math.ceil(serving * (simulated.strictest_count or 0) / simulated.replica_count - 1e-9)
            count = needed + fleet.spare_instance_count if needed else 0
        elif percentile == stated:
            count = fleet.instance_count
        elif count and isinstance(stated, float):
            count = min(count, fleet.instance_count) if percentile < stated else max(count, fleet.instance_count)
        usd = taken.usd_per_month * count / fleet.instance_count
        results.append(
            OtherPercentile(option_id=taken.id, percentile=percentile, instance_count=count, usd_per_month=usd)
        )
    return tuple(results)


def _at_other_limits(workload: Workload, options: Sequence[Option], supply: Supply) -> tuple[OtherLimit, ...]:
    assert workload.serve is not None
    assert workload.serve.tpot_limit_ms is not None
    if workload.serve.tpot_limit_ms == workload.serve.total_limit_ms:
        return ()  # what binds is the whole answer
    part, results = _part(supply, options), []
    for ratio in HALF_AND_TWICE:
        limit_ms = workload.serve.tpot_limit_ms * ratio
        best = _best_where(part, _asked(workload, tpot_limit_ms=limit_ms))
        usd_per_month = best.usd_per_month if best else 0.0
        results.append(OtherLimit(tpot_limit_ms=limit_ms, **_machines(best), usd_per_month=usd_per_month))
    return tuple(results)


def _at_other_deadlines(workload: Workload, options: Sequence[Option], supply: Supply) -> tuple[OtherDeadline, ...]:
    hours = workload.deadline_hours
    if not math.isfinite(hours):
        return ()
    part, results = _part(supply, options), []
    is_in_days = isinstance(workload.work, Pretrain)
    for ratio in HALF_AND_TWICE:
        change = {"deadline_days": hours * ratio / 24} if is_in_days else {"deadline_hours": hours * ratio}
        best = _best_where(part, _asked(workload, **change))
        usd = best.usd_per_run(workload.runs_per_month) if best else 0.0
        results.append(OtherDeadline(deadline_hours=hours * ratio, **_machines(best), usd=usd))
    return tuple(results)


def _at_twice_the_work(
    workload: Workload, taken: Option, options: Sequence[Option], supply: Supply
) -> TwiceTheWork | None:
    """Return what twice the work costs where it costs more than twice as much and a machine: a rule bites, and which."""
    work = workload.work
    key = AMOUNTS[type(work)]
    if taken.fleet is None or taken.price_usd_per_hour is None or not taken.total_usd:
        return None
    asked = _asked(workload, **{key: getattr(work, key) * 2})
    run_usd = taken.usd_per_run(workload.runs_per_month)
    most_usd = (2 + 1 / taken.instance_count) * run_usd
    sized_options: Sequence[Option] = ()
    refusals: Sequence[Refusal] = ()
    best = None
    # The machines of the cheapest options first: where these are enough, the others need no sizing.
    for some in (_part(supply, options), supply):
        fleets, refusals = some.sized(asked)
        sized_options = some.options(asked, fleets)
        best = next((option for option in sized_options if option.choosable), None)
        if best is not None and best.usd_per_run(workload.runs_per_month) <= most_usd:
            return None
    usd = best.usd_per_run(workload.runs_per_month) if best else 0.0
    same = next((option for option in sized_options if option.id == taken.id), None)
    lost = next((refusal.stage for refusal in refusals if refusal.machine == taken.fleet.machine), "")
    return TwiceTheWork(
        **_machines(best),
        usd=usd,
        ratio=usd / run_usd,
        causes=tuple(reason.code for reason in same.not_recommended) if same else (),
        is_unjoined=lost == "interconnect",
    )


def _readings(workload: Workload, work: GpuHours, supply: Supply, options: Sequence[Option]) -> tuple[Reading, ...]:
    """Return the cheapest machines where idle hours are given back, and where the machines are kept all month."""
    clock = supply.assumptions["money.hours_per_month"]
    if work.hours_per_month >= clock:
        return ()
    kept_best = _best_where(supply, _asked(workload, hours_per_month=clock))
    used_gpu_hours = work.count * work.hours_per_month
    return tuple(
        Reading(
            is_releasable=is_releasable,
            option_id=best.id,
            usd_per_month=best.usd_per_month,
            usd_per_useful_gpu_hour=best.usd_per_month / used_gpu_hours,
        )
        for is_releasable, best in ((True, _best(options)), (False, kept_best))
        if best is not None
    )
