"""Use of accelerators as a record and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from planner.figures import count, percent, usd
from planner.report.notes import note_texts
from planner.report.table import Table, headings
from planner.report.values import Record
from planner.usage.answer import Group, Measure, Usage
from planner.usage.faults import fault_text
from planner.words import how_paid
from pricing.units import HOURS_PER_MONTH

BASIS_MEANINGS = {
    "allocated": "given to someone: the machine ran and was paid for (bill), a job held it (Slurm), a pod did (Kubernetes)",
    "present": "the accelerator was there and reported",
    "busy": "a kernel ran on it, by time",
    "useful": "its multiprocessors had work, by time and by how many of them",
}
"""Words for four different hours."""

SHOWN = 12
OPTION_WORDS = {
    "reserved": "reserved",
    "savings_plan": "savings plan",
    "committed": "committed",
    "not_stated": "not stated",
}
GROUP_TITLES = {
    "gpu": "By accelerator",
    "option": "By purchase option",
    "account": "By account",
    "region": "By region",
    "provider": "By provider",
    "tag": "By tag",
    "role": "By kind of charge",
}
CHECK_WORDS = {
    "above_one_machine": "more than one machine's hours in an hour: the hours above were cut, the costs count",
    "replaced_export": "a later or hourly export has the same charges: these rows are left out",
    "purchase_counted": "bought, and no usage row carries the cost: counted over the period of the purchase",
    "purchase_not_counted": "bought, and usage rows carry the cost: not counted again",
    "split_allocation": "machines whose charges are split among those that share them: each part counts",
    "not_counted": "mentions accelerators, but none that is known: not counted",
    "no_list_price": "used without a list price: left out of the savings rate",
    "no_cost": "states no cost: its hours count, but their cost is missing from this answer",
}
FEW_HOURS = 10


def _hours_said(hours: float) -> str:
    """Write hours: whole ones, and of a few their tenths."""
    return count(round(hours, 1) if abs(hours) < FEW_HOURS else round(hours))


def _hour_text(hour: int) -> str:
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:%MZ")


def usage_record(usage: Usage, *, tag: str = "", decision: Mapping[str, Any] | None = None) -> Record:
    """Return everything that was found, keys with units; the hours by accelerator as lists."""
    bill = usage.bill
    return {
        "schema_version": 1,
        "from": _hour_text(usage.first_hour),
        "to": _hour_text(usage.first_hour + usage.hours),
        "hours": usage.hours,
        "basis": usage.measures[0].basis,
        "source": usage.measures[0].source,
        "gpu_hours": usage.gpu_hours,
        "unused_gpu_hours": usage.unused_gpu_hours,
        "effective_usd": usage.effective_usd,
        "list_usd": usage.list_usd,
        "contracted_usd": usage.contracted_usd,
        "unused_usd": usage.unused_usd,
        "savings_rate_share": usage.savings_rate_share,
        "idle_gpu_hours": usage.idle_gpu_hours,
        "idle_share": usage.idle_share,
        "energy_kwh": usage.energy_kwh,
        "measures": [_measure(one) for one in usage.measures],
        "commitments": _commitments(usage),
        "groups": {
            ("tag:" + tag if kind == "tag" and tag else kind): [asdict(one) for one in groups]
            for kind, groups in usage.groups.items()
        },
        "gpus_by_hour": {name or "any": [round(float(x), 6) for x in level] for name, level in usage.levels.items()},
        "elsewhere": [asdict(one) for one in usage.elsewhere],
        "bill": None
        if bill is None
        else {
            "rows": bill.rows,
            "gpu_rows": bill.gpu_rows,
            "unreadable_rows": bill.unreadable_rows,
            "copied_rows": bill.copied_rows,
            "effective_usd": bill.effective_usd,
            "versions": list(bill.versions),
            "rates": {name: asdict(rate) for name, rate in bill.rates.items()},
            "apart": [asdict(one) for one in bill.apart],
            "checks": [asdict(one) for one in bill.checks],
        },
        "decision": decision,
        "is_partial": bool(usage.faults),
        "faults": [asdict(one) for one in usage.faults],
        "notes": list(note_texts(usage.notes)),
    }


def _measure(measure: Measure) -> Record:
    curve = asdict(measure.curve)
    duration = [{"hours_share": share, "gpus": level} for share, level in curve.pop("duration")]
    return {
        "source": measure.source,
        "basis": measure.basis,
        "meaning": BASIS_MEANINGS[measure.basis],
        "gpu_hours": measure.gpu_hours,
        **curve,
        "load_duration": duration,
    }


def _commitments(usage: Usage) -> Record | None:
    if usage.commitments is None:
        return None
    record = asdict(usage.commitments)
    record["by_commitment"] = [
        {"commitment_id": name, "used_usd": used, "unused_usd": unused}
        for name, used, unused in usage.commitments.by_commitment
    ]
    return record


def usage_tables(usage: Usage, *, tag: str = "") -> list[Table]:
    """Return the same for people: what was used, for what money, by whom, how evenly, and what it would cost elsewhere."""
    tables = [_totals(usage), *_checks(usage), _measures(usage), _duration(usage)]
    for kind, groups in usage.groups.items():
        if groups and (len(groups) > 1 or kind in {"gpu", "option"} or (kind == "tag" and tag)):
            title = f"By tag {tag}" if kind == "tag" and tag else GROUP_TITLES[kind]
            tables.append(_groups(title, kind, groups))
    tables += [*_commitment_tables(usage), *_apart(usage), *_elsewhere(usage)]
    if usage.faults:
        rows = tuple((fault_text(one), one.hint) for one in usage.faults)
        tables.append(Table("Missing from this answer", headings("what could not be read | way out"), rows))
    if usage.notes:
        tables.append(Table("Notes", headings("note"), tuple((note,) for note in note_texts(usage.notes))))
    return tables


def _totals(usage: Usage) -> Table:
    months = usage.hours / HOURS_PER_MONTH
    hours = _hours_said(usage.gpu_hours)
    title = f"{hours} {usage.measures[0].basis} GPU-hours"
    if usage.effective_usd is not None:
        title += f" for {usd(usage.effective_usd)} USD"
    title += f", {_hour_text(usage.first_hour)[:10]} to {_hour_text(usage.first_hour + usage.hours - 1)[:10]}"
    rows = [
        ("allocated and used" if usage.measures[0].basis == "allocated" else usage.measures[0].basis, f"{hours} GPU-h")
    ]
    if usage.effective_usd is not None:
        each = f"{usd(usage.effective_usd / usage.gpu_hours)} USD/GPU-h" if usage.gpu_hours > 0 else "-"
        rows += [
            ("paid (effective cost, amortized)", f"{usd(usage.effective_usd)} USD, {usd(usage.effective_usd / months)} a month"),
            ("paid per used hour", each),
            ("the same hours at list price", f"{usd(usage.list_usd)} USD"),
        ]  # fmt: skip
        if usage.savings_rate_share is not None:
            rows.append(("effective savings rate", percent(usage.savings_rate_share)))
        if usage.unused_usd:
            share = percent(usage.unused_usd / usage.effective_usd) if usage.effective_usd > 0 else "-"
            rows.append(("paid for and not used", f"{usd(usage.unused_usd)} USD ({share}), {_hours_said(usage.unused_gpu_hours)} GPU-h"))  # fmt: skip
    if usage.idle_gpu_hours is not None:
        rows.append(
            ("allocated and not busy", f"{_hours_said(usage.idle_gpu_hours)} GPU-h ({percent(usage.idle_share)})")
        )
    if usage.energy_kwh is not None:
        rows.append(("energy of the accelerators", f"{usage.energy_kwh:,.0f} kWh"))
    bill = usage.bill
    note = ""
    if bill is not None:
        note = f"{bill.rows:,} rows of {', '.join(f'FOCUS {one}' if one[:1].isdigit() else one for one in bill.versions)}, {bill.gpu_rows:,} of accelerators"
        if bill.unreadable_rows:
            note += f", {bill.unreadable_rows:,} left out"
        for name, rate in bill.rates.items():
            when = f" of {rate.as_of.isoformat()}" if rate.as_of else ""
            note += f"; 1 {name} = {rate.usd:g} USD{when} ({rate.source})"
    return Table(title, headings(" | "), tuple(rows), note)


def _checks(usage: Usage) -> list[Table]:
    """Return what does not add up in the bill, with its money; nothing where everything does."""
    if usage.bill is None or not usage.bill.checks:
        return []
    rows = []
    for one in usage.bill.checks:
        items = "; ".join(one.items)
        rows.append(
            (
                CHECK_WORDS[one.code] + (f": {items}" if items else ""),
                usd(one.usd),
                _hours_said(one.gpu_hours) if one.gpu_hours else "-",
                "yes" if one.is_counted else "no",
            )
        )
    columns = headings("what | cost [USD]: | hours [GPU-h]: | counted")
    return [Table("Checks of the bill", columns, tuple(rows))]


def _measures(usage: Usage) -> Table:
    rows = tuple(
        (
            one.basis,
            one.source,
            _hours_said(one.gpu_hours),
            count(round(one.curve.mean_gpus, 1)),
            count(round(one.curve.peak_gpus, 1)),
            count(round(one.curve.base_gpus, 1)),
            percent(one.curve.utilisation_share),
            f"{one.curve.variation_share:.2f}",
        )
        for one in usage.measures
    )
    meanings = "; ".join(
        f"{basis}: {BASIS_MEANINGS[basis]}" for basis in dict.fromkeys(one.basis for one in usage.measures)
    )
    return Table(
        "Hours by kind",
        headings(
            "basis | from | hours [GPU-h]: | mean [GPUs]: | peak [GPUs]: | base [GPUs]: | mean/peak: | variation:"
        ),
        rows,
        f"base: reached in 90 % of the hours; variation: standard deviation over mean; {meanings}",
    )


def _duration(usage: Usage) -> Table:
    curve = usage.measures[0].curve
    rows = tuple(
        (percent(share), count(round(level, 1)), "#" * round(40 * level / max(curve.peak_gpus, 1e-9)))
        for share, level in curve.duration
    )
    return Table(
        "Load-duration curve",
        headings("share of hours | at least [GPUs]: | "),
        rows,
        "what is needed in most hours is worth owning or committing to; the tip is worth renting by the hour",
    )


def _option_word(name: str) -> str:
    return OPTION_WORDS.get(name) or how_paid(name)


def _groups(title: str, kind: str, groups: Sequence[Group]) -> Table:
    shown = groups[:SHOWN]
    has_money = any(one.effective_usd is not None for one in shown)
    columns = headings(f"{kind.replace('option', 'purchase option').replace('role', 'kind of charge')} | used [GPU-h]:")
    if has_money:
        columns += headings("unused [GPU-h]: | paid [USD]: | unused [USD]: | each hour [USD/GPU-h]:")
    rows = []
    for one in shown:
        name = _option_word(one.name) if kind == "option" else one.name
        row = [name or "(none)", _hours_said(one.gpu_hours)]
        if has_money:
            row += [
                _hours_said(one.unused_gpu_hours),
                usd(one.effective_usd),
                usd(one.unused_usd),
                usd(one.usd_per_gpu_hour),
            ]
        rows.append(tuple(row))
    if rest := groups[SHOWN:]:
        hours = sum(one.gpu_hours for one in rest)
        paid = sum(one.effective_usd or 0.0 for one in rest)
        unused = (sum(one.unused_gpu_hours for one in rest), sum(one.unused_usd or 0.0 for one in rest))
        others = [f"{len(rest)} others", _hours_said(hours)]
        if has_money:
            others += [_hours_said(unused[0]), usd(paid), usd(unused[1]), usd(paid / hours if hours > 0 else None)]
        rows.append(tuple(others))
    note = "-f json has all" if rest else ""
    return Table(title, columns, tuple(rows), note)


def _commitment_tables(usage: Usage) -> list[Table]:
    found = usage.commitments
    if found is None:
        return []
    rows = [
        ("coverage: committed hours, as a share of committed and on-demand hours", percent(found.coverage_share)),
        ("utilization: used cost, as a share of all that was committed", percent(found.utilisation_share)),
        ("committed, used", f"{usd(found.used_usd)} USD, {_hours_said(found.used_gpu_hours)} GPU-h"),
        ("committed, not used", f"{usd(found.unused_usd)} USD, {_hours_said(found.unused_gpu_hours)} GPU-h"),
    ]
    if found.unused_reservation_usd:
        rows.append(("reserved capacity, not used", f"{usd(found.unused_reservation_usd)} USD"))
    tables = [Table("Commitments", headings(" | "), tuple(rows))]
    wasteful = [row for row in found.by_commitment if row[2] > 0]
    if rest := wasteful[SHOWN:]:
        others = (f"{len(rest)} others", sum(used for _, used, _ in rest), sum(unused for _, _, unused in rest))
        wasteful = [*wasteful[:SHOWN], others]
    if wasteful:
        tables.append(
            Table(
                "Commitments with unused hours",
                headings("commitment | used [USD]: | not used [USD]: | utilization:"),
                tuple((name or "(none)", usd(used), usd(unused), percent(used / (used + unused))) for name, used, unused in wasteful),
            )
        )  # fmt: skip
    return tables


def _apart(usage: Usage) -> list[Table]:
    if usage.bill is None or not usage.bill.apart:
        return []
    rows = tuple(
        (
            f"{one.category}{f' ({one.charge_class})' if one.charge_class else ''}",
            "accelerators" if one.is_gpu else "others",
            f"{one.rows:,}",
            usd(one.effective_usd),
            usd(one.billed_usd),
        )
        for one in usage.bill.apart
    )
    columns = headings("kind of charge | of | rows: | effective [USD]: | billed [USD]:")
    note = "shown separately; of these, the cost above includes corrections of usage, and purchases that no usage row carries. Billed and effective cost are never added"
    return [Table("Credits, taxes, purchases, corrections", columns, rows, note)]


def _elsewhere(usage: Usage) -> list[Table]:
    if not usage.elsewhere:
        return []
    rows = tuple(
        (
            one.provider,
            percent(one.gpu_hours_share),
            usd(one.usd_per_gpu_hour),
            usd(one.usd),
            one.priced_on.isoformat(),
            ", ".join(one.offers.values()) if len(one.offers) == 1 else f"{len(one.offers)} offers",
        )
        for one in usage.elsewhere[:SHOWN]
    )
    columns = headings("provider | covers [of the hours]: | each hour [USD/GPU-h]: | cost [USD]: | priced on | offer")
    note = "the same hours of the same accelerators on demand, each in the provider's cheapest region; list prices, without data transfer"
    return [Table("The same hours elsewhere", columns, rows, note)]
