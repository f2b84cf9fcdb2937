"""Rows of many kinds of work in one table (a metric, its value and unit a row), in the words of the tables of one kind.

A row's columns are those of ``planner/facts/measured_kinds.csv``; `sort_of` says which formula predicts it, and `plain_row` writes it down
as the rows that this formula reads.
"""

from __future__ import annotations

import re

from planner.measured.rows import Row, number

_SORTS = {
    "embedding": "encode",
    "asr": "speech",
    "image": "images",
    "video": "images",
    "llm": "serving",
    "vlm": "serving",
    "rl": "rewards",
    "lora-diffusion": "tuning",
}
_PREDICTED = {
    "encode": {"latency_ms", "latency_s", "inferences_per_s", "requests_per_s", "pairs_per_s", "tokens_per_s"},
    "speech": {"rtfx", "latency_s", "samples_per_s"},
    "images": {"latency_s", "step_time_s", "steps_per_s", "requests_per_s", "images_per_s"},
    "rewards": {"step_time_s"},
    "tuning": {"step_time_s", "peak_memory"},
    "serving": {"out_tok_s_total", "decode_tok_s", "ttft_ms", "tpot_ms"},
}
_TUNED = re.compile(r"vendor run|^(low-latency|balanced|high-throughput)\b")


def sort_of(row: Row) -> str:
    """Return which formula predicts a row: ``encode``, ``speech``, ``images``, ``serving``, ``rewards``, ``tuning``; empty where none does.

    Examples
    --------
    >>> sort_of({"kind": "video", "metric": "step_time_s"}), sort_of({"kind": "rl", "metric": "weight_sync_s"})
    ('images', '')
    """
    sort = _SORTS.get(row.get("kind", ""), "")
    if sort == "serving" and not row.get("concurrency") and "open loop" in row.get("notes", ""):
        return ""  # no column holds the rate
    return sort if row.get("metric", "") in _PREDICTED.get(sort, ()) else ""


def plain_row(row: Row) -> Row:
    """Return a row with the engine as its framework, sizes, frames and steps in its load, and figures in columns of their own.

    Examples
    --------
    >>> clip = {"kind": "video", "width": "832", "height": "480", "frames": "81", "steps": "40", "metric": "latency_s", "value": "52.9"}
    >>> plain_row(clip)["load"]
    '832x480, 81 frames, 40 steps'
    """
    found = dict(row) | {
        "framework": row.get("engine", "") or row.get("framework", ""),
        "framework_version": row.get("engine_version", "") or row.get("framework_version", ""),
    }
    sort, metric = sort_of(row), row.get("metric", "")
    if sort == "images":
        size = f"{row.get('width', '')}x{row.get('height', '')}" if row.get("width") else ""
        parts = (
            size,
            f"{row['frames']} frames" if row.get("frames") else "",
            f"{row['steps']} steps" if row.get("steps") else "",
        )
        # One request after another is the latency of one; what is served at once is stated by no row.
        return found | {"load": ", ".join(part for part in parts if part), "kind": "diffusion", "images_per_s": ""}
    if sort == "serving":
        live = number(row, "concurrency", "batch", default=1.0)
        found |= {"load": "closed loop", "concurrency": f"{live:g}", "stack": row.get("stack", "") or _stack_of(row)}
        if metric == "decode_tok_s":
            found["tpot_ms"] = f"{1000.0 * live / number(row, 'value'):.6g}" if number(row, "value") > 0 else ""
        else:
            found[metric] = row.get("value", "")
    return found


def _stack_of(row: Row) -> str:
    """Return how a row's engine was run.

    An unnamed stack is the usual recipe of the engine's own pages, but for runs by the card's vendor and recipes for one box and one aim.
    """
    return "tuned" if _TUNED.search(row.get("notes", "")) else "default"
