"""Calibrate: the four tables of measured rows, each with its constants, its priors and its honest score.

A score leaves whole groups out: either a block's model on one accelerator (what another row of a known table looks like),
or a whole block (what a stranger's table looks like). Bands come from the former.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.measured.fit import Constants, Design, Fitted, block_weights, design, fit, log_constants
from planner.measured.images import IMAGE_CONSTANTS, image_table, predict_images
from planner.measured.memory import MEMORY_CONSTANTS, expected_bytes, memory_table, predict_memory
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
from planner.measured.training import TRAINING_CONSTANTS, predict_training, training_table
from planner.supply.communication import Links
from planner.supply.serving import ServingConstants
from planner.supply.training import TrainingConstants

__all__ = [
    "Problem",
    "Score",
    "cross_validate",
    "image_problem",
    "memory_problem",
    "serving_problem",
    "solve",
    "training_problem",
]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One table's fit.

    Attributes
    ----------
    name : str
        ``serving``, ``training``, ``memory`` or ``images``.
    design : Design
        Constants, tags and priors.
    predict : callable
        Constants of every row to predictions, shape (metrics, rows).
    observed, weights : FloatArray, shape (metrics, rows)
        What was measured, NaN where nothing was, and how much it counts.
    blocks, groups : tuple of str
        Each row's table, and its group within it.
    rows : tuple of Row
        The rows.
    prefixes : mapping of str to str
        Name in the calibration table of each constant.
    """

    name: str
    design: Design
    predict: Callable[[Constants], FloatArray]
    observed: FloatArray
    weights: FloatArray
    blocks: tuple[str, ...]
    groups: tuple[str, ...]
    rows: tuple[Row, ...]
    prefixes: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Logarithm of predicted over observed, shape (metrics, rows), for rows that were left out of the fit."""

    by_group: FloatArray
    by_block: FloatArray


def _levels(scopes: Sequence[str]) -> list[str]:
    """Return a machine's scopes from general to particular; the maker counts only where it is not the usual one."""
    return ["*", *(scope for scope in reversed(scopes) if scope not in {"*", "NVIDIA"})]


def _narrowed(tags: Sequence[str], scopes: Sequence[str]) -> list[str]:
    return [f"{tag}|{scopes[1]}" for tag in tags]


def _tag_rows(
    scopes: Sequence[Sequence[str]], tags: Sequence[Sequence[str]], names: Sequence[str], machine: set[str], tagged: Callable[[str, str], bool],
    narrowed: Callable[[str, str], bool],
) -> list[Mapping[str, Sequence[str]]]:  # fmt: skip
    found: list[Mapping[str, Sequence[str]]] = []
    for where, row_tags in zip(scopes, tags, strict=True):
        one: dict[str, Sequence[str]] = {}
        for name in names:
            own = [tag for tag in row_tags if tagged(name, tag)]
            also = _narrowed([tag for tag in own if narrowed(name, tag)], where)
            one[name] = [*(_levels(where) if name in machine else ["*"]), *own, *also]
        found.append(one)
    return found


def _problem(name: str, rows: Sequence[Row], of: Design, predict: Callable[[Constants], FloatArray], observed: FloatArray,
             metric_weights: Sequence[float], prefixes: Mapping[str, str], row_weights: FloatArray | None = None) -> Problem:  # fmt: skip
    blocks = tuple(row.get("block", "") or "own" for row in rows)
    groups = tuple(
        f"{block}/{row.get('model', '')}/{row.get('gpu', '')}" for block, row in zip(blocks, rows, strict=True)
    )
    each = block_weights(list(blocks))
    if row_weights is not None:
        each = each * row_weights
    weights = np.stack([each * weight for weight in metric_weights])
    return Problem(
        name=name, design=of, predict=predict, observed=observed, weights=weights, blocks=blocks, groups=groups, rows=tuple(rows), prefixes=prefixes
    )  # fmt: skip


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
        _tag_rows(table.scopes, table.tags, list(starts), machine, tagged, narrowed),
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
    return _problem("serving", table.rows, of, predict, observed, (1.0, 0.6, 0.35, 0.7), prefixes)


def training_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of training speed: tokens per second and accelerator."""
    table, _ = training_table([row for row in rows if row.get("quality") != "C" and row.get("tokens_per_s_per_gpu")])
    starts = {
        "matmul_share": 0.7, "width_knee": 400.0, "token_knee": 600.0, "attention_share": 0.4, "overlap_share": 0.9, "layer_s": 1.2e-4, "step_s": 0.02,
        "scale_loss_share": 0.012, "tensor_exposed_share": 0.7, "context_waste_ratio": 1.5, "pace_ratio": 1.0, "scale_up_share": 0.6, "pcie_share": 0.5,
        "rdma_share": 0.75, "ethernet_share": 0.6, "scale_up_latency_s": 2e-5, "pcie_latency_s": 3e-5, "network_latency_s": 5e-5,
    }  # fmt: skip
    fixed = {"overlap_share", "scale_up_latency_s", "pcie_latency_s", "network_latency_s", "ethernet_share"}
    machine = {"matmul_share", "attention_share", "scale_up_share", "layer_s"}
    engines = {"@megatron", "@torchtitan", "@llm-foundry", "@megatron25", "@megatron26", "@moe"}

    def tagged(name: str, tag: str) -> bool:
        if name == "rdma_share":
            return tag == "@zero3-2021"
        return (name == "pace_ratio" and tag not in {"@moe", "@megatron25", "@megatron26"}) or (
            name in {"layer_s", "tensor_exposed_share"} and tag in engines
        )

    def narrowed(name: str, tag: str) -> bool:
        return name == "pace_ratio" and tag not in {"@misaligned", "@offload", "@moe"}

    def spreads(name: str, tag: str) -> float:
        if name in fixed or (name == "pace_ratio" and tag == "*"):
            return 0.01
        if name == "pcie_share":
            return 0.15
        if name == "rdma_share":
            return 0.1 if tag == "*" else 1.0
        if tag == "*":
            return 0.4
        if name == "layer_s" and tag in {"@moe", "@megatron25", "@megatron26"}:
            return 0.9
        return 0.15 if not tag.startswith("@") else 0.6 if tag == "@offload" else 0.1 if "|" in tag else 0.2

    tags = _tag_rows(table.scopes, table.tags, list(starts), machine, tagged, narrowed)
    of = design(tags, starts, spreads, {("rdma_share", "@zero3-2021"): 0.1})
    observed = np.asarray([[number(row, "tokens_per_s_per_gpu") for row in table.rows]])
    link_names = tuple(Links.__dataclass_fields__)

    def predict(constants: Constants) -> FloatArray:
        found = predict_training(
            table,
            TrainingConstants(**{name: constants[name] for name in TRAINING_CONSTANTS}),
            Links(**{name: constants[name] for name in link_names}),
        )
        return found[None, :]

    campaign = np.where([row.get("kind") == "campaign" for row in table.rows], 0.05, 1.0)
    prefixes = {name: f"link.{name}" if name in link_names else f"train.{name}" for name in starts}
    return _problem("training", table.rows, of, predict, observed, (1.0,), prefixes, campaign)


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
        _tag_rows([("*",)] * len(table.rows), table.tags, list(starts), set(), tagged, lambda *_: False),
        starts,
        spreads,
        tag_starts,
    )
    observed = np.asarray([[expected_bytes(row) for row in table.rows]])
    failed = np.where([row.get("kind") == "oom" for row in table.rows], 0.0, 1.0)
    prefixes = {name: f"memory.{name}" for name in MEMORY_CONSTANTS}
    return _problem(
        "memory", table.rows, of, lambda c: predict_memory(table, dict(c))[None, :], observed, (1.0,), prefixes, failed
    )


def image_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of image generation."""
    table, _ = image_table([row for row in rows if row.get("kind") == "diffusion" and row.get("quality") != "C"])
    starts = {"flop_share": 0.4, "knee_tflop": 0.2, "step_s": 0.012}

    def spreads(name: str, tag: str) -> float:
        if name == "knee_tflop":
            return 0.05
        if tag == "*":
            return 0.4
        return 0.4 if tag == "@fp32_vector" else 0.3 if tag.startswith("@") else 0.2

    tags = _tag_rows(
        table.scopes,
        table.tags,
        list(starts),
        {"flop_share"},
        lambda name, tag: name == "flop_share" or tag == "@compiled",
        lambda *_: False,
    )
    of = design(tags, starts, spreads)
    prefixes = {name: f"image.{name}" for name in IMAGE_CONSTANTS}
    return _problem(
        "images",
        table.rows,
        of,
        lambda c: predict_images(table, dict(c))[None, :],
        table.observed[None, :],
        (1.0,),
        prefixes,
    )


def solve(problem: Problem, *, without: NDArray[np.bool_] | None = None, most_steps: int = 60) -> Fitted:
    """Return the fit of a problem, leaving out the rows marked by `without`."""
    weights = problem.weights if without is None else np.where(without, 0.0, problem.weights)
    return fit(problem.design, problem.predict, problem.observed, weights, most_steps=most_steps)


def residuals(problem: Problem, theta: FloatArray) -> FloatArray:
    """Return the logarithm of predicted over observed, shape (metrics, rows)."""
    with np.errstate(all="ignore"):
        return np.asarray(np.log(problem.predict(log_constants(problem.design, theta)) / problem.observed), dtype=float)


def cross_validate(problem: Problem, *, folds: int = 10, seed: int = 0) -> Score:
    """Return residuals of rows left out: by groups, shared out over `folds` fits, and by whole blocks, one fit each."""
    rng = np.random.default_rng(seed)
    found = []
    for keys, count in ((np.asarray(problem.groups), folds), (np.asarray(problem.blocks), 0)):
        unique = np.unique(keys)
        order = rng.permutation(len(unique))
        fold_of = {key: (int(place) % count if count else place) for key, place in zip(unique, order, strict=True)}
        fold = np.asarray([fold_of[key] for key in keys])
        out = np.full(problem.observed.shape, np.nan)
        for one in np.unique(fold):
            held = fold == one
            fitted = solve(problem, without=held, most_steps=30)
            out[:, held] = residuals(problem, fitted.theta)[:, held]
        found.append(out)
    return Score(by_group=found[0], by_block=found[1])
