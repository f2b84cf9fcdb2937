"""How training speed is fitted: its constants, where each may differ, and how far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fit.problem import Problem, problem_of, tag_rows
from fit.solve import Constants, design
from planner.arrays import FloatArray
from planner.measured.rows import Row, number
from planner.measured.training.predict import TRAINING_CONSTANTS, predict_training, training_table
from planner.supply.communication import Links
from planner.supply.training.speed import TrainingConstants

_FORMATS = {"@fp8", "@fp4", "@mxfp8"}
_YEARS = {"@megatron25", "@megatron26"}
_TAG_STARTS = {
    ("rdma_share", "@zero3-2021"): 0.1,  # ZeRO-3 of 2021 gathered late and in small pieces
    # Router, permutation, grouped products and the wait for their sizes: several times the kernels of a dense layer.
    ("layer_s", "@moe"): 5.0,
    # A ring whose last rank has all of a causal triangle waits for it: up to twice the even share.
    ("context_waste_ratio", "@ring"): 1.6,
}
_FIXED = {"overlap_share", "scale_up_latency_s", "pcie_latency_s", "network_latency_s"}
"""What these rows cannot tell apart stays where the literature has it."""


def _tagged(name: str, tag: str) -> bool:
    """Return whether a tag of the work may change a constant."""
    match name:
        case "pace_ratio":
            return tag not in {"@moe", "@qlora", "@ring", *_YEARS, *_FORMATS}
        case "matmul_share":
            return tag in _FORMATS  # number formats speed up products alone, so that they never slow the rest
        case "rdma_share":
            return tag == "@zero3-2021"
        case "context_waste_ratio":
            return tag == "@ring"
        case "layer_s" | "tensor_exposed_share":
            return tag in {"@megatron", "@torchtitan", "@llm-foundry", "@moe", *_YEARS}
        case _:
            return False


def _narrowed(name: str, tag: str) -> bool:
    """Return whether a tag may differ between generations."""
    return (name == "matmul_share" and tag == "@fp8") or (name == "pace_ratio" and tag not in {"@misaligned", "@moe"})


def _spread(name: str, tag: str) -> float:
    """Return how far a constant's part may lie from its start, in natural logarithms."""
    if name in _FIXED or (name == "pace_ratio" and tag == "*"):
        return 0.01
    if tag == "*":
        return {"pcie_share": 0.15, "ethernet_share": 0.3, "rdma_share": 0.1}.get(name, 0.4)
    if name == "rdma_share":
        return 1.0
    if name == "layer_s" and tag in {"@moe", *_YEARS}:
        return 0.5 if tag == "@moe" else 0.9
    if not tag.startswith("@"):
        return 0.15
    return 0.1 if "|" in tag or tag == "@deepspeed" else 0.2


def training_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of training speed: tokens per second and accelerator."""
    table, _ = training_table([row for row in rows if row.get("quality") != "C" and row.get("tokens_per_s_per_gpu")])
    starts = {
        "matmul_share": 0.9, "width_knee": 400.0, "token_knee": 600.0, "attention_share": 0.4, "overlap_share": 0.9, "layer_s": 1.2e-4, "step_s": 0.02,
        "scale_loss_share": 0.012, "tensor_exposed_share": 0.7, "context_waste_ratio": 1.1, "pace_ratio": 1.0, "scale_up_share": 0.6, "pcie_share": 0.5,
        "rdma_share": 0.75, "ethernet_share": 0.6, "scale_up_latency_s": 2e-5, "pcie_latency_s": 3e-5, "network_latency_s": 5e-5,
    }  # fmt: skip
    machine = {"matmul_share", "attention_share"}

    tags = tag_rows(table.scopes, table.tags, list(starts), machine, _tagged, _narrowed)
    of = design(tags, starts, _spread, _TAG_STARTS)
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
    return problem_of("training", table.rows, of, predict, observed, (1.0,), prefixes, campaign)
