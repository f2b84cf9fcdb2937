"""How the speed of generated text is fitted: its constants, where each may differ, and how far."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from fit.problem import Problem, problem_of, tag_rows
from fit.solve import Constants, design
from planner.arrays import FloatArray
from planner.measured.classes import plain_row, row_class
from planner.measured.rows import Row, number
from planner.measured.serving.predict import (
    CONSTANTS,
    LINKS,
    METRICS,
    ServingConstantsOfRows,
    ServingTable,
    constants_of_rows,
    predict_serving,
    serving_table,
)
from planner.measured.serving.rows import deployment_of, is_overloaded
from planner.supply.calibration import STACK_TAGS, default_calibration
from planner.supply.communication import Links
from planner.supply.serving.speed import ServingConstants

_STARTS = {
    "bandwidth_share": 0.65, "cache_share": 0.6, "prefill_share": 0.55, "attention_share": 0.35, "decode_share": 0.5, "step_s": 1e-3,
    "layer_s": 1e-5, "request_s": 6e-6, "expert_imbalance_ratio": 1.2, "scale_up_share": 0.6, "pcie_share": 0.5, "rdma_share": 0.75,
    "ethernet_share": 0.6, "scale_up_latency_s": 2e-5, "pcie_latency_s": 3e-5, "network_latency_s": 5e-5, "pace_ratio": 1.0, "burst_share": 0.3,
    "wait_steps_ratio": 3.0, "entry_layer_s": 3e-4, "mixed_layer_s": 1e-4,
}  # fmt: skip
_FIXED = {"rdma_share", "ethernet_share", "network_latency_s", "pace_ratio"}
_BY_MACHINE = {
    "bandwidth_share", "cache_share", "prefill_share", "attention_share", "decode_share", "step_s", "layer_s", "scale_up_latency_s",
    "scale_up_share",
}  # fmt: skip
_BY_STACK = {
    "bandwidth_share", "prefill_share", "decode_share", "step_s", "layer_s", "request_s", "burst_share", "wait_steps_ratio",
    "entry_layer_s", "mixed_layer_s", "scale_up_latency_s", "pcie_latency_s",
}  # fmt: skip
_OF_EXPERTS = {
    "bandwidth_share",
    "prefill_share",
    "decode_share",
    "step_s",
    "layer_s",
    "mixed_layer_s",
}
_BY_FORMAT = {"bandwidth_share", "prefill_share", "decode_share"}
_FORMATS = {"@fp8", "@fp4", "@int4", "@int8"}
_OF_WAITING = {"burst_share", "wait_steps_ratio", "entry_layer_s"}
"""What engines do before the first token: they differ in it more than in how they use the chip."""

_TAG_STARTS = {
    # A compiled engine waits for no Python between its kernels.
    ("entry_layer_s", "@compiled"): 0.3,
    # Eager PyTorch starts some thirty kernels a layer from Python, at 20 to 30 microseconds each, where graphs replay them.
    ("layer_s", "@eager"): 20.0,
    # llama.cpp of the measured age: no fused attention by default, and matrix products of its own for quantised weights.
    ("prefill_share", "@llama.cpp"): 0.6,
    ("attention_share", "@llama.cpp"): 0.4,
}
"""Ratios known from how an engine is built, where 1 is no sensible guess."""
_WIDE = {("layer_s", "@eager"): 1.0, ("attention_share", "@llama.cpp"): 0.7}


METRIC_WEIGHTS = (1.0, 0.6, 0.35, 0.7)
_STACK_RATIOS = ("prefill_share", "decode_share", "layer_s", "mixed_layer_s", *sorted(_OF_WAITING))
"""Where default engines differ; the last three make their time to first token. Of throughput, groups left out: median error 26 %, with seven constants no less; with one pace for all, mean 45 % in place of 35."""


def _tagged(name: str, tag: str) -> bool:
    """Tell whether a constant may differ with a tag of the work."""
    if tag == "@moe":
        return name in _OF_EXPERTS
    if tag == "@compiled":
        return name in {"entry_layer_s", "wait_steps_ratio"}
    if name == "attention_share":
        return tag == "@llama.cpp"
    return name in (_BY_FORMAT if tag in _FORMATS else _BY_STACK)


def _narrowed(name: str, tag: str) -> bool:
    """Tell whether an engine's ratio may differ between generations of chips."""
    return tag != "@moe" and tag not in _FORMATS and name in _BY_STACK


def _spread(name: str, tag: str) -> float:
    """Return how far a part may lie from its guess, in natural logarithms.

    Tight ones predict whole tables that were left out better. Median and mean error of such rows: 15.9 and 25.6 % with 0.3 for
    machines, formats and engines, 14.8 and 24.4 % with 0.2, 16.6 and 29.4 % with 0.5 for engines. Mixtures of experts alone:
    22 and 33 % with 0.3 for what they have in common, 19 and 30 % with 0.12; their kernels differ more by engine and age.
    """
    if name in _FIXED:
        return 0.01
    if tag == "*":
        return 0.5
    if (name, tag) in _WIDE:
        return _WIDE[name, tag]
    if "|" in tag:
        return 0.13
    if name in _OF_WAITING:
        return 0.4
    return 0.12 if tag == "@moe" else 0.2


def serving_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of generated text: throughput, time per token, time to first token, prompt processing."""
    table, _ = serving_table([row for row in _scored(rows) if deployment_of(row) == "tuned"])
    of = design(
        tag_rows(table.scopes, table.tags, list(_STARTS), _BY_MACHINE, _tagged, _narrowed),
        _STARTS,
        _spread,
        _TAG_STARTS,
    )
    observed = _observed(table)
    prefixes = {name: _prefixed(name) for name in _STARTS}
    return problem_of(
        "serving", table.rows, of, lambda constants: _predicted(table, constants), observed, METRIC_WEIGHTS, prefixes
    )


def stacks_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of how default engines and submissions differ from tuned ones: ratios to the constants of these.

    The constants of tuned engines stay as `serving_problem` found them, so that what users measured moves no published table.
    """
    table, _ = serving_table([row for row in _scored(plain_rows(rows)) if _tells_of_its_stack(row)])
    base = constants_of_rows(table, default_calibration().without(STACK_TAGS))
    fixed = {name: getattr(base.step, name) for name in CONSTANTS} | {name: getattr(base.links, name) for name in LINKS}
    fixed |= {name: getattr(base, name) for name in _STARTS if name not in fixed}
    tags: list[Mapping[str, Sequence[str]]] = [
        {
            name: ["*", f"@{deployment}", f"@{deployment}|{where[1]}", *_mixtures(name, row_tags)]
            for name in _STACK_RATIOS
        }
        for where, deployment, row_tags in zip(table.scopes, table.deployments, table.tags, strict=True)
    ]
    of = design(tags, dict.fromkeys(_STACK_RATIOS, 1.0), _stack_spread)

    def predict(ratios: Constants) -> FloatArray:
        return _predicted(table, fixed | {name: fixed[name] * ratios[name] for name in _STACK_RATIOS})

    prefixes = {name: _prefixed(name) for name in _STACK_RATIOS}
    weights = (*METRIC_WEIGHTS[:3], 0.0)
    return replace(
        problem_of("stacks", table.rows, of, predict, _observed(table), weights, prefixes), is_of_ratios=True
    )


def _mixtures(name: str, row_tags: Sequence[str]) -> list[str]:
    """Return the tag of mixtures by default, for what a default engine starts kernel by kernel."""
    return [tag for tag in row_tags if tag == "@default-moe" and name == "mixed_layer_s"]


def plain_rows(rows: Sequence[Row]) -> list[Row]:
    """Return rows of generated text in the columns of the table of that kind."""
    return [plain_row(row) if "task" in row else row for row in rows if row.get("kind") in {"llm", "vlm"}]


def _scored(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.get("kind") in {"llm", "vlm"} and row.get("quality") != "C"]


def _tells_of_its_stack(row: Row) -> bool:
    """Tell whether a row may say how its stack is: no limit of MLPerf's or compiling holds it back, no early build, all its work is stated."""
    deployment = deployment_of(row)
    if row_class("stacks", row) == "cpu":
        return False
    if deployment == "submission":
        return "offline" in row.get("load", "").lower()
    return deployment == "default" and not _ODD.search(row.get("notes", ""))


_ODD = re.compile(r"early build|cold first request|speculative|MTP|EAGLE|text tokens only|open loop")


def _prefixed(name: str) -> str:
    return f"serve_link.{name}" if name in LINKS else f"serve.{name}"


def _stack_spread(name: str, tag: str) -> float:
    """Return how far a stack's ratio may lie from 1: hosts that start kernels one by one differ most."""
    if tag == "*":
        return 1e-4
    if tag.startswith("@submission"):
        return 0.2 if "|" not in tag else 0.05
    if tag == "@default-moe":
        return 1.0
    if name in _OF_WAITING:
        return 0.15 if "|" in tag else 0.6
    return 0.1 if "|" in tag else {"mixed_layer_s": 0.6, "prefill_share": 0.6, "layer_s": 0.15}.get(name, 0.4)


def _observed(table: ServingTable) -> FloatArray:
    """Return what each row says of each metric, NaN where it says nothing."""
    observed = np.stack([[number(row, metric) for row in table.rows] for metric in METRICS])
    # Bursts of 500 requests say little of times; some rows give the same figure twice.
    observed[1:3, table.sort == "queue"] = np.nan
    observed[1:3, [is_overloaded(row) for row in table.rows]] = np.nan
    observed[0, table.sort == "open"] = np.nan
    observed[1, (table.sort == "decode") & np.isfinite(observed[0])] = np.nan
    observed[1, [stack == "neuron" for stack in table.stacks]] = np.nan
    return np.asarray(observed, dtype=float)


def _predicted(table: ServingTable, constants: Constants) -> FloatArray:
    found = predict_serving(
        table,
        ServingConstantsOfRows(
            step=ServingConstants(**{name: constants[name] for name in CONSTANTS}),
            links=Links(**{name: constants[name] for name in LINKS}),
            pace_ratio=constants["pace_ratio"],
            burst_share=constants["burst_share"],
            wait_steps_ratio=constants["wait_steps_ratio"],
            entry_layer_s=constants["entry_layer_s"],
            mixed_layer_s=constants["mixed_layer_s"],
        ),
    )
    return np.stack([found[metric] for metric in METRICS])
