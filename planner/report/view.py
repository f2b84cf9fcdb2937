"""The view: a plan's record as text, the same in every form; `figures.py` rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from planner.assumptions import value_text
from planner.report.figures import count, duration, percent, significant, usd
from planner.report.option_words import label, machines, paid, place_of, stage_words, stated_usd
from planner.report.question import question_of
from planner.report.short import SORTS, alternatives_table, best_ids
from planner.report.table import Table, headings, table_of

if TYPE_CHECKING:
    from planner.report.schema.option import OptionRecord, UnitKey
    from planner.report.schema.plan import PlanRecord


SPEEDS = {"serve": "TTFT / TPOT", "diffusion": "speed", "video": "speed"}
"""The figure of speed of a kind of work; of all others how long a run takes."""
UNITS: dict[str, tuple[UnitKey, str]] = {
    "diffusion": ("usd_per_thousand_images", "1k images"),
    "video": ("usd_per_thousand_images", "1k clips"),
    "gpu_hours": ("usd_per_useful_gpu_hour", "useful GPU-h"),
}
"""What a unit of a kind of work costs; of all others tokens."""
TOKENS: tuple[UnitKey, str] = ("usd_per_million_tokens", "1M tokens")
BARS = 5
"""Assumptions shown of those that move the saving."""
NOT_RECOMMENDED = 3
"""Cheaper options shown below the options that may be recommended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A plan as a reader sees it, in the order of reading.

    Attributes
    ----------
    title : str
        What was asked, with every value in force.
    headline : str
        The verdict, one sentence.
    because : tuple of str
        Why.
    alternatives, options, break_evens, turns, sensitivity, assumptions, sources, funnel : Table
        The tables below.
    notes : tuple of str
        What the reader should know.
    """

    title: str
    headline: str
    because: tuple[str, ...]
    alternatives: Table
    options: Table
    break_evens: Table
    turns: Table
    sensitivity: Table
    assumptions: Table
    sources: Table
    funnel: Table
    notes: tuple[str, ...]


def plan_view(record: PlanRecord, *, top: int = 12) -> View:
    """Return a plan's record as text.

    Parameters
    ----------
    record : PlanRecord
        As `planner.report.record.plan_record` makes it, or as read from a file.
    top : int
        Rows of the table of options.
    """
    shown = _shown(record, top)
    question, defaults = question_of(record)
    command = record["verdict"].get("command")
    return View(
        title=f"{question}. Defaults: {defaults}." if defaults else question,
        headline=record["verdict"]["headline"],
        because=tuple(record["verdict"]["because"]),
        alternatives=_alternatives(record),
        options=_options(record, shown),
        break_evens=_break_evens(record),
        turns=_turns(record),
        sensitivity=_sensitivity(record),
        assumptions=_assumptions(record),
        sources=_sources(record, shown),
        funnel=table_of(
            "What was considered",
            record["funnel"],
            {"left [options]:": lambda step: count(step["offer_count"]), "after": lambda step: step["name"]},
        ),
        notes=(*record["notes"], *([f"to run this again: {command}"] if command else [])),
    )


def _alternatives(record: PlanRecord) -> Table:
    """Return the best option of each sort side by side, with why some of them are not recommended."""
    table = alternatives_table(record)
    by_id = {option["id"]: option for option in record["options"]}
    best = best_ids(record)
    barred: dict[str, list[str]] = {}
    for sort, words in SORTS.items():
        option = by_id.get(best.get(sort, ""))
        if option is not None and option["reason_not_chosen"]:
            barred.setdefault(option["reason_not_chosen"], []).append(words)
    notes = [f"{', '.join(sorts)} not recommended: {reason}" for reason, sorts in barred.items()]
    return replace(table, title="Side by side", note="; ".join([table.note, *notes]) if table.rows else "")


def _shown(record: PlanRecord, top: int) -> list[OptionRecord]:
    """Return the first options, the best of each kind that did not get among them, and the cheapest that may not be recommended."""
    recommendable = [option for option in record["options"] if option["choosable"]]
    shown = recommendable[:top]
    kinds = {option["kind"] for option in shown}
    for option in recommendable[top:]:
        if option["kind"] not in kinds or option["id"] == record["verdict"]["option_id"]:
            shown.append(option)
            kinds.add(option["kind"])
    dearest = max((option["cost"]["present_value_usd"] for option in shown), default=0.0)
    others = [option for option in record["options"] if not option["choosable"]]
    return shown + [option for option in others[:NOT_RECOMMENDED] if option["cost"]["present_value_usd"] < dearest]


def _speed(option: OptionRecord) -> str:
    """Return the figure of speed that the kind of work turns on."""
    performance = option["performance"]
    if performance is None:
        return "-"
    if option["hours_per_run"] is not None:
        return duration(option["hours_per_run"])
    if performance["ttft_ms"] is not None and performance["tpot_ms"] is not None:
        return f"{significant(performance['ttft_ms'], 2):,.0f} / {significant(performance['tpot_ms'], 2):g} ms"
    if performance["rate_unit"] == "images" and performance["rate_per_s"] is not None:
        return f"{significant(performance['rate_per_s']['typical'], 2):g} images/s"
    if performance["rate_unit"] == "clips" and performance["rate_per_s"] is not None:
        return f"{significant(3600.0 * performance['rate_per_s']['typical'], 2):g} clips/h"
    return "-"


def _sameness(option: OptionRecord) -> tuple[object, ...]:
    """Return what two offers share that are one to a buyer: 1 x 8, 2 x 4 and 8 x 1 of the same GPUs at one price."""
    return (
        option["kind"],
        place_of(option),
        option["accelerator"] or option["id"],
        option["accelerators_total_count"],
        option["purchase_option"],
        usd(option["cost"]["present_value_usd"]),
        option["choosable"],
    )


def _options(record: PlanRecord, shown: Sequence[OptionRecord]) -> Table:
    chosen = record["verdict"]["option_id"]
    once = any(option["hours_per_run"] is not None for option in record["options"]) and not record["workload"].get(
        "runs_per_month"
    )
    kind, months = record["workload"]["kind"], f"{record['horizon_months']} months"
    unit_key, unit_name = UNITS.get(kind, TOKENS)
    speed = SPEEDS.get(kind, "run takes")
    money = "run [USD]:" if once else f"month [USD]: | {months} [NPV, USD]:"
    rows = []
    ranks = {option["id"]: index for index, option in enumerate(record["options"], 1)}
    groups: dict[tuple[object, ...], list[OptionRecord]] = {}
    for option in shown:
        groups.setdefault(_sameness(option), []).append(option)
    for same in groups.values():
        option = next((other for other in same if other["id"] == chosen), same[0])
        mark = "*" if option["id"] == chosen else "" if option["choosable"] else "?"
        cost = option["cost"]
        rows.append(
            (
                f"{ranks[option['id']]}{mark}",
                " or ".join(dict.fromkeys(machines(other) for other in same)),
                place_of(option),
                paid(option),
                usd(stated_usd(option, once=once)),
                *([] if once else [usd(cost["present_value_usd"])]),
                usd(cost[unit_key]),
                _speed(option),
                option["priced_on"],
            )
        )
    legend = ["* the verdict"] + (
        ["? not recommended (why: -f json)"] if any(not option["choosable"] for option in shown) else []
    )
    staged: dict[str, list[str]] = {}
    for option in shown:
        if words := stage_words(option):
            staged.setdefault(words, []).append(f"#{ranks[option['id']]}")
    legend += [f"{', '.join(same)}: {words} (the mean is shown)" for words, same in staged.items()]
    hidden = record["options_found_count"] - len(shown)
    if hidden > 0:
        legend.append(f"{hidden:,} more options (--top)")
    return Table(
        "Options, cheapest first",
        headings(
            f"#: | machines | where | paid | {money} | {unit_name} [USD]: | {speed}: | priced on",
            leaving=(unit_name, months, speed),
        ),
        tuple(rows),
        "; ".join(legend),
    )


def _break_evens(record: PlanRecord) -> Table:
    by_id = {option["id"]: option for option in record["options"]}
    note = "nothing to compare: no server for this work, or nothing to rent"
    if record["break_evens"]:
        own = by_id[record["break_evens"][0]["buy_id"]]
        note = (
            f"against owning {label(own)}; over {record['horizon_months']} months (NPV). "
            "Equal: the utilization, and the rent of one instance, at which both cost the same; above it owning is cheaper"
        )
    return table_of(
        "Rent against buy",
        record["break_evens"],
        {
            "rent": lambda pair: label(by_id[pair["rent_id"]]),
            "rent [USD/h]:": lambda pair: usd(by_id[pair["rent_id"]]["price_usd_per_hour"]),
            "pays off [month]:": lambda pair: "never" if pair["month"] is None else f"{pair['month']:.1f}",
            "equal [utilization]:": lambda pair: _above(pair["utilisation_share"]),
            "equal [USD/h]:": lambda pair: usd(pair["price_usd_per_hour"]),
            "owning [saves USD]:": lambda pair: usd(pair["saving_usd"]),
        },
        note,
    )


def _turns(record: PlanRecord) -> Table:
    """Return the prices and the use at which the verdict would be another one."""
    by_id = {option["id"]: option for option in record["options"]}

    def name(option_id: str) -> str:
        option = by_id.get(option_id)
        return label(option) if option else option_id

    rows = []
    for turn in record["verdict"].get("turns_at") or ():  # a plan of an older program has none
        match turn["what"]:
            case "price":
                what = f"price of {name(turn['option_id'])}"
            case "rents":
                what = "all rents, over today's"
            case other:
                what = other.replace("_", " ")
        side = "above" if turn["value"] >= turn["planned"] else "below"
        value = f"{side} {significant(turn['value']):,g}"
        rows.append((what, f"{significant(turn['planned']):,g}", value, turn["unit"], name(turn["then"])))
    columns = headings("what | planned: | turns at: | unit | then")
    note = (
        "one value at a time, everything else as planned; from a quarter to four times the planned value, prices and use not listed here change nothing"
        if rows
        else ""
    )
    return Table("What would change the decision", columns, tuple(rows), note)


def _sensitivity(record: PlanRecord) -> Table:
    """Return the assumptions that move the saving of owning most, and how sure the comparison is."""
    risk = record["risk"]
    note = ""
    if risk:
        note = (
            f"with all assumptions within their ranges owning is cheaper in {percent(risk['probability_buy_cheaper_share'])} of "
            f"{risk['draws']:,} draws; it saves {usd(risk['saving_p5_usd'])} to {usd(risk['saving_p95_usd'])} USD (5 to 95 %), "
            f"against {risk['rent_id']}"
        )
    return table_of(
        "Sensitivity: one assumption at a time",
        record["sensitivity"][:BARS],
        {
            "assumption": lambda bar: bar["name"],
            "range": lambda bar: f"{significant(bar['low']):,g} to {significant(bar['high']):,g}",
            "owning saves [USD, at low]:": lambda bar: usd(bar["saving_at_low_usd"]),
            "owning saves [USD, at high]:": lambda bar: usd(bar["saving_at_high_usd"]),
            "": lambda bar: "changes the decision" if bar["turns_verdict"] else "",
        },
        note,
    )


def _above(utilisation_share: float | None) -> str:
    if utilisation_share is None:
        return "never"
    return percent(utilisation_share) if utilisation_share > 0 else "any"


def _assumptions(record: PlanRecord) -> Table:
    return table_of(
        "Assumptions (change one with --set NAME=VALUE)",
        sorted(record["assumptions"], key=lambda row: (not row["overridden"], row["name"])),
        {
            "name": lambda row: row["name"],
            "value:": lambda row: value_text(row["value"], row["unit"]),
            "unit": lambda row: row["unit"],
            "range": lambda row: "" if row["low"] == row["high"] else f"{row['low']:g} to {row['high']:g}",
            "": lambda row: "set by you" if row["overridden"] else "weak" if row["weak"] else "",
            "source": lambda row: row["source"],
            "as of": lambda row: row["as_of"],
        },
    )


def _sources(record: PlanRecord, shown: Sequence[OptionRecord]) -> Table:
    dates: dict[str, list[str]] = {}
    for option in shown:
        dates.setdefault(option["source"], []).append(option["priced_on"])
    rows = tuple((source, min(days), max(days)) for source, days in sorted(dates.items()))
    provenance = record["provenance"]
    return Table(
        "Sources of the prices shown",
        headings("source | oldest | newest"),
        rows,
        f"catalog {provenance['snapshot']}; prices of all options from {provenance['oldest_price_on']} to {provenance['newest_price_on']}",
    )
