"""How peak memory is fitted: the presets' ratios, where each may differ, and how far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planner.measured.fit import design
from planner.measured.memory import MEMORY_CONSTANTS, expected_bytes, memory_table, predict_memory
from planner.measured.problem import Problem, problem_of, tag_rows
from planner.measured.rows import Row

__all__ = ["memory_problem"]

FloatArray = NDArray[np.float64]


def memory_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of peak memory."""
    table, _ = memory_table(
        [row for row in rows if row.get("kind") in {"peak_memory", "oom"} and row.get("quality") != "C"]
    )
    starts = {"activation_ratio": 1.0, "logits_ratio": 1.2, "overhead_bytes": 5e8, "state_ratio": 1.0}
    # Pieces of 16-bit logits take 2 to 4 bytes a class; samples that are not packed are far shorter than the stated cap.
    tag_starts = {
        ("logits_ratio", "@chunked"): 0.3,
        ("logits_ratio", "@unpacked"): 0.2,
        ("activation_ratio", "@unpacked"): 0.2,
    }

    def tagged(name: str, tag: str) -> bool:
        if name == "overhead_bytes":
            return tag in {"@allocated", "@reserved", "@peak", "@inference"}
        if name == "state_ratio":
            return tag in {"@image", "@inference"}
        if name == "logits_ratio":
            return tag in {"@chunked", "@unpacked"}
        return tag != "@chunked"

    def spreads(name: str, tag: str) -> float:
        if name == "state_ratio":
            return 0.02 if tag == "*" else 0.1
        if tag == "*":
            return 0.2 if name == "logits_ratio" else 0.5
        wide = {
            "@unpacked",
            "@chunked",
            "@sharded_whole",
            "@selective",
            "@activation_offload",
            "@inference",
            "@compiled",
            "@image_training",
            "@quantised_base",
        }
        return 0.6 if tag in wide else 0.3

    of = design(
        tag_rows([("*",)] * len(table.rows), table.tags, list(starts), set(), tagged, lambda *_: False),
        starts,
        spreads,
        tag_starts,
    )
    observed = np.asarray([[expected_bytes(row) for row in table.rows]])
    failed = np.where([row.get("kind") == "oom" for row in table.rows], 0.0, 1.0)
    prefixes = {name: f"memory.{name}" for name in MEMORY_CONSTANTS}
    return problem_of(
        "memory", table.rows, of, lambda c: predict_memory(table, dict(c))[None, :], observed, (1.0,), prefixes, failed
    )
