"""What changed between two plans: the verdict, and the prices, assumptions and work that did it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from planner.report.figures import decimal, usd
from planner.report.option_words import chosen_of, label, stated_usd
from planner.report.table import Table, headings, table_of
from planner.report.values import Record, flat

if TYPE_CHECKING:
    from planner.report.schema.option import OptionRecord
    from planner.report.schema.plan import PlanRecord


MOST_ROWS = 20
LEAST_CHANGE_SHARE = 1e-9
"""Smaller changes are rounding of floats."""


def difference(old: PlanRecord, new: PlanRecord) -> Record:
    """Return what changed from one plan to another.

    Parameters
    ----------
    old, new : Record
        Two plans of the same work, or of two versions of it.

    Returns
    -------
    Record
        ``verdict`` {``changed``, ``old``, ``new``, ``old_usd_per_month``, ``new_usd_per_month``,
        ``old_run_usd``, ``new_run_usd`` (null where work is not run once), ``why``}, ``prices``,
        ``assumptions``, ``workload``, ``break_evens``, ``options`` {``only_old``, ``only_new``}; each change names both values.
    """
    prices = _prices(old, new)
    assumptions = _assumptions(old, new)
    workload = _flat_changes(flat(old["workload"]), flat(new["workload"]))
    if old["horizon_months"] != new["horizon_months"] and not any(row["name"] == "horizon_months" for row in workload):
        workload.append({"name": "horizon_months", "old": old["horizon_months"], "new": new["horizon_months"]})
    by_id = {option["id"]: option for option in new["options"]}
    was, now = chosen_of(old), chosen_of(new)
    same_choice = old["verdict"]["option_id"] == new["verdict"]["option_id"]
    changed = not same_choice or old["verdict"]["choice"] != new["verdict"]["choice"]
    return {
        "schema_version": 1,
        "verdict": {
            "changed": changed,
            "old": old["verdict"]["headline"],
            "new": new["verdict"]["headline"],
            "old_option_id": old["verdict"]["option_id"],
            "new_option_id": new["verdict"]["option_id"],
            "old_usd_per_month": was["cost"]["usd_per_month"] if was else None,
            "new_usd_per_month": now["cost"]["usd_per_month"] if now else None,
            "old_run_usd": stated_usd(was, once=True) if was and old.get("runs_once") else None,
            "new_run_usd": stated_usd(now, once=True) if now and new.get("runs_once") else None,
            "why": _why(old, new, by_id, prices, assumptions, workload) if changed else [],
        },
        "prices": prices,
        "assumptions": assumptions,
        "workload": workload,
        "break_evens": _break_evens(old, new),
        "options": {
            "only_old": sorted({o["id"] for o in old["options"]} - set(by_id)),
            "only_new": sorted(set(by_id) - {o["id"] for o in old["options"]}),
        },
    }


def _share(old: float, new: float) -> float | None:
    return (new - old) / abs(old) if old else None


def _differs(old: object, new: object) -> bool:
    if isinstance(old, int | float) and isinstance(new, int | float):
        return abs(new - old) > LEAST_CHANGE_SHARE * max(abs(old), abs(new))
    return old != new


def _price(option: OptionRecord) -> tuple[float | None, str]:
    """Return what an option is priced by: an hour, a server, or the month of a service that is paid per token."""
    book = option["book"]
    if option["kind"] == "buy":
        return book["server_price_usd"] if book and book["kind"] == "buy" else None, "USD for a server"
    if option["kind"] == "api":
        return option["cost"]["usd_per_million_tokens"], "USD per million tokens"
    return option["price_usd_per_hour"], "USD/h"


def _prices(old: PlanRecord, new: PlanRecord) -> list[Record]:
    """Return prices of the same option that moved, the weightiest first: those that the verdicts name, then by change."""
    before = {option["id"]: option for option in old["options"]}
    named = {record["verdict"]["option_id"] for record in (old, new)}
    named |= {pair[key] for record in (old, new) for pair in record["break_evens"] for key in ("rent_id", "buy_id")}
    moved = []
    for option in new["options"]:
        was = before.get(option["id"])
        if was is None:
            continue
        (old_usd, unit), (new_usd, _) = _price(was), _price(option)
        if old_usd is None or new_usd is None or not _differs(old_usd, new_usd):
            continue
        moved.append(
            {
                "option_id": option["id"],
                "option": label(option),
                "unit": unit,
                "old_usd": old_usd,
                "new_usd": new_usd,
                "change_share": _share(old_usd, new_usd),
                "old_priced_on": was["priced_on"],
                "new_priced_on": option["priced_on"],
                "source": option["source"],
                "is_named": option["id"] in named,
            }
        )
    return sorted(moved, key=lambda row: (not row["is_named"], -abs(row["change_share"] or 0.0), row["option_id"]))


def _assumptions(old: PlanRecord, new: PlanRecord) -> list[Record]:
    before = {row["name"]: row for row in old["assumptions"]}
    return [
        {key: row[key] for key in ("name", "unit")}
        | {"old": before[row["name"]]["value"], "new": row["value"], "source": row["source"]}
        for row in new["assumptions"]
        if row["name"] in before and _differs(before[row["name"]]["value"], row["value"])
    ]


def _flat_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Record]:
    return [
        {"name": name, "old": old.get(name), "new": new.get(name)}
        for name in dict.fromkeys([*old, *new])
        if _differs(old.get(name), new.get(name))
    ]


def _break_evens(old: PlanRecord, new: PlanRecord) -> list[Record]:
    before = {(pair["rent_id"], pair["buy_id"]): pair for pair in old["break_evens"]}
    names = {option["id"]: label(option) for option in new["options"]}
    return [
        {
            "rent_id": pair["rent_id"],
            "buy_id": pair["buy_id"],
            "rent": names.get(pair["rent_id"], pair["rent_id"]),
            "own": names.get(pair["buy_id"], pair["buy_id"]),
            "old_month": was["month"],
            "new_month": pair["month"],
            "old_saving_usd": was["saving_usd"],
            "new_saving_usd": pair["saving_usd"],
        }
        for pair in new["break_evens"]
        if (was := before.get((pair["rent_id"], pair["buy_id"]))) and _differs(was["saving_usd"], pair["saving_usd"])
    ]


def _why(
    old: PlanRecord,
    new: PlanRecord,
    by_id: Mapping[str, OptionRecord],
    prices: list[Record],
    assumptions: list[Record],
    workload: list[Record],
) -> list[str]:
    """Say in sentences what changed the verdict, as far as two plans show it."""
    said = []
    was_id, now_id = old["verdict"]["option_id"], new["verdict"]["option_id"]
    gone, come = by_id.get(was_id), next((o for o in old["options"] if o["id"] == now_id), None)
    if gone is None:
        said.append(f"{was_id} is no longer among the options.")
    elif not gone["choosable"]:
        said.append(f"{was_id} can no longer be recommended: {gone['reason_not_chosen']}.")
    if come is None:
        said.append(f"{now_id} was not among the options before.")
    elif not come["choosable"]:
        said.append(f"{now_id} could not be recommended before: {come['reason_not_chosen']}.")
    said += [f"{row['option']}: {_price_change(row)}." for row in prices if row["option_id"] in {was_id, now_id}]
    said += [
        f"{row['name']} went from {_text(row['old'])} to {_text(row['new'])}." for row in (*assumptions, *workload)
    ]
    return said or ["No price, no assumption and no part of the workload changed: the program did."]


def _price_change(row: Mapping[str, Any]) -> str:
    share = row["change_share"]
    moved = "" if share is None else f" ({_change(share)} %)"
    return f"{usd(row['old_usd'])} to {usd(row['new_usd'])} {row['unit']}{moved}"


def _text(value: object) -> str:
    if value is None:
        return "-"
    return decimal(value, 6) if isinstance(value, float) else str(value)


def _change(share: float) -> str:
    """Write a change in percent, with its sign."""
    return f"{'+' if share > 0 else ''}{decimal(share * 100)}"


def _amounts(verdict: Mapping[str, Any]) -> str:
    """Say how the verdict's cost has moved; the cost of a run and that of a month are told apart, and not compared."""
    if (verdict["old_run_usd"] is None) != (verdict["new_run_usd"] is None):
        costs = [
            f"{usd(run)} USD for the run" if run is not None else f"{usd(verdict[f'{when}_usd_per_month'])} USD a month"
            for when in ("old", "new")
            for run in [verdict[f"{when}_run_usd"]]
            if verdict[f"{when}_usd_per_month"] is not None
        ]
        return f"{costs[0]} before, {costs[1]} now: not comparable" if len(costs) > 1 else ""
    for name, per in (("run_usd", "for the run"), ("usd_per_month", "a month")):
        old, new = (verdict[f"{when}_{name}"] for when in ("old", "new"))
        if old is None or new is None:
            continue
        if not _differs(old, new):
            return f"{usd(new)} USD {per}, as before"
        share = _share(old, new)
        return f"{usd(old)} to {usd(new)} USD {per}" + ("" if share is None else f" ({_change(share)} %)")
    return ""


def _month(value: float | None) -> str:
    return "never" if value is None else f"{value:,.1f}"


def difference_tables(changes: Record) -> tuple[Table, ...]:
    """Return a difference as tables of text, the verdict first.

    Parameters
    ----------
    changes : Record
        As `difference` returns it.
    """
    verdict = changes["verdict"]
    rows = [("old", verdict["old"]), ("new", verdict["new"]), *(("why", text) for text in verdict["why"])]
    title = "The verdict has changed" if verdict["changed"] else "The verdict is the same"
    tables = [Table(title, headings(" | verdict"), tuple(rows), _amounts(verdict))]
    hidden = len(changes["prices"]) - MOST_ROWS
    tables += [
        table
        for table in (
            table_of(
                "Rent against buy has moved",
                changes["break_evens"],
                {
                    "rent": lambda row: row["rent"],
                    "against owning": lambda row: row["own"],
                    "paid off [month, old]:": lambda row: _month(row["old_month"]),
                    "[new]:": lambda row: _month(row["new_month"]),
                    "owning saves [USD, old]:": lambda row: usd(row["old_saving_usd"]),
                    " [new]:": lambda row: usd(row["new_saving_usd"]),
                },
            ),
            table_of(
                "The workload has changed",
                changes["workload"],
                {
                    "what": lambda row: row["name"],
                    "old": lambda row: _text(row["old"]),
                    "new": lambda row: _text(row["new"]),
                },
            ),
            table_of(
                "Assumptions that have changed",
                changes["assumptions"],
                {
                    "assumption": lambda row: row["name"],
                    "old:": lambda row: _text(row["old"]),
                    "new:": lambda row: _text(row["new"]),
                    "unit": lambda row: row["unit"],
                },
            ),
            table_of(
                "Prices that have changed",
                changes["prices"][:MOST_ROWS],
                {
                    "option": lambda row: row["option"],
                    "old [USD]:": lambda row: usd(row["old_usd"]),
                    "new [USD]:": lambda row: usd(row["new_usd"]),
                    "change [%]:": lambda row: "" if row["change_share"] is None else _change(row["change_share"]),
                    "per": lambda row: row["unit"],
                    "priced on": lambda row: row["new_priced_on"],
                },
                f"{hidden:,} more with -f json" if hidden > 0 else "",
            ),
        )
        if table.rows
    ]
    if len(tables) == 1 and not verdict["changed"]:
        note = "no price, no assumption and no part of the workload"
        tables.append(Table("Nothing else has changed", headings(""), (), note))
    came, went = changes["options"]["only_new"], changes["options"]["only_old"]
    if came or went:
        tables.append(Table("Options", headings(""), (), f"{len(came):,} options came, {len(went):,} went"))
    return tuple(tables)
