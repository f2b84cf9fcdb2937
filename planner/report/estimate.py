"""Speed and memory of one workload on one machine, as a record and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from planner.demand.workload import Workload
from planner.figures import bytes_text, count, duration, percent, significant
from planner.report.record import performance_record
from planner.report.table import Column, Table
from planner.report.values import SCHEMA_VERSION, Record, plain
from planner.supply.machines import Fleet
from planner.supply.scaling import ScalePoint, relief_sentence
from planner.words import BASIS_WORDS, BOUND_WORDS

__all__ = ["estimate_record", "estimate_tables"]


def estimate_record(
    workload: Workload,
    fleet: Fleet,
    *,
    relief: Mapping[str, float] | None = None,
    curve: Sequence[ScalePoint] = (),
) -> Record:
    """Return what a machine does for a workload, in plain values under keys with units.

    Parameters
    ----------
    workload : Workload
        The work.
    fleet : Fleet
        The machine, and how the work lies on it.
    relief : mapping of str to float, optional
        Speed gained, as a share, if a part of the machine were twice as good.
    curve : sequence of ScalePoint
        The job on more and fewer machines.
    """
    accelerator = fleet.machine.accelerator
    record: Record = plain(
        {
            "schema_version": SCHEMA_VERSION,
            "workload": workload.model_dump(mode="json", exclude_none=True),
            "accelerator": accelerator.name if accelerator else None,
            "accelerator_count": fleet.machine.accelerator_count * fleet.instance_count,
            "layout": fleet.layout,
            "performance": performance_record(fleet),
            "memory": {
                "parts_bytes": dict(fleet.memory.parts),
                "total_bytes": fleet.memory.total_bytes,
                "upper_bytes": fleet.memory.upper_bytes,
                "capacity_bytes": fleet.memory.capacity_bytes,
            }
            if fleet.memory
            else None,
            "hours_per_run": fleet.busy_hours_per_run,
            "utilisation_share": fleet.utilisation_share,
            "relief_speed_gain_share": dict(relief or {}),
            "curve": [
                {"accelerator_count": point.machine_count * fleet.machine.accelerator_count, **asdict(point)}
                for point in curve
            ],
            "notes": fleet.notes,
        }
    )
    return record


def estimate_tables(record: Record) -> list[Table]:
    """Return the record as tables for people."""
    speed, memory, layout = record["performance"], record["memory"], record["layout"]
    rate = speed["rate_per_s"]
    rows = [
        (
            f"{speed['rate_unit'].replace('_', ' ')} per second",
            f"{significant(rate['typical']):,g}",
            f"{significant(rate['low']):,g} to {significant(rate['high']):,g}",
        )
    ]
    for name, band in (
        ("time to first token", speed["ttft_range_ms"]),
        ("time per further token", speed["tpot_range_ms"]),
    ):
        if band:
            rows.append(
                (
                    name,
                    f"{significant(band['typical']):,g} ms",
                    f"{significant(band['low']):,g} to {significant(band['high']):,g} ms",
                )
            )
    if speed["step_s"] is not None:
        label = "one image by itself" if speed["rate_unit"] == "images" else "one step"
        rows.append((label, f"{significant(speed['step_s']):g} s", ""))
    if record["hours_per_run"] is not None:
        rows.append(("the whole run", duration(record["hours_per_run"]), ""))
    if speed["mfu_share"] is not None:
        rows.append(("share of the dense peak", percent(speed["mfu_share"]), ""))
    rows.append(("limit", BOUND_WORDS.get(speed["bound"], speed["bound"]), ""))
    sentence = relief_sentence(record["relief_speed_gain_share"])
    if sentence:
        rows.append(("relief", "", sentence))
    rows.append(("evidence", BASIS_WORDS.get(speed["basis"], speed["basis"]), speed["evidence"]))
    degrees = [
        f"{name} {layout[name]}" for name in ("tensor", "pipeline", "data", "expert", "context") if layout[name] > 1
    ]
    rows.append(
        (
            "layout",
            ", ".join(
                [layout["precision"], *[f"KV cache {layout['kv_precision']}"] * bool(layout["kv_precision"]), *degrees]
            ),
            ", ".join(layout["techniques"]),
        )
    )
    title = f"{count(record['accelerator_count'])} x {record['accelerator']}"
    tables = [Table(title, (Column("figure"), Column("typical"), Column("80 % band, or why")), tuple(rows))]
    if memory:
        parts = [(name, bytes_text(size)) for name, size in memory["parts_bytes"].items() if size]
        share = memory["total_bytes"] / memory["capacity_bytes"]
        parts.append(
            (
                "together",
                f"{bytes_text(memory['total_bytes'])} ({percent(share)} of {bytes_text(memory['capacity_bytes'])})",
            )
        )
        if memory["upper_bytes"]:
            parts.append(("at the upper end, by which a fit is judged", bytes_text(memory["upper_bytes"])))
        tables.append(
            Table("Memory of the fullest accelerator", (Column("item"), Column("size", is_number=True)), tuple(parts))
        )
    if record["curve"]:
        tables.append(_curve(record))
    if record["notes"]:
        tables.append(Table("Notes", (Column("what to know"),), tuple((note,) for note in record["notes"])))
    return tables


def _curve(record: Record) -> Table:
    """Return the table of time against accelerator hours."""
    rows = tuple(
        (
            count(point["accelerator_count"]),
            duration(point["hours"]),
            count(significant(point["accelerator_hours"])),
            percent(point["efficiency_share"]),
            "knee: more cost clearly more from here on" if point["is_knee"] else "",
        )
        for point in record["curve"]
    )
    columns = (
        Column("accelerators", is_number=True),
        Column("one run", is_number=True),
        Column("accelerator hours", is_number=True),
        Column("efficiency", is_number=True),
        Column(""),
    )
    return Table("Time against accelerator hours", columns, rows)
