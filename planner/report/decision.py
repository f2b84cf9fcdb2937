"""A decision as a record and as tables, the verdict first."""

from __future__ import annotations

from dataclasses import asdict

from planner.decision import Decision, GpuDecision
from planner.figures import count, percent, usd
from planner.report.table import Column, Table
from planner.report.values import Record

__all__ = ["decision_record", "decision_tables", "headline"]

KIND_WORDS = {"owned": "own", "committed": "commit", "spot": "spot", "on_demand": "on demand"}


def decision_record(decision: Decision) -> Record:
    """Return everything that was decided, keys with units."""
    record = asdict(decision)
    record["headline"] = headline(decision)
    record["kept"] = [{"gpu": name, "because": why} for name, why in decision.kept]
    return record


def headline(decision: Decision) -> str:
    """Return the verdict in a sentence or two."""
    amounts = {"owned": 0.0, "committed": 0.0}
    rest = {"spot": 0.0, "on_demand": 0.0}
    for gpu in decision.gpus:
        for part in gpu.parts:
            if part.kind in amounts:
                amounts[part.kind] += part.gpus
            else:
                rest[part.kind] += part.gpu_hours_per_month
    said = [f"own {count(amounts['owned'])} GPUs"] if amounts["owned"] else []
    said += [f"commit to {count(amounts['committed'])} GPUs"] if amounts["committed"] else []
    said += [f"take {count(round(hours))} GPU-hours a month {'as spot' if kind == 'spot' else 'on demand'}" for kind, hours in rest.items() if hours >= 0.5]  # fmt: skip
    off = sum(one.usd_per_month for one in decision.switch_off if one.is_saved_by_mix)
    if off > 0:
        said.append(f"let go of what is committed and not used ({usd(off)} USD a month)")
    if not decision.gpus:
        return f"Keep what you have: none of these offers is cheaper than the {usd(decision.paid_usd_per_month)} USD a month paid; nothing is saved"
    first = ", ".join(said)
    text = (
        f"{first[:1].upper()}{first[1:]}: saves {usd(decision.saving_usd_per_month)} USD a month "
        f"({percent(decision.saving_share)}) of the {usd(decision.paid_usd_per_month)} paid"
    )
    if decision.holds_share is not None:
        text += (
            f"; between {usd(decision.saving_low_usd_per_month)} and {usd(decision.saving_high_usd_per_month)} in 8 of 10 "
            f"resamples, and the choice holds in {percent(decision.holds_share)} of them"
        )
    return text


def decision_tables(decision: Decision) -> list[Table]:
    """Return the same for people."""
    whole = [
        ("paid today", f"{usd(decision.paid_usd_per_month)} USD a month"),
        ("after, when today's commitments have ended", f"{usd(decision.after_usd_per_month)} USD a month"),
        (
            "could be saved at once, by a mix for the hours outside them",
            f"{usd(decision.now_saving_usd_per_month)} USD a month",
        ),
    ]
    tables = [Table(headline(decision), (Column(""), Column("")), tuple(whole), "; ".join(decision.notes))]
    tables += [_parts(gpu) for gpu in decision.gpus]
    if decision.switch_off:
        rows = tuple(
            (one.what, usd(one.usd_per_month), count(round(one.gpu_hours_per_month)), one.when)
            for one in decision.switch_off[:12]
        )
        columns = (Column("what"), Column("costs", "USD/month", is_number=True), Column("hours", "GPU-h/month", is_number=True), Column("when"))  # fmt: skip
        tables.append(Table("Switch off", columns, rows))
    if decision.kept:
        tables.append(Table("Stays as it is", (Column("gpu"), Column("because")), decision.kept))
    return tables


def _parts(gpu: GpuDecision) -> Table:
    title = (
        f"{gpu.gpu}: {usd(gpu.paid_usd_per_month)} USD a month paid, {usd(gpu.mix_usd_per_month)} with this mix "
        f"({count(round(gpu.base_gpus))} base, {count(round(gpu.mean_gpus, 1))} mean, {count(round(gpu.peak_gpus))} peak GPUs)"
    )
    rows = tuple(
        (
            KIND_WORDS[part.kind],
            part.name,
            count(round(part.gpus, 2)) if part.gpus else "by the hour",
            count(round(part.gpu_hours_per_month)),
            count(round(part.idle_gpu_hours_per_month)),
            usd(part.usd_per_month),
        )
        for part in gpu.parts
    )
    notes = []
    if gpu.break_even is not None:
        notes.append(
            f"an hour in use cost {usd(gpu.break_even.paid_usd_per_gpu_hour)} USD, with what was committed and not used; {gpu.break_even.because}; the base load works in {percent(gpu.break_even.base_use_share)} of the hours"
        )
    if gpu.holds_share is not None:
        notes.append(
            f"saves {usd(gpu.saving_low_usd_per_month)} to {usd(gpu.saving_high_usd_per_month)} USD a month in 8 of 10 "
            f"resamples, anything at all in {percent(gpu.saves_share)}; within 5 % of the best in {percent(gpu.holds_share)}"
        )
    columns = (
        Column("part"),
        Column("offer or server"),
        Column("kept", "GPUs", is_number=True),
        Column("works", "GPU-h/month", is_number=True),
        Column("idle", "GPU-h/month", is_number=True),
        Column("cost", "USD/month", is_number=True),
    )
    return Table(title, columns, rows, "; ".join(notes))
