"""What is paid for and does nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from planner.decision.answer import SwitchOff
from planner.usage.answer import COMMITTED, Usage


def switch_off_of(
    usage: Usage, to_months: float, gpus: Collection[str], changed: Collection[str], sized: Collection[str] = ()
) -> tuple[SwitchOff, ...]:
    """Return what is paid for and does nothing, the dearest first.

    Parameters
    ----------
    usage : Usage
        From a bill, perhaps with counters.
    to_months : float
        A month's hours over those of the record.
    gpus : collection of str
        The accelerators that are asked about.
    changed : collection of str
        Those for which a mix was found: its saving holds what they leave unused already.
    sized : collection of str
        Those whose mix is for the machines on which something worked.
    """
    items = [*_commitments(usage, to_months, gpus, changed)]
    usd_per_hour = _usd_per_used_hour(usage)
    items += [
        SwitchOff(
            code="idle",
            name=idle.gpu,
            share=idle.share,
            seen_gpu_hours=idle.seen_gpu_hours,
            usd_per_month=idle.gpu_hours_per_month * usd_per_hour.get(idle.gpu, usd_per_hour[""]),
            gpu_hours_per_month=idle.gpu_hours_per_month,
            is_saved_by_mix=idle.gpu in sized or (not idle.gpu and bool(sized)),
        )
        for idle in usage.idle
        if idle.gpu_hours > 0 and (not idle.gpu or idle.gpu in gpus)
    ]
    return tuple(sorted(items, key=lambda idle: -idle.usd_per_month))


def _usd_per_used_hour(usage: Usage) -> dict[str, float]:
    """Return what an hour in use cost, by accelerator and (under no name) of all; what nothing used is told apart."""
    table = usage.table
    used = table.equals("state", "used")
    hours, cost = table.by("gpu", "gpu_hours", used), table.by("gpu", "effective_usd", used)
    by_gpu = {name: cost[name] / value for name, value in hours.items() if name and value > 0}
    total = sum(hours.values())
    return by_gpu | {"": sum(cost.values()) / total if total > 0 else 0.0}


def _commitments(
    usage: Usage, to_months: float, gpus: Collection[str], changed: Collection[str]
) -> Iterator[SwitchOff]:
    if usage.commitments is None:
        return
    table = usage.table
    hours = table.by("commitment", "gpu_hours", table.equals("state", "unused"))
    asked, moved = (set(table.by("commitment", "gpu_hours", table.equals("gpu", *names))) for names in (gpus, changed))
    for name, used, unused in usage.commitments.by_commitment:
        if unused > 0 and name in asked:
            yield SwitchOff(
                code="unused_commitment",
                name=name,
                share=unused / (used + unused),
                usd_per_month=unused * to_months,
                gpu_hours_per_month=hours.get(name, 0.0) * to_months,
                is_saved_by_mix=name in moved,
            )
    reserved = table.equals("state", "unused") & ~table.equals("option", *COMMITTED) & table.equals("gpu", *gpus)
    if (cost := table.total("effective_usd", reserved)) > 0:
        yield SwitchOff(
            code="unused_reservation",
            usd_per_month=cost * to_months,
            gpu_hours_per_month=table.total("gpu_hours", reserved) * to_months,
            is_saved_by_mix=not table.total("effective_usd", reserved & ~table.equals("gpu", *changed)),
        )
