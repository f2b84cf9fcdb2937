"""Use of accelerators as a record and as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from planner.report.figures import count, percent, usd
from planner.report.notes import note_texts
from planner.report.table import Table, headings, table_of
from planner.report.values import Record, plain
from planner.report.words import how_paid
from planner.usage.answer import Group, Measure, Usage
from planner.usage.bill import Check, NonUsage
from planner.usage.faults import fault_text
from planner.usage.other_providers import ProviderPrice
from pricing.clock import HOURS_PER_MONTH

BASIS_MEANINGS = {
    "allocated": "given to someone: the machine ran and was paid for (bill), a job held it (Slurm), a pod did (Kubernetes)",
    "present": "the accelerator was there and reported",
    "busy": "a kernel ran on it, by time",
    "useful": "its multiprocessors had work, by time and by how many of them",
}
"""Words for four different hours."""

SHOWN = 12
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


def hour_text(hour: int) -> str:
    """Return an hour since 1970 as ISO text."""
    return datetime.fromtimestamp(hour * 3600, UTC).strftime("%Y-%m-%dT%H:%MZ")


def usage_record(usage: Usage, *, tag: str = "", decision: Mapping[str, Any] | None = None) -> Record:
    """Return everything that was found, keys with units; the hours by accelerator as lists."""
    first, bill = usage.measures[0], usage.bill
    figures = """
        gpu_hours unused_gpu_hours effective_usd list_usd contracted_usd unused_usd savings_rate_share idle_gpu_hours
        idle_share energy_kwh
    """
    bill_keys = "rows gpu_rows unreadable_rows copied_rows effective_usd versions rates apart checks"
    record: Record = plain(
        {
            "schema_version": 1,
            "from": hour_text(usage.first_hour),
            "to": hour_text(usage.first_hour + usage.hours),
            "hours": usage.hours,
            "basis": first.basis,
            "source": first.source,
            **{name: getattr(usage, name) for name in figures.split()},
            "measures": [_measure(measure) for measure in usage.measures],
            "commitments": _commitments(usage),
            "groups": {
                f"tag:{tag}" if kind == "tag" and tag else kind: groups for kind, groups in usage.groups.items()
            },
            "gpus_by_hour": {
                name or "any": [round(float(gpus), 6) for gpus in level] for name, level in usage.levels.items()
            },
            "elsewhere": usage.elsewhere,
            "bill": {name: getattr(bill, name) for name in bill_keys.split()} if bill else None,
            "decision": decision,
            "is_partial": bool(usage.faults),
            "faults": usage.faults,
            "notes": note_texts(usage.notes),
        }
    )
    return record


def _measure(measure: Measure) -> Record:
    curve = asdict(measure.curve)
    duration = [{"hours_share": share, "gpus": level} for share, level in curve.pop("duration")]
    about = {"source": measure.source, "basis": measure.basis, "meaning": BASIS_MEANINGS[measure.basis]}
    return {**about, "gpu_hours": measure.gpu_hours, **curve, "load_duration": duration}


def _commitments(usage: Usage) -> Record | None:
    if usage.commitments is None:
        return None
    keys = ("commitment_id", "used_usd", "unused_usd")
    by_commitment = [dict(zip(keys, row, strict=True)) for row in usage.commitments.by_commitment]
    return asdict(usage.commitments) | {"by_commitment": by_commitment}


def usage_tables(usage: Usage, *, tag: str = "") -> list[Table]:
    """Return the same for people: what was used, for what money, by whom, how evenly, and what it would cost elsewhere."""
    tables = [_totals(usage), *_checks(usage), _measures(usage), _duration(usage)]
    for kind, groups in usage.groups.items():
        if groups and (len(groups) > 1 or kind in {"gpu", "option"} or (kind == "tag" and tag)):
            title = f"By tag {tag}" if kind == "tag" and tag else GROUP_TITLES[kind]
            tables.append(_groups(title, kind, groups))
    tables += [*_commitment_tables(usage), *_apart(usage), *_elsewhere(usage)]
    if usage.faults:
        rows = tuple((fault_text(fault), fault.hint) for fault in usage.faults)
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
    title += f", {hour_text(usage.first_hour)[:10]} to {hour_text(usage.first_hour + usage.hours - 1)[:10]}"
    rows = [
        ("allocated and used" if usage.measures[0].basis == "allocated" else usage.measures[0].basis, f"{hours} GPU-h")
    ]
    if usage.effective_usd is not None:
        hour_usd = f"{usd(usage.effective_usd / usage.gpu_hours)} USD/GPU-h" if usage.gpu_hours > 0 else "-"
        rows += [
            ("paid (effective cost, amortized)", f"{usd(usage.effective_usd)} USD, {usd(usage.effective_usd / months)} a month"),
            ("paid per used hour", hour_usd),
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
        note = f"{bill.rows:,} rows of {', '.join(f'FOCUS {version}' if version[:1].isdigit() else version for version in bill.versions)}, {bill.gpu_rows:,} of accelerators"
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
    columns: dict[str, Callable[[Check], str]] = {
        "what": lambda check: ": ".join(filter(None, (CHECK_WORDS[check.code], "; ".join(check.items)))),
        "cost [USD]:": lambda check: usd(check.usd),
        "hours [GPU-h]:": lambda check: _hours_said(check.gpu_hours) if check.gpu_hours else "-",
        "counted": lambda check: "yes" if check.is_counted else "no",
    }
    return [table_of("Checks of the bill", usage.bill.checks, columns)]


def _measures(usage: Usage) -> Table:
    bases = dict.fromkeys(measure.basis for measure in usage.measures)
    meanings = "; ".join(f"{basis}: {BASIS_MEANINGS[basis]}" for basis in bases)
    return table_of(
        "Hours by kind",
        usage.measures,
        {
            "basis": lambda measure: measure.basis,
            "from": lambda measure: measure.source,
            "hours [GPU-h]:": lambda measure: _hours_said(measure.gpu_hours),
            "mean [GPUs]:": lambda measure: count(round(measure.curve.mean_gpus, 1)),
            "peak [GPUs]:": lambda measure: count(round(measure.curve.peak_gpus, 1)),
            "base [GPUs]:": lambda measure: count(round(measure.curve.base_gpus, 1)),
            "mean/peak:": lambda measure: percent(measure.curve.utilisation_share),
            "variation:": lambda measure: f"{measure.curve.variation_share:.2f}",
        },
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


def _groups(title: str, kind: str, groups: Sequence[Group]) -> Table:
    shown, rest = groups[:SHOWN], groups[SHOWN:]
    rows = []
    for group in shown:
        name = how_paid(group.name) if kind == "option" else group.name
        rows.append((name or "(none)", group.gpu_hours, group.unused_gpu_hours, group.effective_usd, group.unused_usd, group.usd_per_gpu_hour))  # fmt: skip
    if rest:
        hours, unused_hours = sum(group.gpu_hours for group in rest), sum(group.unused_gpu_hours for group in rest)
        paid, unused = sum(group.effective_usd or 0.0 for group in rest), sum(group.unused_usd or 0.0 for group in rest)
        rows.append((f"{len(rest)} others", hours, unused_hours, paid, unused, paid / hours if hours > 0 else None))
    columns: dict[str, Callable[[tuple[Any, ...]], str]] = {
        kind.replace("option", "purchase option").replace("role", "kind of charge"): lambda row: row[0],
        "used [GPU-h]:": lambda row: _hours_said(row[1]),
    }
    if any(group.effective_usd is not None for group in shown):
        columns |= {
            "unused [GPU-h]:": lambda row: _hours_said(row[2]),
            "paid [USD]:": lambda row: usd(row[3]),
            "unused [USD]:": lambda row: usd(row[4]),
            "each hour [USD/GPU-h]:": lambda row: usd(row[5]),
        }
    return table_of(title, rows, columns, "-f json has all" if rest else "")


def _commitment_tables(usage: Usage) -> list[Table]:
    commitments = usage.commitments
    if commitments is None:
        return []
    rows = [
        ("coverage: committed hours, as a share of committed and on-demand hours", percent(commitments.coverage_share)),
        ("utilization: used cost, as a share of all that was committed", percent(commitments.utilisation_share)),
        ("committed, used", f"{usd(commitments.used_usd)} USD, {_hours_said(commitments.used_gpu_hours)} GPU-h"),
        (
            "committed, not used",
            f"{usd(commitments.unused_usd)} USD, {_hours_said(commitments.unused_gpu_hours)} GPU-h",
        ),
    ]
    if commitments.unused_reservation_usd:
        rows.append(("reserved capacity, not used", f"{usd(commitments.unused_reservation_usd)} USD"))
    tables = [Table("Commitments", headings(" | "), tuple(rows))]
    wasteful = [row for row in commitments.by_commitment if row[2] > 0]
    if rest := wasteful[SHOWN:]:
        others = (f"{len(rest)} others", sum(used for _, used, _ in rest), sum(unused for _, _, unused in rest))
        wasteful = [*wasteful[:SHOWN], others]
    if wasteful:
        columns = headings("commitment | used [USD]: | not used [USD]: | utilization:")
        shares = tuple((name or "(none)", usd(used), usd(unused), percent(used / (used + unused))) for name, used, unused in wasteful)  # fmt: skip
        tables.append(Table("Commitments with unused hours", columns, shares))
    return tables


def _apart(usage: Usage) -> list[Table]:
    if usage.bill is None or not usage.bill.apart:
        return []
    columns: dict[str, Callable[[NonUsage], str]] = {
        "kind of charge": lambda apart: apart.category + (f" ({apart.charge_class})" if apart.charge_class else ""),
        "of": lambda apart: "accelerators" if apart.is_gpu else "others",
        "rows:": lambda apart: f"{apart.rows:,}",
        "effective [USD]:": lambda apart: usd(apart.effective_usd),
        "billed [USD]:": lambda apart: usd(apart.billed_usd),
    }
    note = "shown separately; of these, the cost above includes corrections of usage, and purchases that no usage row carries. Billed and effective cost are never added"
    return [table_of("Credits, taxes, purchases, corrections", usage.bill.apart, columns, note)]


def _elsewhere(usage: Usage) -> list[Table]:
    if not usage.elsewhere:
        return []
    columns: dict[str, Callable[[ProviderPrice], str]] = {
        "provider": lambda other: other.provider,
        "covers [of the hours]:": lambda other: percent(other.gpu_hours_share),
        "each hour [USD/GPU-h]:": lambda other: usd(other.usd_per_gpu_hour),
        "cost [USD]:": lambda other: usd(other.usd),
        "priced on": lambda other: other.priced_on.isoformat(),
        "offer": lambda other: (
            ", ".join(other.offers.values()) if len(other.offers) == 1 else f"{len(other.offers)} offers"
        ),
    }
    note = "the same hours of the same accelerators on demand, each in the provider's cheapest region; list prices, without data transfer"
    return [table_of("The same hours elsewhere", usage.elsewhere[:SHOWN], columns, note)]
