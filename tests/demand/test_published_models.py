"""Known models against what their makers publish: every row by its name and by its address on the hub."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from planner.demand.memory import kv_bytes_per_token, weight_bytes
from planner.demand.models import known_model
from planner.demand.parameters import active_parameter_count, parameter_count

PUBLISHED = Path(__file__).parent.parent / "fixtures" / "published_models.csv"
ROWS = list(csv.DictReader(PUBLISHED.read_text(encoding="utf-8").splitlines()))
LONG_CONTEXT_TOKENS = 1e12
"""So long that no window or state counts any more."""


def test_every_published_model_is_known_by_its_name_and_by_its_address() -> None:
    wrong = [row["name"] for row in ROWS if known_model(row["name"]) != known_model(row["hub_id"]) and not known_model(row["hub_id"]).native_precision]  # fmt: skip
    assert len(ROWS) > 300
    assert wrong == []


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_size_and_cache_are_those_that_are_published(row: dict[str, str]) -> None:
    model = known_model(row["name"])
    assert parameter_count(model) == pytest.approx(float(row["parameter_count"]), rel=0.03)
    if model.layers:  # the numbers of the architecture make the published count, not a count that is stated beside them
        assert parameter_count(replace(model, stated_parameter_count=0.0)) == pytest.approx(
            float(row["parameter_count"]), rel=0.03
        )
    if row["active_parameter_count"] and model.layers:
        assert active_parameter_count(model) == pytest.approx(float(row["active_parameter_count"]), rel=0.06)
    if row["kv_bytes_per_token_bf16"]:
        cache = float(kv_bytes_per_token(model, "bf16", LONG_CONTEXT_TOKENS))
        assert cache == pytest.approx(float(row["kv_bytes_per_token_bf16"]), rel=0.02)
    if row["max_context_tokens"]:
        assert model.max_context_tokens == int(row["max_context_tokens"])


@pytest.mark.parametrize(
    ("written", "name", "precision"),
    [
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral-7b-v0.3", ""),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral-8x7b", ""),
        ("Qwen/Qwen2.5-72B-Instruct-AWQ", "qwen2.5-72b", "awq"),
        ("Qwen/Qwen2.5-72B-Instruct-GPTQ-Int4", "qwen2.5-72b", "gptq"),
        ("Qwen/Qwen2.5-72B-Instruct-GPTQ-Int8", "qwen2.5-72b", "int8"),
        ("bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", "llama-3.1-8b", "q4_k_m"),
        ("Llama-3.1-8B-Instruct-Q8_0.gguf", "llama-3.1-8b", "q8_0"),
        ("RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic", "llama-3.3-70b", "fp8"),
        ("neuralmagic/Meta-Llama-3.1-405B-Instruct-quantized.w4a16", "llama-3.1-405b", "awq"),
        ("nvidia/DeepSeek-R1-0528-NVFP4", "deepseek-r1", "nvfp4"),
        ("unsloth/Qwen3-32B-bnb-4bit", "qwen3-32b", "nf4"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507-FP8", "qwen3-30b-a3b-2507", "fp8"),
        ("Qwen/Qwen3-30B-A3B", "qwen3-30b-a3b", ""),
        ("openai/gpt-oss-120b", "gpt-oss-120b", "mxfp4"),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-FP8", "nemotron-3-nano-30b-a3b", "fp8"),
        ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral-small-3.2-24b", ""),
        ("CohereLabs/c4ai-command-r7b-12-2024", "command-r7b", ""),
        ("zai-org/GLM-4.6-FP8", "glm-4.6", "fp8"),
    ],
)
def test_a_name_is_found_with_its_endings_and_its_format_is_read(written: str, name: str, precision: str) -> None:
    model = known_model(written)
    assert model.name == name
    assert model.native_precision == precision


def test_a_tower_stays_at_16_bits_in_a_quantized_model() -> None:
    model = known_model("gemma-3-4b")
    assert model.tower_parameter_count > 4e8
    text = replace(model, tower_parameter_count=0)
    assert weight_bytes(model, "int4") - weight_bytes(text, "int4") == 2.0 * model.tower_parameter_count
