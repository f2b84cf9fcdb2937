"""What the reader should know beside the verdict: the prices and assumptions behind it, and what smaller weights would cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from planner.assumptions import TracedAssumptions
from planner.demand.volume import Volume
from planner.demand.workload import Batch, Precision, Serve, Workload
from planner.notes import Note, NoteCode
from planner.options.option import Option
from planner.options.rented import rented_options
from planner.supply.candidates import Candidates
from planner.supply.fleet import size
from planner.supply.machines import Fleet
from planner.verdict.supply import Supply
from pricing.catalog import Catalog
from pricing.facts.dates import Window, first_day

MOST_TAKEN_OUT_SHARE = 0.75
"""Where the dates of prices take out more of the offers than this, the answer says so first."""


@dataclass(frozen=True, slots=True)
class FewOffers:
    """How few offers are left of all, so that an answer may say more of the filter than of the market.

    Attributes
    ----------
    left_count, of_count : int
        Offers within the days that may be used, and all that are known.
    """

    left_count: int
    of_count: int


def few_offers_of(catalog: Catalog) -> FewOffers | None:
    """Return how many offers are left, where their dates have taken out most of them."""
    left, taken_out = len(catalog), catalog.count(catalog.out_of_window)
    return FewOffers(left, left + taken_out) if taken_out > MOST_TAKEN_OUT_SHARE * (left + taken_out) else None


def notes_on_data(candidates: Candidates, assumptions: TracedAssumptions, window: Window) -> tuple[Note, ...]:
    """Say which accelerators are unknown, how many assumptions are of other days, and which were set without effect.

    A plan cannot do without assumptions, so those of other days are used all the same. One that nothing rests on is the rate of a
    loan where hardware is paid in cash.
    """
    used = assumptions.used()
    dated = [row for row in used if row.as_of]
    _, dropped = window.split(dated, lambda row: first_day(row.as_of), "assumptions")
    notes = [Note(NoteCode.OTHER_DAYS, (lost.count, lost.reason)) for lost in dropped]
    if candidates.unknown_accelerators:
        notes.insert(0, Note(NoteCode.UNKNOWN_ACCELERATORS, (", ".join(candidates.unknown_accelerators),)))
    used_names = {row.name for row in used}
    without_effect = sorted(name for name, row in assumptions.rows.items() if row.overridden and name not in used_names)
    if without_effect:
        notes.append(Note(NoteCode.SET_WITHOUT_EFFECT, (", ".join(without_effect),)))
    return tuple(notes)


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
