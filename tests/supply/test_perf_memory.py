"""What fits is judged by the upper end; long sequences are split over a ring; a refusal states more than there is."""

from __future__ import annotations

import re

import numpy as np
import pytest

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.demand.workload import Finetune, Workload
from planner.report.notes import note_text
from planner.supply.calibration import default_calibration
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet, Machine, Refusal
from planner.supply.serving.model import overhead_bytes, served_model
from pricing.facts.accelerators import accelerators

ASSUMPTIONS = default_assumptions()


def _box(name: str = "H100-SXM", count: int = 8) -> Machine:
    return Machine(
        accelerator=accelerators()[name],
        accelerator_count=count,
        memory_gib=2048,
        network="infiniband",
        network_gb_per_s_each_way=400.0,
    )


def _tuned(model: str, seq_len: int, method: str = "full", count: int = 64) -> Fleet | Refusal:
    work = Finetune(method=method, tokens_m=500, seq_len=seq_len)
    asked = Workload(kind="finetune", model=model, finetune=work, stack="megatron")
    return estimate(asked, known_model(model), _box(), count, ASSUMPTIONS)


def test_a_sequence_too_long_for_one_accelerator_is_split_over_a_ring() -> None:
    short, long = _tuned("llama-3.1-70b", 4096), _tuned("llama-3.1-70b", 131_072)
    assert isinstance(short, Fleet)
    assert isinstance(long, Fleet)
    assert short.layout.context == 1
    assert long.layout.context > 1
    assert long.performance.rate_per_s.typical < short.performance.rate_per_s.typical


def test_a_ring_uses_no_more_accelerators_than_there_are() -> None:
    fleet = _tuned("llama-3.1-8b", 65_536, count=16)
    assert isinstance(fleet, Fleet)
    lay = fleet.layout
    assert lay.tensor * lay.pipeline * lay.data * lay.context == fleet.accelerators_used <= 16


def test_a_fit_is_judged_by_the_upper_end_of_what_varies() -> None:
    fleet = _tuned("llama-3.1-8b", 4096)
    assert isinstance(fleet, Fleet)
    assert fleet.memory is not None
    assert fleet.memory.upper_bytes is not None
    reserve = default_calibration().value("memory.reserve_ratio")
    varies = dict(fleet.memory.parts)["activations"]
    assert fleet.memory.upper_bytes - fleet.memory.total_bytes == pytest.approx((reserve - 1.0) * varies)
    assert fleet.memory.upper_bytes <= ASSUMPTIONS["perf.training_memory_share"] * fleet.memory.capacity_bytes


def test_what_does_not_fit_needs_more_than_there_is() -> None:
    refused = _tuned("llama-3.1-405b", 4096, count=8)
    assert isinstance(refused, Refusal)
    assert refused.stage == "memory"
    needed, usable = (int(text.replace(",", "")) for text in re.findall(r"([\d,]+) GiB", note_text(refused.reason)))
    assert needed > usable


def test_a_4_bit_base_keeps_more_activations_and_fewer_weights_than_a_16_bit_one() -> None:
    lora, qlora = _tuned("llama-3.1-8b", 2048, "lora", 1), _tuned("llama-3.1-8b", 2048, "qlora", 1)
    assert isinstance(lora, Fleet)
    assert isinstance(qlora, Fleet)
    assert lora.memory is not None
    assert qlora.memory is not None
    assert dict(qlora.memory.parts)["weights"] < dict(lora.memory.parts)["weights"]
    assert default_calibration().ratio("memory.activation_ratio", ["@quantised_base"]) > 1.0


def test_a_model_that_sees_keeps_memory_for_the_largest_image_whatever_it_is_sent() -> None:
    seeing, blind = (served_model(known_model(name), "bf16", "bf16") for name in ("qwen2.5-vl-7b", "qwen2.5-7b"))
    assert float(overhead_bytes(seeing, 1) - overhead_bytes(blind, 1)) == pytest.approx(2.6e9, rel=0.05)
    # A tower whose images are brought to one size keeps little.
    assert float(np.asarray(served_model(known_model("gemma-3-27b"), "bf16", "bf16").seen_image_bytes)) < 0.2e9
