"""The plan's memory beside published runs of the same kind: the sizes, techniques and refusals that it comes to."""

from __future__ import annotations

import pytest

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.demand.workload import Finetune, Workload
from planner.measured.memory.predict import memory_table
from planner.measured.rows import shipped_rows
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet, Machine, MemoryUse, Refusal
from planner.supply.training.memory import activation_bytes_per_token
from pricing.facts.accelerators import accelerators

ASSUMPTIONS = default_assumptions()


def _tuned(model: str, method: str, seq_len: int, gpu: str) -> Fleet | Refusal:
    box = Machine(accelerator=accelerators()[gpu], accelerator_count=1, memory_gib=512, network="ethernet")
    work = Finetune(method=method, tokens_m=10, seq_len=seq_len)
    return estimate(Workload(kind="finetune", model=model, finetune=work), known_model(model), box, 1, ASSUMPTIONS)


def _memory(found: Fleet | Refusal) -> MemoryUse:
    assert isinstance(found, Fleet)
    assert found.memory is not None
    return found.memory


def test_a_4_bit_fine_tuning_of_8b_on_an_a10g_takes_what_litgpt_measured() -> None:
    found = _tuned("llama-3.1-8b", "qlora", 512, "A10G")
    used = _memory(found)
    assert isinstance(found, Fleet)
    assert found.layout.micro_batch == 2
    assert "recompute" not in found.layout.techniques
    # The published figure (17.41 GB, row me0158) is what tensors take: without context and buffers.
    assert used.total_bytes - dict(used.parts)["overhead"] == pytest.approx(17.41e9, rel=0.1)


def test_all_parameters_of_8b_do_not_learn_on_an_a10g_as_litgpt_found() -> None:
    found = _tuned("llama-3.1-8b", "full", 512, "A10G")
    assert isinstance(found, Refusal)
    assert found.stage == "memory"


def test_adapters_of_13b_fit_40_gb_where_litgpt_ran_them_with_38() -> None:
    used = _memory(_tuned("llama-2-13b", "lora", 1304, "A100-40GB-SXM"))
    assert used.total_bytes < 0.92 * used.capacity_bytes


def test_the_lora_example_lies_between_shorter_and_longer_published_runs() -> None:
    # 8B at 2,048 tokens: 19.7 GB at 512 (litgpt), 30.3 GiB at 2 x 2,048 with checkpoints (torchtune); ours keeps everything.
    used = _memory(_tuned("llama-3.1-8b", "lora", 2048, "L40S"))
    assert 19.7e9 < used.total_bytes < 40e9
    assert dict(used.parts)["weights"] == pytest.approx(16.06e9, rel=0.06)


def test_plan_and_measured_rows_are_told_by_the_same_arithmetic() -> None:
    # 70B over tensor parallelism 8 with full recomputation, 16 sequences of 8,192 tokens (torchtitan, row me0044)
    [row] = [row for row in shipped_rows("memory") if row["id"] == "me0044"]
    table, _ = memory_table([row])
    each = activation_bytes_per_token(
        known_model("llama-3.1-70b"), tensor=8, pipeline=1, recompute=True, chunked_loss=False
    )
    told = table.activation_bytes[0] + table.logits_bytes[0]
    assert float(each) * 16 * 8192 == pytest.approx(told, rel=1e-9)
