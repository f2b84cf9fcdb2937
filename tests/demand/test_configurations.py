"""Configuration files of many families: size, cache and context against what their makers publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planner.cli import main
from planner.demand.memory import kv_bytes_per_token
from planner.demand.models import resolve_model
from planner.demand.parameters import active_parameter_count, parameter_count
from planner.errors import InputError
from planner.report.notes import note_text
from planner.supply.serving.model import cached_bytes_per_request, served_model

CONFIGURATIONS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "fixtures" / "configurations.json").read_text(encoding="utf-8")
)
"""Numbers of public configuration files, each with the published parameter count and the KV cache at 131,072 tokens by hand."""


def write(config: dict[str, Any], folder: Path, name: str = "config") -> str:
    """Write a configuration as the hub lays it out: in a folder of the model's name."""
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return str(folder / name / "config.json")


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_gives_the_published_size_cache_and_context(name: str, tmp_path: Path) -> None:
    row = CONFIGURATIONS[name]
    model = resolve_model(write(row["config"], tmp_path, name))
    assert parameter_count(model) == pytest.approx(row["parameter_count"], rel=0.01)
    if row["kv_cache_bytes_per_token_bf16"] is not None:
        cache = float(kv_bytes_per_token(model, "bf16", 131_072))
        assert cache == pytest.approx(row["kv_cache_bytes_per_token_bf16"], rel=0.005)
    assert model.max_context_tokens == (row["max_context_tokens"] or 0)


@pytest.mark.parametrize(
    ("name", "active_b"),
    [("nemotron-3-super-120b-a12b", 12.77), ("jamba-mini-52b", 12.1), ("kimi-linear-48b-a3b", 3.48), ("granite-4.0-h-small", 8.8)],
)  # fmt: skip
def test_a_mixture_beside_other_layers_activates_what_is_published(name: str, active_b: float, tmp_path: Path) -> None:
    model = resolve_model(write(CONFIGURATIONS[name]["config"], tmp_path))
    assert active_parameter_count(model) / 1e9 == pytest.approx(active_b, rel=0.01)


@pytest.mark.parametrize(
    ("quantization", "precision"),
    [
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "fp8", "fmt": "e4m3"}, "fp8"),
        ({"quant_method": "awq", "bits": 4}, "awq"),
        ({"quant_method": "gptq", "bits": 4}, "gptq"),
        ({"quant_method": "gptq", "bits": 8}, "int8"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "nf4"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"type": "float", "num_bits": 8}}}}, "fp8"),
        ({"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": {"type": "int", "num_bits": 8}}}}, "int8"),
    ],
)  # fmt: skip
def test_the_format_of_the_weights_is_read(quantization: dict[str, Any], precision: str, tmp_path: Path) -> None:
    config = {**CONFIGURATIONS["minimax-m1"]["config"], "quantization_config": quantization}
    assert resolve_model(write(config, tmp_path)).native_precision == precision


def test_an_unknown_type_is_read_by_its_keys_only_where_its_name_confirms_the_size(tmp_path: Path) -> None:
    config = {
        "model_type": "newcomer", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "vocab_size": 128256,
    }  # fmt: skip
    model = resolve_model(write(config, tmp_path, "newcomer-8b-chat"))
    assert "not known here" in note_text(model.notes[0])
    with pytest.raises(InputError, match="no name beside it confirms its size"):
        resolve_model(write(config, tmp_path, "newcomer"))
    with pytest.raises(InputError, match="ssm_width: 64"):
        resolve_model(write({**config, "ssm_width": 64}, tmp_path, "newcomer-8b-chat"))


def test_a_yarn_factor_lengthens_the_context(tmp_path: Path) -> None:
    config = {**CONFIGURATIONS["ernie-4.5-300b-a47b"]["config"], "max_position_embeddings": 32_768}
    config["rope_scaling"] = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32_768}
    assert resolve_model(write(config, tmp_path)).max_context_tokens == 131_072


def test_a_recurrent_state_is_held_for_each_request_whatever_its_length(tmp_path: Path) -> None:
    model = served_model(resolve_model(write(CONFIGURATIONS["mamba2-2.7b"]["config"], tmp_path)), "bf16", "bf16")
    short, long = (float(cached_bytes_per_request(model, 1, 1, tokens)) for tokens in (1_000, 100_000))
    assert short == long == pytest.approx(64 * (80 * 64 * 128 * 4 + (80 * 64 + 2 * 128) * 3 * 2))


def test_models_takes_a_path_and_a_context(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(CONFIGURATIONS["gemma-4-26b-a4b"]["config"], tmp_path, "gemma-4-26b-a4b")
    assert main(["models", path, "--context", "1024", "-f", "json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["models"]
    assert row["kv_cache_bytes_per_token_bf16"] == 5 * 2 * 2 * 512 * 2 + 25 * 2 * 8 * 256 * 2  # no window is full yet
    assert row["max_context_tokens"] == 262_144


@pytest.mark.parametrize("key", ["global_head_dim", "swa_rank", "num_kv_shared_heads", "ssm_state_dim", "hybrid_width"])
def test_a_key_that_changes_size_or_cache_and_is_not_understood_is_named(key: str, tmp_path: Path) -> None:
    config = {**CONFIGURATIONS["ernie-4.5-300b-a47b"]["config"], key: 64}
    with pytest.raises(InputError, match=f"{key}: 64"):
        resolve_model(write(config, tmp_path))


@pytest.mark.parametrize("command", [["estimate", "--on", "h100-sxm"], ["plan", "-f", "json"]])
def test_a_relative_path_starts_at_the_workloads_own_folder(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(CONFIGURATIONS["qwen3-vl-8b"]["config"], tmp_path, "qwen3-vl-8b")
    workload = tmp_path / "workload.yaml"
    workload.write_text(
        "kind: serve\nmodel: qwen3-vl-8b/config.json\nserve: {requests_per_s: 0.1, input_tokens: 500, output_tokens: 100}\n",
        encoding="utf-8",
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main([command[0], str(workload), *command[1:]]) == 0
    assert "no such file" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"model_type": "rwkv6", "hidden_size": 4096, "num_hidden_layers": 32, "vocab_size": 65536}, "'rwkv6' is not a text transformer"),
        ({**CONFIGURATIONS["dbrx"]["config"], "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4, "num_shared_gates": 2}},
         "num_shared_gates: 2"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named(config: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        resolve_model(write(config, tmp_path, "x-132b"))
