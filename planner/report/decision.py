"""A decision as a record and as tables, the verdict first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from planner.decision import Decision, GpuDecision
from planner.decision.answer import OwnBreakEven, Part, Step
from planner.figures import count, percent, usd
from planner.report.decision_words import WHEN_WORDS, because, note_said, switched_off
from planner.report.notes import note_text
from planner.report.table import Table, headings, table_of
from planner.report.values import Record

AT_ONCE_SHARE = 0.99
"""Whose saving waits for the end of commitments is told so."""
MOST_SWITCHED_OFF = 12
QUARTER_DAYS = 90
"""Servers are not bought on a shorter record without a word."""
MOST_PLACES_SAID = 3
"""Of more, the verdict tells the sum, and the tables each."""
LADDER_WORDS = {
    "on_demand": "on demand only",
    "committed": "and commitments",
    "spot": "and spot",
    "owned": "and own servers",
    "recommended": "recommended",
}
KIND_WORDS = {"owned": "own", "committed": "commit", "spot": "spot", "on_demand": "on demand"}


def decision_record(decision: Decision) -> Record:
    """Return everything that was decided, keys with units."""
    record = asdict(decision)
    record["headline"] = headline(decision)
    record["kept"] = [asdict(kept) | {"gpu": kept.name, "because": because(kept)} for kept in decision.kept]
    record["switch_off"] = [
        asdict(idle) | {"what": switched_off(idle), "when": WHEN_WORDS[idle.code]} for idle in decision.switch_off
    ]
    for gpu, said in zip(decision.gpus, record["gpus"], strict=True):
        if gpu.break_even is not None:
            said["break_even"]["because"] = note_text(gpu.break_even.because)
    record["notes"] = [note_said(note) for note in decision.notes]
    return record


def headline(decision: Decision) -> str:
    """Return the verdict in a sentence or two: what to stop first, then place by place what to have."""
    said = []
    idle = sum(gpu.idle_gpus for gpu in decision.gpus)
    if idle > 0:
        said.append(f"stop idle machines first ({count(round(idle, 1))} GPUs on average run without work)")
    several = len(decision.gpus) > 1
    if len(decision.gpus) > MOST_PLACES_SAID:
        places = dict.fromkeys(", ".join(gpu.place.split(", ")[:2]) for gpu in decision.gpus if gpu.place)
        where = f" ({'; '.join(places)})" if places else ""
        said.append(f"for {len(decision.gpus)} kinds of machines{where}: {', '.join(_parts_said(decision.gpus))}")
    else:
        for gpu in decision.gpus:
            place = f"for {gpu.gpu} at {gpu.place}: " if several and gpu.place else ""
            said.append(place + ", ".join(_parts_said([gpu])))
    off = sum(idle.usd_per_month for idle in decision.switch_off if idle.is_saved_by_mix and idle.code != "idle")
    if off > 0:
        said.append(f"do not renew the unused part of commitments ({usd(off)} USD a month, included in the saving)")
    if not decision.gpus:
        return _keep_said(decision)
    first = ("; " if several else ", ").join(said)
    saves = (
        f"This saves {usd(decision.saving_usd_per_month)} of the {usd(decision.paid_usd_per_month)} USD paid a month "
        f"({percent(decision.saving_share)})"
    )
    if _waits(decision):
        saves += f", {_when(decision)}; {usd(decision.now_saving_usd_per_month)} of it at once"
    trends = [
        f"Use went from {count(round(gpu.trend_first_gpus))} to {count(round(gpu.trend_last_gpus))} GPUs, and this is sized for what runs now"
        for gpu in decision.gpus
        if gpu.trend_first_gpus is not None and gpu.trend_last_gpus is not None
    ]
    sure = [f"It saves {_confidence(decision)}"] if decision.holds_share is not None else []
    if decision.is_short:
        sure = ["The record is too short to say how certain that is"]
    return ". ".join([f"{first[:1].upper()}{first[1:]}", saves, *trends, *sure, *_before_a_purchase(decision)])


def _before_a_purchase(decision: Decision) -> list[str]:
    """Say what to make sure of before servers are bought on a record of a few weeks."""
    days = min((note.amounts[0] for note in decision.notes if note.code == "no_seasons"), default=QUARTER_DAYS)
    if days >= QUARTER_DAYS or not any(part.kind == "owned" for gpu in decision.gpus for part in gpu.parts):
        return []
    return [
        f"Before you buy, check that the use of a quarter looks like these {days:.0f} days, and get quotes for the servers"
    ]


def _confidence(saving: Decision | GpuDecision) -> str:
    """Return the range of a saving and how sure it is."""
    return (
        f"{usd(saving.saving_low_usd_per_month)} to {usd(saving.saving_high_usd_per_month)} USD a month in 8 of 10 simulated futures, "
        f"and something in {percent(saving.saves_share)}; in {percent(saving.holds_share)} no other choice would be more than 5 % cheaper"
    )


def _waits(decision: Decision) -> bool:
    return decision.now_saving_usd_per_month < AT_ONCE_SHARE * decision.saving_usd_per_month


def _when(decision: Decision) -> str:
    """Return when the whole saving is there."""
    ends = any(gpu.now_paid_usd_per_month < AT_ONCE_SHARE * gpu.paid_usd_per_month for gpu in decision.gpus)
    is_bought = any(part.kind == "owned" for gpu in decision.gpus for part in gpu.parts)
    waits = ["today's commitments have ended"] * ends + ["the servers are delivered"] * is_bought
    return "once " + " and ".join(waits or ["today's commitments have ended"])


def _parts_said(gpus: Sequence[GpuDecision]) -> list[str]:
    parts = [(gpu.gpu, part) for gpu in gpus for part in gpu.parts]
    names = list(dict.fromkeys(gpu.gpu for gpu in gpus))
    capex_usd, spot_share = sum(gpu.capex_usd for gpu in gpus), max(gpu.spot_share for gpu in gpus)
    said = []
    for kind, verb in (("owned", "buy"), ("committed", "commit to")):
        kept = {
            name: number
            for name in names
            if (number := sum(part.gpus for gpu, part in parts if (gpu, part.kind) == (name, kind)))
        }
        capex = f" ({usd(capex_usd)} USD of capex)" if kind == "owned" and capex_usd else ""
        unit = "GPU" if sum(kept.values()) == 1 else "GPUs"
        said += [f"{verb} {_by_name(kept, 2, len(names) > 1)} {unit}{capex}"] if kept else []
    for kind, words in (("spot", "on spot"), ("on_demand", "on demand")):
        hours = {
            name: number
            for name in names
            if (number := sum(part.gpu_hours_per_month for gpu, part in parts if (gpu, part.kind) == (name, kind)))
            >= 0.5
        }
        limit = f" (at most {percent(spot_share)} of the demand)" if kind == "spot" and spot_share < 1 else ""
        said += [f"run {_by_name(hours, 0, len(names) > 1)} GPU-hours a month {words}{limit}"] if hours else []
    return said


def _by_name(numbers: Mapping[str, float], digits: int, named: bool) -> str:
    """Return a number, or one of each accelerator where there are several."""
    return " and ".join(
        f"{count(round(number, digits))}{f' {name}' if named else ''}" for name, number in numbers.items()
    )


def _keep_said(decision: Decision) -> str:
    unused = sum(idle.usd_per_month for idle in decision.switch_off)
    text = "Keep what you have"
    if unused > 0:
        text = f"Switch off what is idle ({usd(unused)} USD a month), and keep the rest"
    doubtful = [f"{kept.name} is {because(kept)}" for kept in decision.kept if kept.code == "close_call"]
    if doubtful:
        return ". ".join([text, *doubtful])
    if decision.is_short:
        return f"{text}: the record is too short to buy or commit on, and by the hour none of these offers is cheaper than the {usd(decision.paid_usd_per_month)} USD a month paid"
    return f"{text}: none of these offers is cheaper than the {usd(decision.paid_usd_per_month)} USD a month paid; nothing is saved"


def decision_tables(decision: Decision) -> list[Table]:
    """Return the same for people."""
    whole = {
        "paid today": decision.paid_usd_per_month,
        f"after, {_when(decision)}" if _waits(decision) else "after": decision.after_usd_per_month,
        "could be saved at once, on what is not committed": decision.now_saving_usd_per_month,
    }
    sums = tuple((name, f"{usd(value)} USD a month") for name, value in whole.items())
    tables = [Table(headline(decision), headings(" | "), sums)]
    tables += [_parts(gpu) for gpu in decision.gpus]
    tables += _ladder(decision)
    if decision.switch_off:
        rows = tuple(
            (switched_off(idle), usd(idle.usd_per_month), count(round(idle.gpu_hours_per_month)), WHEN_WORDS[idle.code])
            for idle in decision.switch_off[:MOST_SWITCHED_OFF]
        )
        rest = decision.switch_off[MOST_SWITCHED_OFF:]
        if rest:
            total, hours = sum(idle.usd_per_month for idle in rest), sum(idle.gpu_hours_per_month for idle in rest)
            rows += ((f"{len(rest)} more", usd(total), count(round(hours)), ""),)
        columns = headings("what | costs [USD/month]: | hours [GPU-h/month]: | when")
        tables.append(Table("Switch off", columns, rows))
    if decision.kept:
        reasons = tuple((kept.name, because(kept, is_short=decision.is_short)) for kept in decision.kept)
        tables.append(Table("Keep as it is", headings("gpu | because"), reasons))
    notes = [note_said(note) for note in decision.notes]
    if decision.resamples:
        notes.append(f"simulated futures ({decision.resamples}): weeks of the record drawn again, with other demand, rents and server prices (--resamples)")  # fmt: skip
    tables.append(
        Table("What this decision rests on", headings("note"), tuple((note[:1].upper() + note[1:],) for note in notes))
    )
    return tables


def ladder_steps(decision: Decision) -> list[Step]:
    """Return the steps of the ladder, and below them what is recommended."""
    steps = list(decision.ladder)
    if steps and decision.gpus:
        parts = [part for gpu in decision.gpus for part in gpu.parts]
        paid = steps[0].usd_per_month + steps[0].saving_usd_per_month
        recommended = Step(
            kind="recommended",
            usd_per_month=paid - decision.saving_usd_per_month,
            saving_usd_per_month=decision.saving_usd_per_month,
            committed_usd_per_month=sum(part.usd_per_month for part in parts if part.kind == "committed"),
            capex_usd=sum(gpu.capex_usd for gpu in decision.gpus),
            break_even_use_share=None,
        )
        steps.append(recommended)
    return steps


def _ladder(decision: Decision) -> list[Table]:
    if len(decision.ladder) < 2:
        return []
    columns: dict[str, Callable[[Step], str]] = {
        "with": lambda step: LADDER_WORDS[step.kind],
        "cost [USD/month]:": lambda step: usd(step.usd_per_month),
        "saves [USD/month]:": lambda step: usd(step.saving_usd_per_month),
        "committed [USD/month]:": lambda step: usd(step.committed_usd_per_month),
        "capex [USD]:": lambda step: usd(step.capex_usd),
        "breaks even [at use of]:": lambda step: percent(step.break_even_use_share),
    }
    note = "each step is the cheapest mix of that option and those above; breaks even: the share of the hours in which a machine has to be used to cost less than on demand; "
    by_hour = "on so short a record only what is taken by the hour is recommended"
    note += by_hour if decision.is_short else "what is recommended saves in most simulated futures too"
    outside = decision.paid_usd_per_month - decision.ladder[0].usd_per_month - decision.ladder[0].saving_usd_per_month
    if outside >= 0.5:
        note += f"; {usd(outside)} USD a month of the bill is not part of this table (fees, and machines for which nothing was compared)"
    if decision.oldest_price_on:
        note += f"; the oldest price is of {decision.oldest_price_on.isoformat()}"
    return [table_of("The ladder: what each further purchase option would save", ladder_steps(decision), columns, note)]


def _break_even(own: OwnBreakEven) -> str:
    if own.utilisation_share is None:
        return note_text(own.because)
    return f"at that price an own server pays off from {percent(own.utilisation_share)} use on"


def _parts(gpu: GpuDecision) -> Table:
    title = (
        f"{gpu.gpu}{f' at {gpu.place}' if gpu.place else ''}: {usd(gpu.paid_usd_per_month)} USD a month paid, {usd(gpu.mix_usd_per_month)} with this mix "
        f"({count(round(gpu.base_gpus))} base, {count(round(gpu.mean_gpus, 1))} mean, {count(round(gpu.peak_gpus))} peak GPUs)"
    )
    columns: dict[str, Callable[[Part], str]] = {
        "use": lambda part: KIND_WORDS[part.kind],
        "offer or server": lambda part: part.name,
        "kept [GPUs]:": lambda part: count(round(part.gpus, 2)) if part.gpus else "by the hour",
        "used [GPU-h/month]:": lambda part: count(round(part.gpu_hours_per_month)),
        "idle [GPU-h/month]:": lambda part: count(round(part.idle_gpu_hours_per_month)),
        "cost [USD/month]:": lambda part: usd(part.usd_per_month),
        "priced on": lambda part: part.priced_on.isoformat() if part.priced_on else "the bill",
    }
    notes = []
    if gpu.break_even is not None:
        hour_usd, use = usd(gpu.break_even.paid_usd_per_gpu_hour), percent(gpu.break_even.base_use_share)
        base = f"; the base load is in use in {use} of the hours" if gpu.base_gpus > 0 else ""
        notes.append(
            f"today a used GPU-hour costs {hour_usd} USD, unused commitments included; {_break_even(gpu.break_even)}{base}"
        )
    if gpu.going_on_gpus is not None:
        notes.append(
            f"if use continues like this for as long again ({count(round(gpu.going_on_gpus))} GPUs), this mix costs {usd(gpu.going_on_usd_per_month)} USD a month "
            f"and the cheapest for that {usd(gpu.going_on_best_usd_per_month)}"
        )
    if gpu.holds_share is not None:
        notes.append(f"saves {_confidence(gpu)}")
    return table_of(title, gpu.parts, columns, "; ".join(notes))
