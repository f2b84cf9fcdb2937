"""The top of a page: the question, the verdict, its figures as tiles, and the reasons in groups."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from planner.report.figures import months_text, significant, usd
from planner.report.option_words import chosen_of, confidence, range_usd, short_name, stated_usd
from planner.report.short import ShortAnswer
from planner.report.words import seller

if TYPE_CHECKING:
    from planner.report.schema.option import OptionRecord
    from planner.report.schema.plan import PlanRecord, VerdictRecord

STATUS_WORDS = {"decided": "decided", "close_call": "a close call", "ask_for_quotes": "ask for quotes first"}
GROUPS = {"why": "Why", "alternatives": "Alternatives", "risk": "Risks"}


def answer_html(record: PlanRecord, answer: ShortAnswer, prefix: str, level: int) -> str:
    """Return the header of a page: what was asked, the plan's own verdict, and its figures side by side.

    Parameters
    ----------
    record : PlanRecord
        The plan.
    answer : ShortAnswer
        The same on one screen.
    prefix : str
        What the ids of its elements start with.
    level : int
        Of the headline.
    """
    defaults = f'<p class="asked">Defaults: {escape(answer.defaults)}</p>' if answer.defaults else ""
    tiles = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><dd class=note>{escape(note)}</dd></div>"
        for name, value, note in _tiles(record)
    )
    return (
        f'<header><p class="asked">{escape(answer.question)}</p>{defaults}'
        f'<h{level} id="{prefix}headline">{escape(answer.headline)}</h{level}><dl class="tiles">{tiles}</dl></header>'
    )


def _tiles(record: PlanRecord) -> list[tuple[str, str, str]]:
    """Return the figures that a reader looks for first: cost, age of the price, confidence, second best."""
    verdict, once = record["verdict"], record.get("runs_once", False)
    chosen = chosen_of(record)
    if chosen is None:
        return []
    tiles = [("Cost of the run, USD" if once else "Cost a month, USD", *_cost(chosen, once=once))]
    if chosen.get("capex_usd"):
        tiles.append(("Capex, USD", usd(chosen["capex_usd"]), "paid at the start"))
    age = chosen.get("price_age_days")
    if age is not None:
        tiles.append(("Age of the price", f"{age:,} day{'' if age == 1 else 's'}", f"of {chosen['priced_on']}"))
    sure_share = verdict.get("confidence_share")
    if sure_share is not None and chosen["kind"] != "free":
        tiles.append(("Confidence", confidence(sure_share), _of_what(verdict)))
    others = (option for option in record["options"] if option["choosable"] and _seller(option) != _seller(chosen))
    second = next(others, None)
    if second is not None:
        value, _ = _cost(second, once=once)
        tiles.append(("Second best, USD", value, short_name(second)))
    return tiles


def _of_what(verdict: VerdictRecord) -> str:
    """Say what a verdict's status is, and how sure the kind of answer and its seller are each."""
    shares = {
        "in the kind of answer": verdict.get("kind_confidence_share"),
        "in the seller": verdict.get("seller_confidence_share"),
    }
    parts = [f"{confidence(share)} {of}" for of, share in shares.items() if share is not None]
    return "; ".join(filter(None, (STATUS_WORDS.get(verdict.get("status") or "", ""), ", ".join(parts))))


def _seller(option: OptionRecord) -> tuple[str, str]:
    """Return who sells an option; through Hugging Face it is the same seller."""
    return option["kind"], seller(option["provider"]).partition(" ")[0]


def _cost(option: OptionRecord, *, once: bool) -> tuple[str, str]:
    """Return what an option costs, and its range."""
    value, spread = stated_usd(option, once=once), range_usd(option, once=once)
    edges = f"{' to '.join(usd(significant(edge)) for edge in spread)} (80 % range)" if spread and value else ""
    if stages := option["cost"].get("stages"):
        figures = f"{usd(stages['first_usd_per_month'])}, then {usd(stages['then_usd_per_month'])}"
        return figures, f"after {months_text(stages['first_months'])}; on average {usd(value)}{edges and ', '}{edges}"
    return usd(value), edges


def reasons_html(record: PlanRecord, answer: ShortAnswer, level: int) -> str:
    """Return the reasons by what they speak of, what would change the decision, and how to go on."""
    verdict = record["verdict"]
    said = verdict.get("reasons") or [{"group": "why", "text": text} for text in verdict["because"]]
    parts = [
        (words, [reason["text"] for reason in said if reason["group"] == group]) for group, words in GROUPS.items()
    ]
    parts.append(("What would change the decision", list(answer.changes)))
    lists = "".join(
        f"<div><h{level}>{words}</h{level}><ul>{''.join(f'<li>{escape(text)}</li>' for text in texts)}</ul></div>"
        for words, texts in parts
        if texts
    )
    steps = [f"Again: {answer.command}" if answer.command else "", *answer.next_steps]
    parted = [line.partition("gpuplan ") for line in steps if line]
    lines = "".join(
        f"<p>{escape(words)}{f'<code>{escape(name + command)}</code>' if command else ''}</p>"
        for words, name, command in parted
    )
    return f'<section class="reasons" aria-label="Reasons">{lists}</section><section class="next" aria-label="Commands">{lines}</section>'
