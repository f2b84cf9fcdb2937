"""Formats in which weights are published: their sizes, what computes in them, and which is planned where none is stated."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from planner.assumptions import default_assumptions
from planner.demand.memory import weight_bytes
from planner.demand.models import known_model
from planner.demand.workload import Diffusion, Precision, Serve, Workload
from planner.report.notes import note_texts
from planner.supply.fleet import size
from planner.supply.machines import Fleet, Machine, Refusal
from pricing.facts.accelerators import accelerators

ASSUMPTIONS = default_assumptions()


def fleet(model: str, gpu: str, count: int = 1, *, precision: tuple[Precision, ...] = ()) -> Fleet | Refusal:
    work = Workload(kind="serve", model=model, precision=precision, serve=Serve(requests_per_s=0.1, input_tokens=500, output_tokens=200))  # fmt: skip
    machine = Machine(accelerator=accelerators()[gpu] if gpu else None, accelerator_count=count, vcpus=96, memory_gib=1536.0, processor="Intel Xeon Platinum 8488C")  # fmt: skip
    return size(work, known_model(model), [machine], ASSUMPTIONS)[0]


@pytest.mark.parametrize(
    ("model", "form", "published_gb"),
    [
        # Sizes of files on the hub: bartowski and unsloth GGUF pages, AWQ and MXFP4 checkpoints (safetensors index, total_size).
        ("llama-3.1-70b", "q4_k_m", 42.5),
        ("llama-3.1-70b", "q8_0", 75.0),
        ("llama-3.1-8b", "q6_k", 6.6),
        ("qwen2.5-32b", "q4_k_m", 19.85),
        ("llama-3.1-8b", "awq", 5.73),
        ("gpt-oss-120b", "mxfp4", 65.2),
    ],
)
def test_a_format_takes_what_its_published_files_take(model: str, form: str, published_gb: float) -> None:
    assert weight_bytes(known_model(model), form) / 1e9 == pytest.approx(published_gb, rel=0.03)


@pytest.mark.parametrize(("gpu", "widened"), [("A100-80GB-SXM", True), ("H100-SXM", False)])
def test_eight_bit_weights_are_stored_as_such_and_multiplied_in_what_the_chip_has(gpu: str, widened: bool) -> None:
    found = fleet("llama-3.1-8b", gpu, precision=(Precision.FP8,))
    assert isinstance(found, Fleet)
    assert found.memory is not None
    assert dict(found.memory.parts)["weights"] < 10e9
    assert any("multiplied in 16 bit" in note for note in note_texts(found.notes)) is widened


@pytest.mark.parametrize(
    ("model", "gpu", "count", "form"),
    [
        ("gpt-oss-120b", "H100-SXM", 8, "mxfp4"),
        ("gpt-oss-120b", "A100-80GB-SXM", 8, "mxfp4"),
        ("kimi-k2-thinking", "H200-SXM", 8, "int4"),
        ("deepseek-v3", "H200-SXM", 8, "fp8"),
        ("deepseek-v3", "H100-SXM", 8, "int4"),
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", "H100-SXM", 1, "awq"),
        ("llama-3.1-8b", "H100-SXM", 1, "fp8"),
        ("deepseek-v3", "", 0, "bf16"),
    ],
)  # fmt: skip
def test_a_model_is_planned_in_the_format_that_it_is_published_in(model: str, gpu: str, count: int, form: str) -> None:
    found = fleet(model, gpu, count)
    assert isinstance(found, Fleet)
    assert found.layout.precision == form
    assert found.layout.kv_precision == "bf16"


@pytest.mark.parametrize("form", ["nf4", "awq", "mxfp4"])
def test_a_cache_format_that_no_engine_has_is_refused_by_name(form: str) -> None:
    with pytest.raises(ValidationError, match=f"kv_precision must be one of.*got {form}"):
        Workload.model_validate({"kind": "serve", "model": "llama-3.1-8b", "kv_precision": form, "serve": {"requests_per_s": 1, "input_tokens": 9, "output_tokens": 9}})  # fmt: skip


def test_an_image_model_in_eight_bit_fits_small_cards_with_its_text_encoder_swapped() -> None:
    small, large = (
        size(
            Workload(kind="diffusion", model="flux.1-dev", precision=(Precision.FP8,), diffusion=Diffusion(images_per_day=10)),
            known_model("flux.1-dev"), [Machine(accelerator=accelerators()[name], accelerator_count=1)], ASSUMPTIONS,
        )[0]
        for name in ("RTX 4060 Ti 16GB", "L40S")
    )  # fmt: skip
    assert isinstance(small, Fleet)
    assert isinstance(large, Fleet)
    assert any("host memory" in note for note in note_texts(small.notes))
    assert not any("host memory" in note for note in note_texts(large.notes))
    assert large.memory is not None
    assert small.memory is not None
    assert dict(large.memory.parts)["weights"] > dict(small.memory.parts)["weights"] + 9e9
