"""Several plans beside each other: what each takes, what it costs, and what all of them cost together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from planner.report.figures import count, usd
from planner.report.live import runs_once
from planner.report.option_words import chosen_of, heading, stated_usd
from planner.report.table import Table, headings

if TYPE_CHECKING:
    from planner.report.schema.plan import PlanRecord


def pays_off_month(record: PlanRecord) -> float | None:
    """Return from which month on owning pays off in the pair that the verdict is about; None means never."""
    chosen = record["verdict"]["option_id"]
    pairs = record["break_evens"]
    mine = next((pair for pair in pairs if chosen in {pair["rent_id"], pair["buy_id"]}), None)
    return None if mine is None else mine["month"]


def together(records: Sequence[PlanRecord]) -> dict[str, float]:
    """Return the sums: a month of the work that goes on, the runs that are done once, and the NPV of all."""
    sums = {"usd_per_month": 0.0, "run_usd": 0.0, "present_value_usd": 0.0}
    for record in records:
        chosen, once = chosen_of(record), runs_once(record)
        if chosen is None:
            continue
        sums["present_value_usd"] += chosen["cost"]["present_value_usd"]
        sums["run_usd" if once else "usd_per_month"] += stated_usd(chosen, once=once)
    return sums


def overview(records: Sequence[PlanRecord]) -> Table:
    """Return one row for each plan, and their sum.

    A run that is done once has no month, but a cost of its own.
    """
    sums = together(records)
    total = ("", "together", "", usd(sums["usd_per_month"]), usd(sums["run_usd"]), usd(sums["present_value_usd"]), "")
    horizons = sorted({record["horizon_months"] for record in records})
    looked = f"{count(horizons[0])}" if len(horizons) == 1 else f"{count(horizons[0])} to {count(horizons[-1])}"
    return Table(
        "All workloads",
        headings(
            "#: | work | verdict | a month [USD]: | run once [USD]: | in all [NPV, USD]: | owning pays off [month]:"
        ),
        (*(_row(number, record) for number, record in enumerate(records, 1)), total),
        f"In all: over each plan's own horizon ({looked} months), as NPV. Each is planned by itself: machines are "
        "not shared between workloads, and no volume discount is assumed.",
    )


def _row(number: int, record: PlanRecord) -> tuple[str, ...]:
    chosen, month, once = chosen_of(record), pays_off_month(record), runs_once(record)
    months = "never" if month is None else f"{month:,.1f}"
    if chosen is None:
        return (str(number), record["title"], record["verdict"]["headline"], "-", "-", "-", months)
    cost = usd(stated_usd(chosen, once=once))
    by_month_or_run = ("-", cost) if once else (cost, "-")
    npv = usd(chosen["cost"]["present_value_usd"])
    return (str(number), record["title"], heading(chosen), *by_month_or_run, npv, months)
