"""Models: names, configuration files and stated numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.demand.models import known_model, known_models, resolve_model
from planner.demand.parameters import parameter_count
from planner.demand.profiles import elastic_shares, hourly_rates
from planner.demand.requirements import requirements
from planner.demand.workload import GpuHours, ModelNumbers, Profile, Workload
from planner.errors import InputError
from planner.report.notes import note_text

CONFIGS: dict[str, dict[str, object]] = {
    "llama-3.1-8b": {
        "model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096, "num_attention_heads": 32, "num_key_value_heads": 8,
        "intermediate_size": 14336, "vocab_size": 128256, "tie_word_embeddings": False,
    },
    "qwen3-30b-a3b": {
        "model_type": "qwen3_moe", "num_hidden_layers": 48, "hidden_size": 2048, "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
        "intermediate_size": 6144, "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8, "vocab_size": 151936, "tie_word_embeddings": False,
    },
    "deepseek-v3": {
        "model_type": "deepseek_v3", "num_hidden_layers": 61, "hidden_size": 7168, "num_attention_heads": 128, "num_key_value_heads": 128,
        "intermediate_size": 18432, "moe_intermediate_size": 2048, "n_routed_experts": 256, "n_shared_experts": 1, "num_experts_per_tok": 8,
        "first_k_dense_replace": 3, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128, "v_head_dim": 128,
        "vocab_size": 129280, "tie_word_embeddings": False,
    },
    "gpt2-124m": {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "n_positions": 1024, "vocab_size": 50257},
    "bert-base": {
        "model_type": "bert", "num_hidden_layers": 12, "hidden_size": 768, "num_attention_heads": 12, "intermediate_size": 3072, "vocab_size": 30522,
        "max_position_embeddings": 512, "type_vocab_size": 2,
    },
    "gemma-2-9b": {
        "model_type": "gemma2", "num_hidden_layers": 42, "hidden_size": 3584, "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256,
        "intermediate_size": 14336, "vocab_size": 256000, "sliding_window": 4096,
    },
    "phi-2": {
        "model_type": "phi", "num_hidden_layers": 32, "hidden_size": 2560, "num_attention_heads": 32, "intermediate_size": 10240, "vocab_size": 51200,
        "tie_word_embeddings": False,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_file_gives_the_same_count_as_the_known_name(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIGS[name]), encoding="utf-8")
    assert parameter_count(resolve_model(str(path))) == parameter_count(known_model(name))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ("[1]", "holds an object"),
        ('{"model_type": "unet", "hidden_size": 3}', "not a text transformer"),
        ('{"_class_name": "UNet2DConditionModel"}', "not a text transformer"),
        ('{"model_type": "llama", "hidden_size": 4096}', "num_hidden_layers, num_attention_heads, vocab_size"),
        (
            '{"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 100, "num_attention_heads": 3, "vocab_size": 10}',
            "not a multiple",
        ),
        (
            '{"num_hidden_layers": "many", "hidden_size": 96, "num_attention_heads": 3, "vocab_size": 10}',
            "whole number",
        ),
    ],
)
def test_a_config_that_is_no_transformers_is_refused_in_words(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        resolve_model(str(path))


LLAMA_8B = CONFIGS["llama-3.1-8b"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"model_type": "brand_new"}, "not known well enough to size .model_type 'brand_new'"),
        ({"model_type": ""}, "not known well enough"),
        ({"mamba_d_state": 128}, "mamba_d_state: 128"),
        ({"layer_types": ["full_attention", "linear_attention"] * 16}, "linear_attention"),
        ({"layer_types": ["full_attention"] * 31}, "layer_types has 31 entries for 32 layers"),
        ({"hybrid_layer_pattern": [0, 1] * 16}, "16 layers see a window, and no sliding_window"),
        ({"num_global_key_value_heads": 2}, "num_global_key_value_heads: 2"),
        ({"attention_k_eq_v": True}, "attention_k_eq_v: True"),
        ({"audio_config": {"hidden_size": 1024}}, "audio_config"),
        ({"vision_config": {"model_type": "seer"}}, "vision_config: a tower that is not known here"),
        ({"_name_or_path": "meta-llama/Llama-3.1-70B-Instruct"}, "the name says 70B parameters, .* makes 8.03B"),
        ({"_name_or_path": "x/llama-8b-awq", "quantization_config": {"quant_method": "fp8"}}, "says awq, .* says fp8"),
        ({"num_hidden_layers": math.inf}, "num_hidden_layers must be a whole number"),
        ({"num_hidden_layers": math.nan}, "num_hidden_layers must be a whole number"),
        ({"num_hidden_layers": 10**400}, "num_hidden_layers must be a whole number"),
        ({"num_key_value_heads": True}, "num_key_value_heads must be a whole number"),
        ({"num_key_value_heads": [8]}, "num_key_value_heads must be a whole number"),
        ({"num_key_value_heads": 8.5, "intermediate_size": -1}, "num_key_value_heads .*; intermediate_size"),
        ({"model_type": "mpt", "attn_config": "alibi", "num_experts": "8"}, "num_experts must be"),
        ({"num_experts": 100_000, "moe_intermediate_size": 1_000_000}, "more than can be meant"),
    ],
)
def test_a_config_that_is_not_understood_is_refused_with_the_keys(
    changed: dict[str, object], told: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**LLAMA_8B, **changed}), encoding="utf-8")
    with pytest.raises(InputError, match=told):
        resolve_model(str(path))


@pytest.mark.parametrize(
    "harmless",
    [
        {"num_labels": 2, "num_beams": 1, "n_group": 1, "rope_scaling": {"factor": 8}, "num_nextn_predict_layers": 1},
        {"mlp_only_layers": [], "shared_intermediate_size": 0, "audio_config": None, "is_encoder_decoder": False},
        {"_name_or_path": "meta-llama/Llama-3.1-8B-Instruct", "quantization_config": {"quant_method": "fp8"}},
    ],
)
def test_keys_that_change_neither_size_nor_cache_are_passed_over(harmless: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**LLAMA_8B, **harmless}), encoding="utf-8")
    assert parameter_count(resolve_model(str(path))) == parameter_count(known_model("llama-3.1-8b"))


@pytest.mark.parametrize(
    ("changed", "windowed"),
    [
        ({"model_type": "qwen2"}, 0),  # Qwen's window is off unless it is switched on
        ({"model_type": "qwen2", "use_sliding_window": True, "max_window_layers": 28}, 4),
        ({"model_type": "cohere2", "sliding_window_pattern": 4}, 24),
        ({"model_type": "mistral"}, 32),
        ({"model_type": "gemma3", "sliding_window_pattern": 2}, 16),
    ],
)
def test_the_layers_with_a_window_are_those_of_the_family(
    changed: dict[str, object], windowed: int, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({**LLAMA_8B, "sliding_window": 4096, **changed}), encoding="utf-8")
    assert resolve_model(str(path)).windowed_layers == windowed


@pytest.mark.parametrize(
    "text", ["[" * 200_000, '{"a":' * 5_000, '{"hidden_size": ' + "1" * 5_000 + "}", "\x00", '{"a": \xff']
)
def test_a_config_that_is_no_json_is_refused_in_words(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"JSON|UTF-8"):
        resolve_model(str(path))


@pytest.mark.parametrize(
    "name",
    [
        "llama" + "-2024" * 4_000,
        "a/" + "x" * 300,
        "x" * 300 + ".json",
        "a\0b",
        "a\0b.json",
        "~nobody-of-that-name/x",
        "\ud800",
    ],
)
def test_a_name_of_any_length_or_kind_is_refused_at_once(name: str) -> None:
    with pytest.raises(InputError):
        resolve_model(name)


def test_an_endless_file_is_read_to_a_bound(tmp_path: Path) -> None:
    (tmp_path / "x.json").symlink_to("/dev/zero")
    with pytest.raises(InputError, match="larger than 1,000,000 bytes"):
        resolve_model(str(tmp_path / "x.json"))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("meta-llama/Llama-3.1-70B-Instruct", "llama-3.1-70b"),
        ("Llama 3.1 8B", "llama-3.1-8b"),
        ("llama3.1-8b", "llama-3.1-8b"),
        ("mistralai/Mistral-7B-v0.1", "mistral-7b"),
        ("Qwen/Qwen2.5-72B-Instruct", "qwen2.5-72b"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-r1"),
        ("BAAI/bge-large-en-v1.5", "bge-large"),
        ("stable-diffusion-xl-base-1.0", "sdxl"),
    ],
)
def test_a_model_is_known_by_the_names_that_people_write(written: str, name: str) -> None:
    assert parameter_count(resolve_model(written)) == parameter_count(known_model(name))


def test_an_unknown_name_is_answered_with_the_nearest_known_ones() -> None:
    with pytest.raises(InputError) as caught:
        resolve_model("lama-3.1-70b")
    assert "llama-3.1-70b" in caught.value.hint


def test_every_known_model_can_be_counted_and_required() -> None:
    assert len(known_models()) > 140
    for name in known_models():
        assert parameter_count(known_model(name)) > 1e6


@given(billions=st.floats(0.01, 3000))
def test_missing_numbers_are_filled_in_and_said_so(billions: float) -> None:
    arch = resolve_model(ModelNumbers(parameters_b=billions))
    assert parameter_count(arch) == billions * 1e9
    assert "filled in" in note_text(arch.notes[0])


def test_more_active_than_all_parameters_are_refused() -> None:
    with pytest.raises(InputError, match="must not exceed"):
        resolve_model(ModelNumbers(parameters_b=7, active_parameters_b=8))


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(InputError, match="multiple"):
        resolve_model(ModelNumbers(parameters_b=7, hidden=4096, heads=33))


@pytest.mark.parametrize("profile", list(Profile))
def test_a_profile_has_a_week_of_hours_with_mean_one(profile: Profile) -> None:
    rates = hourly_rates(profile)
    assert rates.shape == (168,)
    assert rates.mean() == pytest.approx(1.0)
    assert rates.min() >= 0


@given(profile=st.sampled_from(list(Profile)), peak=st.floats(1, 10), machines=st.integers(1, 500))
def test_a_fleet_that_follows_demand_pays_between_one_machine_and_all(
    profile: Profile, peak: float, machines: int
) -> None:
    share = elastic_shares(profile, np.array([peak]), np.array([[float(machines)]]))
    assert 1 / machines - 1e-9 <= float(share[0, 0]) <= 1


def test_stated_hours_need_no_model() -> None:
    need = requirements(Workload(kind="gpu_hours", gpu_hours=GpuHours(gpu="h100")))
    assert need.unit == "accelerator_hours"
