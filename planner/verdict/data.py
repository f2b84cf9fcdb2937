"""Data: what the reader should know of the prices and assumptions behind a plan."""

from __future__ import annotations

from dataclasses import dataclass

from planner.assumptions import TracedAssumptions
from planner.notes import Note, NoteCode
from planner.supply.candidates import Candidates
from pricing.catalog import Catalog
from pricing.dates import Window, first_day

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
