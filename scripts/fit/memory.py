"""How peak memory is fitted: the presets' ratios, where each may differ, and how far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fit.problem import Problem, problem_of, tag_rows
from fit.solve import design
from planner.arrays import FloatArray
from planner.measured.memory.predict import MEMORY_CONSTANTS, expected_bytes, memory_table, predict_memory
from planner.measured.rows import Row

_LOW_WEIGHT = 6.0
"""How much more a peak told too low counts than one told too high; 1 to 40 were tried, docs/accuracy.md shows the outcome."""
_TOO_LOW, _SHARE_TOO_LOW, _MOST_MARGIN_PERCENT = 0.03, 0.04, 10
"""The goal is 5 % low in fewer than 5 % of rows; strangers' rows scatter more than our own, so that some is to spare."""


def memory_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of peak memory."""
    table, _ = memory_table(
        [row for row in rows if row.get("kind") in {"peak_memory", "oom"} and row.get("quality") != "C"]
    )
    starts = {"activation_ratio": 1.0, "logits_ratio": 1.0, "overhead_bytes": 3e8, "state_ratio": 1.0}
    # Samples that are not packed are far shorter than the stated cap; a compiler keeps a quarter less; what is in use
    # knows no context, the device's own counter has communication buffers too.
    tag_starts = {
        ("logits_ratio", "@unpacked"): 0.15,
        ("activation_ratio", "@unpacked"): 0.15,
        ("activation_ratio", "@compiled"): 0.8,
        ("activation_ratio", "@fused"): 0.72,
        ("activation_ratio", "@quantised_base"): 1.25,
        ("activation_ratio", "@reserved"): 1.08,
        ("activation_ratio", "@device"): 1.08,
        ("overhead_bytes", "@allocated"): 0.2,
        ("overhead_bytes", "@inference"): 0.3,
        ("overhead_bytes", "@device"): 7.0,
    }

    def tagged(name: str, tag: str) -> bool:
        if name == "overhead_bytes":
            return tag in {"@allocated", "@reserved", "@peak", "@inference", "@device"}
        if name == "state_ratio":
            return False
        if name == "logits_ratio":
            return tag == "@unpacked"
        return tag not in {"@peak", "@allocated", "@image"}

    def spreads(name: str, tag: str) -> float:
        if name == "state_ratio":
            return 0.01
        if name == "overhead_bytes":
            return 0.5 if tag == "*" else 0.3
        if tag == "*":
            return 0.1
        return 0.15

    of = design(
        tag_rows([("*",)] * len(table.rows), table.tags, list(starts), set(), tagged, lambda *_: False),
        starts,
        spreads,
        tag_starts,
    )
    observed = np.asarray([[expected_bytes(row) for row in table.rows]])
    failed = np.where([row.get("kind") == "oom" for row in table.rows], 0.0, 1.0)
    prefixes = {name: f"memory.{name}" for name in MEMORY_CONSTANTS}
    found = problem_of(
        "memory", table.rows, of, lambda c: predict_memory(table, c)[None, :], observed, (1.0,), prefixes, failed
    )
    return replace(found, low_weight_ratio=_LOW_WEIGHT)


def margin_ratio(by_group: FloatArray) -> float:
    """Return the least margin, in whole percents, that leaves at most one in 25 left-out peaks told over 3 % too low.

    Parameters
    ----------
    by_group : FloatArray
        Logarithms of predicted over observed of the rows that were left out, those with a peak alone.

    Examples
    --------
    >>> margin_ratio(np.log(np.array([0.93] * 5 + [1.0] * 45)))
    1.05
    """
    for percent in range(_MOST_MARGIN_PERCENT):
        margin = 1.0 + percent / 100.0
        if np.mean(by_group + np.log(margin) < np.log(1.0 - _TOO_LOW)) <= _SHARE_TOO_LOW:
            return margin
    return 1.0 + _MOST_MARGIN_PERCENT / 100.0
