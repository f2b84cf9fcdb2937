"""Each figure of one option walked back to what it is made of: its formula, its inputs, its source."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from planner.costs.expression import evaluate
from planner.costs.financing import UNTAXED
from planner.costs.formulas import BILLED_HOURS
from planner.report.figures import count, percent, significant, usd
from planner.report.live import Cost, Live, runs_once
from planner.report.option_words import degrees_of, stage_words, stated_usd
from planner.report.table import Table, headings
from planner.report.words import BASIS_WORDS, BOUND_WORDS

if TYPE_CHECKING:
    from planner.report.schema.option import Grid, OptionRecord, Range
    from planner.report.schema.plan import OptionTimeline, PlanRecord


NEAR_SHARE = 1e-3
"""A working is shown where it comes to the figure; where prices move over the months, no product of a few numbers does."""
Working = tuple[str, float]


def explained(record: PlanRecord, option_id: str) -> Table:
    """Return each figure of one option with what it is made of.

    Parameters
    ----------
    record : PlanRecord
        The plan.
    option_id : str
        Which option.
    """
    option = next(option for option in record["options"] if option["id"] == option_id)
    rows = {"option": option["id"]}
    if option["price_usd_per_hour"]:
        price = f"{option['price_usd_per_hour']:g} USD/h"
        rows["price of one instance"] = f"{price} ({option['priced_on']}, {option['source']})"
    rows |= _sizing(option)
    if option["paid_hours_per_month"]:
        in_one, paid = option["paid_hours_per_month"] / (option["instance_count"] or 1), option["paid_hours_per_month"]
        factors = f"{count(option['instance_count'])} x {significant(in_one, 4):,g} h"
        rows["machine hours paid a month"] = f"{count(round(paid, 1))} = {factors}"
    if option["utilisation_share"] is not None:
        rows["busy share of the paid hours"] = percent(option["utilisation_share"])
    timeline = next((line for line in record["timelines"] if line["option_id"] == option_id), None)
    if timeline:
        worked, months = workings(record, option), record["horizon_months"]
        for name, value in timeline["components_usd"].items():
            rows[f"{name.replace('_', ' ')}, {months} months"] = f"{usd(value)} USD{_worked(worked.get(name), value)}"
    if option.get("co2e_kg_per_month") is not None:
        emitted = f"{usd(option['co2e_kg_per_month'])} kg CO2e{_grid(option.get('grid'))}"
        rows["electricity and emissions a month"] = f"{usd(option['kwh_per_month'])} kWh, {emitted}"
    elif option["kind"] in {"api", "free"}:
        rows["electricity and emissions a month"] = "not known: the seller states neither machines nor place"
    cost = option["cost"]
    if runs_once(record):
        rows["the run"] = f"{usd(stated_usd(option, once=True))} USD"
    else:
        rows["a month"] = f"{usd(cost['usd_per_month'])} USD{_mean(record, timeline, cost['usd_per_month'])}"
        rows |= {"a month, by stage": words} if (words := stage_words(option)) else {}
    assumptions = {row["name"]: row["value"] for row in record["assumptions"]}
    rate = assumptions.get("money.discount_rate_share_per_year")
    how = "" if rate is None else f": what is paid in month m over {1 + rate:g} to the power m/12"
    rows["NPV"] = f"{usd(cost['present_value_usd'])} USD{how}"
    if option["reason_not_chosen"]:
        rows["not recommended"] = option["reason_not_chosen"]
    notes = (("note", note) for note in option["notes"])
    title = "How the figures of the verdict are derived"
    return Table(title, headings("figure | how it is derived"), (*rows.items(), *notes))


def _sizing(option: OptionRecord) -> dict[str, str]:
    """Return how the work lies on the machines, what fills their memory, and how fast they are."""
    layout, memory, speed = option["layout"], option["memory"], option["performance"]
    rows = {}
    if layout:
        cache = f", KV cache {layout['kv_precision']}" if layout["kv_precision"] else ""
        many = ", ".join(degrees_of(layout)) or "one accelerator"
        rows["layout"] = f"{many}; {layout['precision']}{cache}; {layout['micro_batch']} at once"
        if layout["techniques"]:
            rows["fits by"] = ", ".join(layout["techniques"])
    if memory:
        parts = " + ".join(f"{name} {size / 1e9:.2f}" for name, size in memory["parts_bytes"].items() if size)
        total, capacity = memory["total_bytes"] / 1e9, memory["capacity_bytes"] / 1e9
        rows["memory of the fullest accelerator, GB"] = f"{parts} = {total:.2f} of {capacity:.2f}"
    if speed:
        if speed["rate_per_s"]:
            typical, low, high = _band(speed["rate_per_s"])
            rows[f"{speed['rate_unit'].replace('_', ' ')} per second"] = f"{typical} ({low} to {high}, 80 % band)"
        ranges = {"time to first token": speed["ttft_range_ms"], "time per output token": speed["tpot_range_ms"]}
        for name, range_ms in ranges.items():
            if range_ms:
                typical, low, high = _band(range_ms)
                rows[name] = f"{typical} ms ({low} to {high})"
        if speed["mfu_share"] is not None:
            rows["share of the dense peak"] = percent(speed["mfu_share"])
        rows["limit"] = BOUND_WORDS.get(speed["bound"], speed["bound"])
        evidence = f": {speed['evidence']}" if speed["evidence"] else ""
        rows["evidence"] = f"{BASIS_WORDS.get(speed['basis'], speed['basis'])}{evidence}"
    return rows


def _band(figures: Range) -> list[str]:
    return [f"{significant(figures[key]):,g}" for key in ("typical", "low", "high")]


def _worked(working: Working | None, value: float) -> str:
    """Return how a figure comes about, where that is what it comes to."""
    if working is None or abs(working[1] - value) > NEAR_SHARE * abs(value):
        return ""
    return f" = {working[0]}"


def _counted(word: str, number: float) -> tuple[float, str]:
    return number, word if number == 1 else f"{word}s"


def _mean(record: PlanRecord, timeline: OptionTimeline | None, usd_per_month: float) -> str:
    if timeline is None:
        return ""
    total, months = sum(timeline["components_usd"].values()), record["horizon_months"]
    return _worked((f"{usd(total)} USD / {months} months", total / months), usd_per_month)


def _times(*factors: tuple[float, str]) -> Working:
    """Return a product in words, and what it comes to."""
    words = (f"{significant(factor, 6):,g}{f' {unit}' if unit else ''}" for factor, unit in factors)
    return " x ".join(words), math.prod(factor for factor, _ in factors)


def workings(record: PlanRecord, option: OptionRecord) -> dict[str, Working]:
    """Return how the items of an option's money come about: a product in words, and its value in USD.

    Parameters
    ----------
    record : PlanRecord
        The plan.
    option : option of the plan
        Which.
    """
    live = Live(record)
    book = option["book"]
    if book is None or book["kind"] == "tokens":
        return {}
    own = option["kind"] == "buy"
    cost = live.cost(option, live.planned)
    values = live.values(option, live.planned, live.assumptions)
    by_name = {name: float(value) for name, value in cost.lines.items() if value.ndim == 0} | values
    worked = _own(by_name, live, cost) if own else _rent(by_name, live)
    if not live.assumptions["money.tax_share"]:
        return worked
    keep = 1.0 - live.assumptions["money.tax_share"]
    return {
        item: (f"{words} x {keep:g} after tax", value * keep) if item not in FINANCED else (words, value)
        for item, (words, value) in worked.items()
    }


def _rent(v: Mapping[str, float], live: Live) -> dict[str, Working]:
    months, count_of = (v["last_month"], "months"), _counted("instance", v["book.instance_count"])
    hours = (v["book.run_hours"] if live.once else v["book.hours_per_month"]) * v["book.overhead_ratio"]
    sold = {"minimum_hours": v["book.minimum_hours"], "weekly_above_hours": v["book.weekly_above_hours"]}
    billed = float(evaluate(BILLED_HOURS, {**sold, "hours": hours}))
    used = [count_of, (v["book.price_usd_per_hour"], "USD/h"), (billed, "h")]
    paid = _times(*used) if live.once else _times(*used, months)
    kept_months = v["last_month"] * v["stored_ratio"]
    term = v["book.term_months"]
    bound = min(math.ceil(v["last_month"] / term) * term, v["input.horizon_months"]) if term else v["last_month"]
    commitment = (v["hourly_unsnapped"], "USD/h"), (v["money.hours_per_month"], "h")
    return {
        "on_demand": paid,
        "in_advance": paid,
        "commitment": _times(count_of, *commitment, (bound, "months")),
        "upfront": _times(count_of, (v["book.upfront_usd"], "USD")),
        "storage": _times(
            (v["rent.storage_gb"], "GB"), (v["rent.storage_usd_per_gb_month"], "USD/GB"), (kept_months, "months")
        ),
        "egress": _times((v["rent.egress_gb_per_month"], "GB"), (v["rent.egress_usd_per_gb"], "USD/GB"), months),
    }


def _own(v: Mapping[str, float], live: Live, cost: Cost) -> dict[str, Working]:
    months = (v["last_month"] - v["lead_months"], "months")
    hardware = (v["hardware_usd"], "USD of hardware")
    power = (v["power_kw"], "kW")
    energy = (v["site.pue_ratio"], "PUE"), (v["site.electricity_usd_per_kwh"], "USD/kWh")
    hours = v["book.run_hours"] if live.once else v["book.hours_per_month"]
    busy = (hours * v["book.busy_ratio"], "busy h")
    more = (v["own.busy_power_share"] - v["own.idle_power_share"], "more than idle")
    share = v["network_usd"] / v["servers_usd"] if v["servers_usd"] else 0.0
    kept = 1.0 - v["own.selling_cost_share"]
    until_usd = float(cost.lines["bridge_rent"].sum()) / max(v["lead_months"], 1.0)
    return {
        "servers": _times(_counted("server", v["book.server_count"]), (v["book.server_price_usd"], "USD")),
        "network": _times((v["servers_usd"], "USD of servers"), (share, "")),
        "install": _times(hardware, (v["own.install_share"], "")),
        **_financing(v, live),
        "resale": _times((-1.0, ""), hardware, (v["resale_share_at_end"], "of its price"), (kept, "after selling it")),
        "idle_power": _times(
            power, (v["own.idle_power_share"], "idle"), *energy, (v["money.hours_per_month"], "h"), months
        ),
        "busy_power": _times(power, more, *energy, busy, *(() if live.once else (months,))),
        "colocation": _times(
            power, (v["colocation_usd_per_month"] / v["power_kw"] if v["power_kw"] else 0.0, "USD/kW"), months
        ),
        "staff": _times((v["staff_fte"], "full-time roles"), (v["own.fte_usd_per_year"] / 12, "USD"), months),
        "support": _times(hardware, (v["site.support_share_per_year"] / 12, "a month"), months),
        "spares": _times(
            hardware,
            (max(v["own.spares_share_per_year"] - v["site.support_share_per_year"], 0.0) / 12, "a month"),
            months,
        ),
        "bridge_rent": _times((v["lead_months"], "months until delivery"), (until_usd, "USD of rent")),
    }


FINANCED = {*UNTAXED, "bridge_rent", "down_payment", "loan", "depreciation_tax_shield"}
"""Items whose working counts tax itself, or that are not taxed when they are paid."""


def _financing(v: Mapping[str, float], live: Live) -> dict[str, Working]:
    """Return how what a loan or a lease costs, and what depreciation saves, come about."""
    cost_usd = v["hardware_usd"] * (1.0 + v["own.install_share"]), "USD of hardware"
    workings: dict[str, Working] = {}
    match live.financing.kind:
        case "loan":
            payments = min(v["last_month"], v["loan_payments"])
            workings["down_payment"] = _times(cost_usd, (v["money.down_payment_share"], "paid down"))
            workings["loan"] = _times((payments, "payments"), (v["loan_usd_per_month"], "USD"))
        case "lease":
            payments = v["last_month"] - v["lead_months"]
            workings["lease"] = _times((payments, "payments"), (v["hardware_usd"], "USD"), (v["lease_share_at_the_end"], ""))  # fmt: skip
    if "book_share_at_end" in v:
        tax = -live.assumptions["money.tax_share"]
        written_off = 1.0 - v["book_share_at_end"]
        workings["depreciation_tax_shield"] = _times((tax, "tax"), cost_usd, (written_off, "written off"))
    return workings


def _grid(grid: Grid | None) -> str:
    """Say what emissions rest on: factor, place and basis."""
    if grid is None:
        return ""
    place = "the world, since the seller states no place" if grid["place"] == "World" else grid["place"]
    year = f", {grid['year']}" if grid["year"] else ""
    return f" at {grid['g_co2e_per_kwh']:g} g/kWh, the mean of {place}{year}, including the building of plants and the fuel supply"
