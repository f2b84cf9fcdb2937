"""Remarks on what is paid for already: what the answer uses of credits, what others would pay, and what has expired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import cast

from planner.costs.inputs import RentInputs
from planner.demand.workload import Workload
from planner.notes import NoteCode
from planner.options.option import RENTED, Option
from planner.verdict.remarks import Remark, RemarkCode
from pricing.facts.offers import PurchaseOption


def paid_already_remarks(workload: Workload, taken: Option, options: Sequence[Option], today: date) -> Iterator[Remark]:
    """Yield what has to be known of credits and commitments.

    Parameters
    ----------
    workload : Workload
        With what is paid for already.
    taken : Option
        The verdict.
    options : sequence of Option
        All of them, ranked.
    today : date
        The caller's today.
    """
    yield from _credits(taken, options, once=workload.runs_once)
    have = workload.have
    gone: list[tuple[str, float, str, str, str]] = [
        ("credit", entry.usd, "", entry.provider, f"{entry.expires}") for entry in have.credits if entry.expires < today
    ]
    gone += [
        ("commitment", float(entry.count), entry.instance_type, entry.provider, f"{entry.until}")
        for entry in have.committed
        if entry.until < today
    ]
    if gone:
        yield Remark(code=RemarkCode.EXPIRED, figures=tuple(figure for entry in gone for figure in entry))


def _credits(taken: Option, options: Sequence[Option], *, once: bool) -> Iterator[Remark]:
    """Yield what the verdict uses of a credit, then for how long, or for what part of a run, a credit with another provider would pay for the cheapest machines there."""
    if taken.credit_used_usd > 0:
        most_usd = -float(taken.timeline.component_usd("credit").min())
        figures: tuple[float | str, ...] = (taken.credit_used_usd, taken.provider, 0.0 if once else most_usd)
        yield Remark(code=RemarkCode.CREDIT_USED, figures=figures)
    yield from _lost_credits(taken)
    providers: set[str] = set()
    for option in options:
        rent = option.book
        if option.kind not in RENTED or option.term_months or not isinstance(rent, RentInputs) or not rent.credit_usd:
            continue
        if option.provider in {taken.provider, *providers} or option.purchase_option != PurchaseOption.ON_DEMAND:
            continue
        providers.add(option.provider)
        bill_usd = float(option.timeline.component_usd("on_demand").sum())
        machines = option.instance_count, option.instance_type, option.accelerator_count, option.accelerator or ""
        if once:
            used_usd = option.credit_used_usd
            figures = (used_usd, option.provider, used_usd / bill_usd, *machines, option.total_usd)
            yield Remark(code=RemarkCode.CREDIT_OF_RUN, figures=figures)
            continue
        months = len(option.timeline.by_month_usd()) - 1
        paid = min(rent.credit_usd / bill_usd * months, rent.credit_months)
        figures = (rent.credit_usd, option.provider, paid, *machines, paid * taken.usd_per_month)
        yield Remark(code=RemarkCode.CREDIT, figures=figures)
        yield from _lost_credits(option)


def _lost_credits(option: Option) -> Iterator[Remark]:
    lost = (cast("tuple[float | str, ...]", note.figures) for note in option.notes if note.code is NoteCode.CREDIT_LOST)
    yield from (Remark(code=RemarkCode.CREDIT_LOST, figures=figures) for figures in lost)
