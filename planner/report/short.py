"""The short answer: one screen that says what to do, what else there is, why, and what would change it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from planner.options.price_evidence import age_limit_of
from planner.report.figures import machines_text, significant, usd
from planner.report.option_words import chosen_of, range_usd, short_name, stage_words, stated_usd
from planner.report.question import question_of
from planner.report.table import Table, headings
from planner.report.wording import brief_reason
from planner.report.words import how_paid, label, seller

if TYPE_CHECKING:
    from planner.report.schema.option import OptionRecord
    from planner.report.schema.plan import DroppedRecord, PlanRecord, TurnRecord


SERVED = {"serve", "batch", "embed"}
"""Kinds of work that an inference engine does."""
REASONS = 5
"""Bullets that say why, at most."""
CHANGES = 3
"""Changes of the decision that are shown, at most."""
SORTS = {
    "hyperscaler": "Hyperscaler",
    "established": "GPU cloud",
    "cheapest_listed": "Cheapest rent",
    "api": "Hosted API",
    "own": "Owned",
    "cpu": "CPU only",
    "have": "What you have",
}
TAKEN = {
    "hyperscaler": "take the hyperscaler",
    "established": "take the GPU cloud",
    "cheapest_listed": "take the cheapest rent",
    "api": "take the hosted API",
    "own": "buy",
    "cpu": "use CPUs only",
    "have": "use what you have",
}
"""What to do where the decision changes to one of the options shown."""
NONE = "no such offer does this work"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortAnswer:
    """What one screen shows of a plan, in the order of reading.

    Attributes
    ----------
    question : str
        What was asked.
    defaults : str
        The values in force that nobody stated.
    headline : str
        The verdict with the age of its price and its confidence.
    alternatives : Table
        The best of each sort, side by side.
    why : tuple of str
        Reasons, the weightiest first.
    changes : tuple of str
        What would change the decision.
    left_out : str
        Offers and other facts that filters took out, counted.
    left_out_briefly : str
        The largest of them, and how many others there are, for where there is no room.
    command : str
        The command that asks this again; empty in a plan of an older program.
    next_steps : tuple of str
        What to do with the answer: whom to ask for a key, and the command that writes a manifest.
    next_steps_briefly : tuple of str
        The same, the command as a change of the one that asks again.
    """

    question: str
    defaults: str
    headline: str
    alternatives: Table
    why: tuple[str, ...]
    changes: tuple[str, ...]
    left_out: str
    left_out_briefly: str
    command: str
    next_steps: tuple[str, ...]
    next_steps_briefly: tuple[str, ...]


def short_answer(record: PlanRecord) -> ShortAnswer:
    """Return a plan's short answer.

    Parameters
    ----------
    record : PlanRecord
        The plan.
    """
    question, defaults = question_of(record)
    verdict, dropped = record["verdict"], record.get("dropped") or ()
    return ShortAnswer(
        question=question,
        defaults=defaults,
        headline=verdict["headline"],
        alternatives=alternatives_table(record),
        why=tuple(verdict["because"][:REASONS]),
        changes=_changes(record)[:CHANGES],
        left_out="; ".join(f"{part['count']:,} {part['reason']}" for part in dropped),
        left_out_briefly=_briefly(dropped),
        command=verdict.get("command", ""),
        next_steps=next_steps(record),
        next_steps_briefly=next_steps(record, is_brief=True),
    )


def next_steps(record: PlanRecord, *, is_brief: bool = False) -> tuple[str, ...]:
    """Say how to act on a plan: the command that writes a manifest or task of machines that can be started.

    What is hosted, owned or free has none; then it is the command of the cheapest rented machines that may be recommended.
    """
    verdict = record["verdict"]
    chosen = chosen_of(record)
    command = verdict.get("command", "")
    if chosen is None or not command:
        return ()
    target = "kubernetes" if record["workload"]["kind"] in SERVED else "skypilot"
    launch = "the same with launch for plan, and" if is_brief else command.replace("gpuplan plan", "gpuplan launch", 1)
    words = f"{launch} --to {target}"
    if chosen["kind"] in {"rent", "cpu"}:
        return (f"Launch: {words}",)
    rents = [option for option in record["options"] if option["kind"] == "rent" and option["choosable"]]
    rents.sort(
        key=lambda option: option["purchase_option"] != "on_demand"
    )  # what can be started is without a commitment
    key = f"Next: get an API key from {seller(chosen['provider'])}" if chosen["kind"] == "api" else ""
    if not rents:
        return (f"{key}.",) if key else ()
    ours = f"launch rented GPUs: {words} --option {shlex.quote(rents[0]['id'])}"
    return (f"{key}, or {ours}" if key else f"Or {ours}",)


def _briefly(dropped: Sequence[DroppedRecord]) -> str:
    """Return the largest part of what was left out, and how much else was."""
    if not dropped:
        return ""
    most, *others = sorted(dropped, key=lambda part: -part["count"])
    rest = sum(part["count"] for part in others)
    return f"{most['count']:,} {most['reason']}" + (f"; {rest:,} others" if rest else "")


def best_ids(record: PlanRecord) -> dict[str, str]:
    """Return the id of the best option of each sort that has one; a plan of an older program names none."""
    named = record["verdict"].get("alternatives")
    ids = {sort: named.get(sort) for sort in SORTS} if named else {}
    return {sort: name for sort, name in ids.items() if isinstance(name, str) and name}


def alternatives_table(record: PlanRecord) -> Table:
    """Return the best option of each sort side by side, the verdict marked, a dash with its reason where there is none."""
    by_id = {option["id"]: option for option in record["options"]}
    chosen, once = record["verdict"]["option_id"], record.get("runs_once", False)
    currency = record.get("currency")
    code, rate = (currency["code"], currency["usd_per_unit"]) if currency else ("", None)
    best, named = best_ids(record), record["verdict"].get("alternatives")
    rows: list[tuple[str, ...]] = []
    missing: dict[str, list[str]] = {}
    barred: dict[str, str] = {}
    staged: dict[str, str] = {}
    if chosen in by_id and chosen not in best.values():
        staged |= {"Verdict": stage_words(by_id[chosen])} if stage_words(by_id[chosen]) else {}
        rows.append(_row("> Verdict", by_id[chosen], once=once, usd_per_unit=rate))
    for sort, words in SORTS.items():
        option = by_id.get(best.get(sort, ""))
        if option is not None:
            staged |= {words: stage_words(option)} if stage_words(option) else {}
            against = _against(option, record)
            mark = "> " if option["id"] == chosen else "? " if against else "  "
            rows.append(_row(mark + words, option, once=once, usd_per_unit=rate))
            barred |= {words: against[0]} if mark == "? " else {}
        elif named and sort != "have":  # nothing is missing where nothing was stated
            why = named["reason"].get(sort) or NONE
            missing.setdefault(why.replace("none that does this work within the constraints", NONE), []).append(words)
    for why, sorts in missing.items():
        name, what = (sorts[0], f"- ({why})") if len(sorts) == 1 else ("None", f"- {', '.join(sorts)}")
        rows.append((f"  {name}", what, "-", "-", "-", "-"))
    per = "run" if once else "month"
    line = f" | Option | USD/{per}: | 80 % range: | Age: | {code}/{per}:"
    columns = headings(line, leaving=("Age", f"{code}/{per}", "80 % range"))
    notes = ["> the verdict"] if any(row[0][0] == ">" for row in rows) else []
    if barred:
        reasons = [f"{words}: {why}" for words, why in barred.items()] if len(barred) > 1 else barred.values()
        notes.append(f"? not recommended ({'; '.join(reasons)})")
    notes += [f"{words}: {stages} (the mean is shown)" for words, stages in staged.items()]
    notes += [f"None: {why}" for why, sorts in missing.items() if len(sorts) > 1]
    return without_empty(Table("", columns, tuple(rows), "; ".join(notes)))


def _row(words: str, option: OptionRecord, *, once: bool, usd_per_unit: float | None = None) -> tuple[str, ...]:
    cost_usd, spread = stated_usd(option, once=once), range_usd(option, once=once)
    age, is_dated = option.get("price_age_days"), "undated_price" not in _codes(option)
    return (
        words,
        short_name(option).replace(" USD capex", " capex"),
        usd(cost_usd),
        " to ".join(usd(significant(edge)) for edge in spread) if spread else "-",
        "-" if age is None else f"{age:,} d" if is_dated else "undated",
        usd(cost_usd / usd_per_unit) if usd_per_unit else "-",
    )


def _against(option: OptionRecord, record: PlanRecord) -> list[str]:
    """Say briefly why an option is not recommended; a server at an old price is none before it is quoted anew."""
    limit, age_days = age_limit_of(option["kind"], option["purchase_option"]), option.get("price_age_days") or 0
    is_old = option["kind"] == "buy" and any(
        row["name"] == limit and age_days > row["value"] for row in record["assumptions"]
    )
    return [*map(brief_reason, _codes(option)), *(["old price, ask for a quote"] if is_old else [])]


def _codes(option: OptionRecord) -> list[str]:
    """Return why an option is not recommended."""
    return [reason["code"] for reason in option["not_recommended"]]


def without_empty(table: Table) -> Table:
    """Return a table without the columns that hold nothing."""
    filled = [
        i for i, _ in enumerate(table.columns) if not table.rows or any(row[i] not in {"", "-"} for row in table.rows)
    ]
    return with_columns(table, filled)


def with_columns(table: Table, kept: Sequence[int]) -> Table:
    """Return a table with some of its columns."""
    rows = tuple(tuple(row[i] for i in kept) for row in table.rows)
    return replace(table, columns=tuple(table.columns[i] for i in kept), rows=rows)


def _changes(record: PlanRecord) -> tuple[str, ...]:
    """Say at which values the decision would be another one."""
    by_id = {option["id"]: option for option in record["options"]}
    names = {name: TAKEN[sort] for sort, name in best_ids(record).items()}
    changes = tuple(_turn(turn, by_id, names) for turn in record["verdict"].get("turns_at") or ())
    if changes or record.get("runs_once"):
        return changes
    chosen = record["verdict"]["option_id"]
    pair = next((pair for pair in record["break_evens"] if chosen in {pair["rent_id"], pair["buy_id"]}), None)
    if pair is None or not pair["price_usd_per_hour"]:
        return ()
    rent = by_id[pair["rent_id"]]
    side, then = ("above", "buy") if chosen == rent["id"] else ("below", "rent")
    now = usd(rent["price_usd_per_hour"])
    return (f"{_priced(rent)} {side} {usd(pair['price_usd_per_hour'])} USD/h (now {now}): {then}.",)


def _priced(option: OptionRecord) -> str:
    """Return what an option's price is the price of: one machine of a seller, or tokens."""
    if option["kind"] == "api":
        return short_name(option)
    machine = machines_text(1, option["instance_type"], option["accelerator_count"], option["accelerator"])
    if option["kind"] == "buy":
        return f"{machine}, bought,"
    return f"{machine} at {option['provider']}, {how_paid(option['purchase_option'])},"


def _turn(turn: TurnRecord, by_id: Mapping[str, OptionRecord], names: Mapping[str, str]) -> str:
    """Say from which value on another option would be taken, by its name in the table above where it has one."""
    then = by_id.get(turn["then"])
    side = "above" if turn["value"] >= turn["planned"] else "below"
    is_money = turn["unit"].startswith("USD")
    value, planned = (usd(turn[key]) if is_money else f"{significant(turn[key]):,g}" for key in ("value", "planned"))
    if value == planned:
        value, planned = (f"{turn[key]:,.5g}" for key in ("value", "planned"))
    match turn["what"]:
        case "price":
            option = by_id.get(turn["option_id"])
            what = f"{_priced(option) if option else 'Its price'} {side} {value} {turn['unit']} (now {planned})"
        case "rents":
            what = f"All rents {side} {value} times today's"
        case other:
            what = f"{label(other.rpartition('.')[2]).partition(' (')[0]} {side} {value} (now {planned})"
    return f"{what}: {names.get(turn['then']) or (short_name(then) if then else 'another option')}."
