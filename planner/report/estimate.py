"""Speed and memory of one workload on one machine, as a record and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from planner.demand.workload import Workload
from planner.report.figures import bytes_text, count, duration, percent, significant
from planner.report.notes import note_texts, relief_sentence
from planner.report.option_words import degrees_of
from planner.report.record import performance_record
from planner.report.remarks import STACK_WORDS
from planner.report.table import Table, headings, table_of
from planner.report.values import SCHEMA_VERSION, Record, plain
from planner.report.words import BASIS_WORDS, BOUND_WORDS
from planner.supply.machines import Fleet, MemoryUse
from planner.supply.scaling import ScalePoint

TIGHT_SHARE = 0.05
"""Of the limit: what is left below that is less than releases of one engine differ by."""
_BAR_CELLS = 40
_ALONE = {
    "images": "one image by itself",
    "clips": "one clip by itself",
    "audio_hours": "one hour of audio",
    "trained_images": "one step",
}
_LETTERS = {"weights": "W", "gradients": "G", "optimizer": "O", "activations": "A", "kv_cache": "K", "overhead": "o"}


def estimate_record(
    workload: Workload,
    fleet: Fleet,
    *,
    relief: Mapping[str, float] | None = None,
    curve: Sequence[ScalePoint] = (),
    usable_share: float = 1.0,
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
    usable_share : float
        Of an accelerator's memory that this kind of work may fill.
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
            "operating_point": fleet.performance.at_load,
            "capacity": fleet.performance.at_capacity,
            "memory": _memory(fleet.memory, usable_share) | _cache_room(fleet, usable_share) if fleet.memory else None,
            "hours_per_run": fleet.busy_hours_per_run,
            "utilisation_share": fleet.utilisation_share,
            "relief_speed_gain_share": dict(relief or {}),
            "curve": [
                {"accelerator_count": point.machine_count * fleet.machine.accelerator_count, **asdict(point)}
                for point in curve
            ],
            "notes": note_texts(fleet.notes),
        }
    )
    return record


def _memory(use: MemoryUse, usable_share: float) -> Record:
    """Return what fills the memory, what is left, and whether so little is left that another version may not fit."""
    usable, judged = use.capacity_bytes * usable_share, use.upper_bytes or use.total_bytes
    return {
        "parts_bytes": dict(use.parts),
        "total_bytes": use.total_bytes,
        "upper_bytes": use.upper_bytes,
        "usable_bytes": usable,
        "free_bytes": use.capacity_bytes - use.total_bytes,
        "capacity_bytes": use.capacity_bytes,
        "fit": "may_not_fit" if judged > (1.0 - TIGHT_SHARE) * usable else "fits",
    }


def _cache_room(fleet: Fleet, usable_share: float) -> Record:
    """Return how many tokens the caches of the fleet hold in all: what weights and overhead leave, at the load's bytes per token."""
    use, load = fleet.memory, fleet.performance.at_load
    if use is None or load is None:
        return {}
    parts = dict(use.parts)
    free_bytes = use.capacity_bytes * usable_share - use.total_bytes + parts["kv_cache"]
    return {"kv_cache_capacity_tokens": load.kv_cache_tokens * free_bytes / parts["kv_cache"]}


def estimate_tables(record: Record) -> list[Table]:
    """Return the record as tables for people."""
    speed, memory, layout = record["performance"], record["memory"], record["layout"]
    rows = _service(record) if record["operating_point"] else [_banded(f"{_words(speed['rate_unit'])} per second", speed["rate_per_s"])]  # fmt: skip
    if speed["step_s"] is not None:
        is_request = "requests_per_s" in (record["workload"].get("embed") or {})
        label = "one request after another" if is_request else _ALONE.get(speed["rate_unit"], "one step")
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
    cache = [f"KV cache {layout['kv_precision']}"] if layout["kv_precision"] else []
    laid_out = ", ".join([layout["precision"], *cache, *degrees_of(layout)])
    rows.append(("layout", laid_out, ", ".join(layout["techniques"])))
    if layout["stack"]:
        rows.append(("stack", layout["stack"], STACK_WORDS.get(layout["stack"], "")))
    title = f"{count(record['accelerator_count'])} x {record['accelerator']}"
    tables = [Table(title, headings("figure | typical | 80 % band, or why"), tuple(rows))]
    if memory:
        tables.append(_memory_table(memory))
    if record["curve"]:
        tables.append(_curve(record))
    if record["notes"]:
        tables.append(Table("Notes", headings("note"), tuple((note,) for note in record["notes"])))
    return tables


def _service(record: Record) -> list[tuple[str, str, str]]:
    """Return a service at its load, every figure of that one state, and below what it could do at most."""
    speed, load, most = record["performance"], record["operating_point"], record["capacity"]
    asked = (record["workload"].get("serve") or {}).get("concurrency")
    beside = f"of {count(asked)} asked for" if asked else f"at {significant(load['requests_per_s']):,g} requests per second"  # fmt: skip
    rows = [
        ("requests in flight", f"{significant(load['concurrency']):,g}", beside),
        _banded("output tokens per second", load["output_tokens_per_s"]),
    ]
    for name, times in (("time to first token", "ttft_range_ms"), ("time per output token", "tpot_range_ms")):
        if speed[times]:
            rows.append(_banded(name, speed[times], " ms"))
    of_all = f"of {significant(record['memory']['kv_cache_capacity_tokens']):,g} that fit"
    rows.append(("tokens in the KV cache", f"{significant(load['kv_cache_tokens']):,g}", of_all))
    name, typical, _ = _banded("capacity: output tokens per second", most["output_tokens_per_s"])
    return [*rows, (name, typical, f"at most, with {significant(most['concurrency']):,g} requests in flight")]


def _banded(name: str, figures: Record, unit: str = "") -> tuple[str, str, str]:
    """Return a row of a figure with its band."""
    low, typical, high = (f"{significant(figures[key]):,g}" for key in ("low", "typical", "high"))
    return name, f"{typical}{unit}", f"{low} to {high}{unit}"


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _memory_table(memory: Record) -> Table:
    """Return what fills the memory, item by item, with a bar of all of it."""
    capacity = memory["capacity_bytes"]
    used = [(name, size) for name, size in memory["parts_bytes"].items() if size]
    items = [*used, ("free", max(memory["free_bytes"], 0.0))]
    upper = [("at the upper end, which has to fit", memory["upper_bytes"])] if memory["upper_bytes"] else []
    rows = [*items, ("together", memory["total_bytes"]), *upper, ("limit for this workload", memory["usable_bytes"])]
    tight = "; may not fit: less than 5 % of the limit is left, and releases of one engine differ by more"
    return table_of(
        "Memory of the fullest accelerator",
        rows,
        {
            "item": lambda row: row[0].replace("_", " "),
            "size:": lambda row: bytes_text(row[1]),
            f"of {bytes_text(capacity)}:": lambda row: percent(row[1] / capacity),
        },
        f"[{_bar(items, capacity)}]" + tight * (memory["fit"] == "may_not_fit"),
    )


def _bar(items: Sequence[tuple[str, float]], capacity: float) -> str:
    """Return the memory as a bar of letters, one for each item, dots for what is free.

    Examples
    --------
    >>> _bar([("weights", 16e9), ("kv_cache", 40e9), ("free", 24e9)], 80e9)
    'WWWWWWWWKKKKKKKKKKKKKKKKKKKK............'
    """
    ends = [round(_BAR_CELLS * sum(size for _, size in items[: place + 1]) / capacity) for place in range(len(items))]
    starts = [0, *ends]
    return "".join(
        _LETTERS.get(name, ".") * (end - start) for (name, _), start, end in zip(items, starts, ends, strict=False)
    )


def _curve(record: Record) -> Table:
    """Return the table of time against accelerator hours."""
    return table_of(
        "Time against accelerator hours",
        record["curve"],
        {
            "accelerators:": lambda point: count(point["accelerator_count"]),
            "one run:": lambda point: duration(point["hours"]),
            "accelerator hours:": lambda point: count(significant(point["accelerator_hours"])),
            "efficiency:": lambda point: percent(point["efficiency_share"]),
            "": lambda point: "knee: from here on, more machines cost clearly more" if point["is_knee"] else "",
        },
    )
