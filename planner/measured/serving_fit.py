"""How the speed of generated text is fitted: its constants, where each may differ, and how far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planner.measured.fit import Constants, design
from planner.measured.problem import Problem, problem_of, tag_rows
from planner.measured.rows import Row, number
from planner.measured.serving import (
    CONSTANTS,
    LINKS,
    METRICS,
    ServingConstantsOfRows,
    is_overloaded,
    predict_serving,
    serving_table,
)
from planner.supply.communication import Links
from planner.supply.serving import ServingConstants

__all__ = ["serving_problem"]

FloatArray = NDArray[np.float64]


def serving_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of generated text: throughput, time per token, time to first token, prompt processing."""
    table, _ = serving_table([row for row in rows if row.get("kind") == "llm" and row.get("quality") != "C"])
    starts = {
        "bandwidth_share": 0.65, "cache_share": 0.6, "prefill_share": 0.55, "attention_share": 0.35, "decode_share": 0.5, "step_s": 1e-3,
        "layer_s": 1e-5, "request_s": 6e-6, "expert_imbalance_ratio": 1.2, "scale_up_share": 0.6, "pcie_share": 0.5, "rdma_share": 0.75,
        "ethernet_share": 0.6, "scale_up_latency_s": 2e-5, "pcie_latency_s": 3e-5, "network_latency_s": 5e-5, "pace_ratio": 1.0, "burst_share": 0.3,
        "wait_steps_ratio": 3.0, "entry_layer_s": 3e-4,
    }  # fmt: skip
    fixed = {"rdma_share", "ethernet_share", "network_latency_s", "pace_ratio"}
    machine = {
        "bandwidth_share",
        "cache_share",
        "prefill_share",
        "attention_share",
        "decode_share",
        "step_s",
        "layer_s",
        "scale_up_latency_s",
        "scale_up_share",
    }
    stacked = {
        "bandwidth_share",
        "prefill_share",
        "decode_share",
        "step_s",
        "layer_s",
        "request_s",
        "burst_share",
        "wait_steps_ratio",
        "entry_layer_s",
        "scale_up_latency_s",
        "pcie_latency_s",
    }
    experts = {"bandwidth_share", "prefill_share", "decode_share", "step_s", "layer_s", "entry_layer_s"}
    formats = {"bandwidth_share", "prefill_share", "decode_share"}

    def tagged(name: str, tag: str) -> bool:
        if tag == "@moe":
            return name in experts
        return name in (formats if tag in {"@fp8", "@fp4", "@int4", "@int8"} else stacked)

    def narrowed(name: str, tag: str) -> bool:
        return tag not in {"@moe", "@fp8", "@fp4", "@int4", "@int8"} and name in stacked

    def spreads(name: str, tag: str) -> float:
        if name in fixed:
            return 0.01
        if (name, tag) == ("entry_layer_s", "@moe"):
            return 1.0
        return 0.5 if tag == "*" else 0.2 if "|" in tag else 0.3

    of = design(
        tag_rows(table.scopes, table.tags, list(starts), machine, tagged, narrowed),
        starts,
        spreads,
        {("entry_layer_s", "@moe"): 5.0},
    )
    observed = np.stack([[number(row, metric) for row in table.rows] for metric in METRICS])
    # Bursts of 500 requests say little of times; some rows give the same figure twice.
    observed[1:3, table.sort == "queue"] = np.nan
    observed[1:3, [is_overloaded(row) for row in table.rows]] = np.nan
    observed[0, table.sort == "open"] = np.nan
    observed[1, (table.sort == "decode") & np.isfinite(observed[0])] = np.nan
    observed[1, [stack == "neuron" for stack in table.stacks]] = np.nan

    def predict(constants: Constants) -> FloatArray:
        found = predict_serving(
            table,
            ServingConstantsOfRows(
                step=ServingConstants(**{name: constants[name] for name in CONSTANTS}),
                links=Links(**{name: constants[name] for name in LINKS}),
                pace_ratio=constants["pace_ratio"],
                burst_share=constants["burst_share"],
                wait_steps_ratio=constants["wait_steps_ratio"],
                entry_layer_s=constants["entry_layer_s"],
            ),
        )
        return np.stack([found[metric] for metric in METRICS])

    prefixes = {name: f"serve_link.{name}" if name in LINKS else f"serve.{name}" for name in starts}
    return problem_of("serving", table.rows, of, predict, observed, (1.0, 0.6, 0.35, 0.7), prefixes)
