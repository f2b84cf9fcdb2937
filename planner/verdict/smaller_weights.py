"""What smaller weights than those asked for would cost, where that is much less."""

from __future__ import annotations

from dataclasses import replace

from planner.demand.volume import Volume
from planner.demand.workload import Batch, Precision, Serve, Workload
from planner.notes import Note, NoteCode
from planner.options.option import Option
from planner.options.rented import rented_options
from planner.supply.fleet import size
from planner.supply.machines import Fleet
from planner.verdict.supply import Supply

WORTH_TELLING_SHARE = 0.8


def smaller_weights_note(workload: Workload, work: Volume, chosen: Option, supply: Supply) -> Note | None:
    """Return a note on the cheapest rent with smaller weights, where it costs less than four fifths of the choice.

    Parameters
    ----------
    workload : Workload
        Generating text, in stated formats; of other work, or where every format may be used, there is nothing to tell.
    work : Volume
        How much is done in a month.
    chosen : Option
        What the verdict takes.
    supply : Supply
        What may do the work.
    """
    has_a_byte = bool({Precision.FP8, Precision.INT8} & set(workload.precision))
    smaller = (Precision.INT4,) if has_a_byte else (Precision.FP8, Precision.INT8, Precision.INT4)
    if (
        not isinstance(workload.work, Serve | Batch)
        or supply.architecture is None
        or chosen.fleet is None
        or not workload.precision
        or Precision.INT4 in workload.precision
    ):
        return None
    candidates, assumptions = supply.candidates, supply.assumptions
    asked = workload.model_copy(update={"precision": smaller})
    machines = tuple(dict.fromkeys(candidates.machines))
    most = workload.constraints.max_gpus
    sized = size(
        asked, supply.architecture, machines, assumptions, max_accelerators=most, calibration=supply.calibration
    )
    fleets = {
        fleet.machine: replace(fleet, notes=())
        for fleet in sized
        if isinstance(fleet, Fleet) and fleet.performance.basis != "extrapolated"
    }
    most_usd = WORTH_TELLING_SHARE * chosen.present_value_usd
    rents = rented_options(candidates, fleets, asked, work, assumptions, supply.evidence, most_usd=most_usd)
    best = min(
        (option for option in rents if option.choosable), key=lambda option: option.present_value_usd, default=None
    )
    if best is None or best.fleet is None:
        return None
    share = best.present_value_usd / chosen.present_value_usd
    rent = (best.fleet.layout.precision, best.accelerators_total_count, best.accelerator, best.provider)
    return Note(NoteCode.SMALLER_WEIGHTS, (*rent, share))
