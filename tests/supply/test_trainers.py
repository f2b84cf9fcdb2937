"""The same job in the software that people run: what fits in one trainer does not in another. Cases of public threads."""

from __future__ import annotations

from typing import Any

import pytest

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.demand.workload import Finetune, Workload
from planner.report.notes import note_texts
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet, Machine, Refusal
from pricing.facts.accelerators import accelerators

GB = 1e9


def _run(
    model: str, gpu: str, count: int, *, stack: str | None = None, host_gib: float = 0.0, **work: Any
) -> Fleet | Refusal:
    asked = Workload.model_validate(
        {"kind": "finetune", "model": model, "stack": stack, "finetune": {"tokens_m": 10, **work}}
    )
    assert isinstance(asked.work, Finetune)
    machine = Machine(accelerator=accelerators()[gpu], accelerator_count=count, memory_gib=host_gib)
    return estimate(asked, known_model(model), machine, count, default_assumptions())


def test_qlora_of_70b_on_two_cards_of_24_gb_fits_with_its_base_in_host_memory() -> None:
    """axolotl-ai-cloud/axolotl#1428: QLoRA with FSDP and CPU offload peaked at 14 GB a card."""
    work: dict[str, Any] = {
        "method": "qlora",
        "rank": 32,
        "seq_len": 512,
        "global_batch_tokens_m": 0.004,
        "optimizer": "adamw_8bit",
    }
    fleet = _run("llama-2-70b", "RTX 3090", 2, host_gib=96, **work)
    assert isinstance(fleet, Fleet)
    assert fleet.memory is not None
    assert fleet.memory.total_bytes == pytest.approx(14 * GB, rel=0.15)
    assert "offload" in fleet.layout.techniques
    assert isinstance(_run("llama-2-70b", "RTX 3090", 2, host_gib=16, **work), Refusal)


def test_72b_in_full_on_eight_a100_needs_host_memory() -> None:
    """QwenLM/Qwen3#804 (ZeRO-3, over 800 GB of host memory) and axolotl-ai-cloud/axolotl#1439 (out of memory without)."""
    work: dict[str, Any] = {"method": "full", "seq_len": 2560, "global_batch_tokens_m": 0.128}
    assert isinstance(_run("qwen2.5-72b", "A100-80GB-SXM", 8, stack="deepspeed", host_gib=1280, **work), Fleet)
    assert isinstance(_run("qwen2.5-72b", "A100-80GB-SXM", 8, stack="deepspeed", host_gib=640, **work), Refusal)


def test_whole_logits_of_a_long_sequence_do_not_fit_where_megatron_splits_them() -> None:
    """unslothai/unsloth#4069: gpt-oss-120b, 32,768 tokens, out of memory on two RTX PRO 6000."""
    work: dict[str, Any] = {
        "method": "qlora",
        "seq_len": 32_768,
        "global_batch_tokens_m": 0.26,
        "optimizer": "adamw_8bit",
    }
    assert isinstance(_run("gpt-oss-120b", "RTX PRO 6000 Blackwell", 2, **work), Refusal)
    assert isinstance(_run("gpt-oss-120b", "RTX PRO 6000 Blackwell", 2, stack="megatron", **work), Fleet)


def test_a_run_may_be_longer_than_the_context_it_extends() -> None:
    """jquesnelle/yarn#23: llama-2-7b trained on sequences of 65,536."""
    fleet = _run(
        "llama-2-7b", "A100-80GB-SXM", 8, host_gib=1280, method="full", seq_len=65_536, global_batch_tokens_m=0.52
    )
    assert isinstance(fleet, Fleet)
    assert any("exceed the model's context" in note for note in note_texts(fleet.notes))


def test_a_trainer_belongs_to_training() -> None:
    with pytest.raises(ValueError, match="belongs to pretrain and finetune"):
        Workload.model_validate(
            {
                "kind": "serve",
                "model": "llama-3.1-8b",
                "stack": "fsdp",
                "serve": {"requests_per_s": 1, "input_tokens": 10, "output_tokens": 10},
            }
        )


def test_preferences_take_a_reference_model_beside_the_one_that_learns_and_its_passes() -> None:
    plain, pairs, adapted = (
        _run("llama-3.1-8b", "H100-SXM", 8, method=method, adapter=adapter)
        for method, adapter in (("full", None), ("dpo", None), ("dpo", "lora"))
    )
    assert isinstance(plain, Fleet)
    assert isinstance(pairs, Fleet)
    assert isinstance(adapted, Fleet)
    assert plain.memory is not None
    assert pairs.memory is not None
    held = dict(pairs.memory.parts)["weights"] - dict(plain.memory.parts)["weights"]
    assert held == pytest.approx(2 * 8.03e9 / 8, rel=0.01)
    assert pairs.performance.step_s is not None
    assert plain.performance.step_s is not None
    assert 1.1 < pairs.performance.step_s / plain.performance.step_s <= 4 / 3 + 0.01
    # With the adapters switched off the base is its own reference.
    assert "reference_model" not in adapted.layout.techniques
    assert "lora" in adapted.layout.techniques


def test_answers_that_the_model_writes_take_their_time_before_they_are_learned_from() -> None:
    pairs, short, long = (
        _run("llama-3.1-8b", "H100-SXM", 8, method=method, prompt_tokens=prompt, seq_len=2048)
        for method, prompt in (("dpo", None), ("grpo", 1800), ("grpo", 256))
    )
    steps = []
    for fleet in (pairs, short, long):
        assert isinstance(fleet, Fleet)
        assert fleet.performance.step_s is not None
        steps.append(fleet.performance.step_s)
    assert steps[0] < steps[1] < steps[2]
    assert isinstance(long, Fleet)
    assert any("generating answers" in note for note in note_texts(long.notes))
    assert long.performance.rate_per_s.high / long.performance.rate_per_s.low > 3


def test_a_model_that_the_machines_cannot_serve_is_not_trained_on_its_own_answers() -> None:
    assert isinstance(_run("llama-3.1-405b", "RTX 4090", 1, method="grpo", adapter="qlora"), Refusal)


@pytest.mark.parametrize(
    ("model", "gpu", "seq_len"), [("llama-2-70b", "A100-80GB-SXM", 2048), ("qwen1.5-7b", "A100-40GB-SXM", 8192)]
)
def test_what_fits_by_host_memory_alone_is_refused_to_who_does_not_offload(model: str, gpu: str, seq_len: int) -> None:
    """Cases axolotl-ai-cloud/axolotl#1439 and QwenLM/Qwen#188: both ran out of memory without offload."""
    work: dict[str, Any] = {"method": "full", "seq_len": seq_len, "global_batch_tokens_m": 0.128, "host_gib": 1300.0}
    offloaded = _run(model, gpu, 8, **work)
    assert isinstance(offloaded, Fleet)
    assert any("host memory" in note for note in note_texts(offloaded.notes))
    assert isinstance(_run(model, gpu, 8, offload=False, **work), Refusal)


def test_a_refusal_names_the_techniques_that_the_trainer_tried() -> None:
    """axolotl-ai-cloud/axolotl#1439: 70B in full on eight A100 of 80 GB, without host memory."""
    work: dict[str, Any] = {"method": "full", "seq_len": 2048, "global_batch_tokens_m": 0.128}
    refused = [_run("llama-2-70b", "A100-80GB-SXM", 8, host_gib=host, stack=stack, **work, **more) for stack, host, more in (
        ("axolotl", 2000, {"offload": False}), ("axolotl", 256, {}), ("megatron", 2000, {"offload": False}),
    )]  # fmt: skip
    assert all(isinstance(each, Refusal) for each in refused)
    told = [note_texts([each.reason])[0] for each in refused if isinstance(each, Refusal)]
    assert "(sharding, recomputation)" in told[0]
    assert "offload" not in told[1], "256 GiB of host memory hold no optimizer of 70B"
    assert "(tensor parallelism, pipeline parallelism, sharding, recomputation, chunked loss)" in told[2]
