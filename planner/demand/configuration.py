"""Configuration files: a Hugging Face ``config.json`` read into an `Architecture`, without any library of theirs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planner.demand.architecture import Architecture
from planner.errors import InputError

__all__ = ["architecture_from_config"]

_RMS_DECODERS = {
    "llama", "mistral", "mixtral", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "gemma", "gemma2", "gemma3", "gemma3_text",
    "phi3", "deepseek_v2", "deepseek_v3", "kimi_k2", "gpt_oss", "olmo2", "yi", "internlm2", "granite", "smollm3", "glm4_moe",
    "llama4_text", "llama4",
}  # fmt: skip
_LAYER_NORM_DECODERS = {"gpt2", "gptj", "gpt_neox", "opt", "bloom", "falcon", "phi", "mpt", "starcoder2", "gpt_bigcode"}
_ENCODERS = {
    "bert",
    "roberta",
    "xlm-roberta",
    "distilbert",
    "mpnet",
    "nomic_bert",
    "modernbert",
    "electra",
    "camembert",
}
_FIVE_IN_SIX = 6
"""Gemma 3 has one full layer in six."""


def _pick(config: Mapping[str, Any], *names: str, default: Any = None) -> Any:  # noqa: ANN401 - JSON holds anything
    for name in names:
        if config.get(name) is not None:
            return config[name]
    return default


def _read(path: Path) -> Mapping[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"no such file: {path}", hint="give a known model name or a path to a config.json", where="model"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}", where="model") from None
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", where=f"{path}:{error.lineno}:{error.colno}") from None
    if not isinstance(config, dict):
        raise InputError("a config.json holds an object", where=str(path))
    inner = config.get("text_config")
    return {**config, **inner} if isinstance(inner, dict) else config


def architecture_from_config(path: Path) -> Architecture:
    """Return the architecture that a ``config.json`` describes.

    Raises
    ------
    InputError
        Where the file is no JSON, describes no transformer, or lacks a number; all missing numbers at once.
    """
    config = _read(path)
    family = str(config.get("model_type", "")).lower()
    if "_class_name" in config or family in {
        "unet",
        "autoencoderkl",
        "vit",
        "clip",
        "convnext",
        "resnet",
        "mamba",
        "rwkv",
    }:
        what = config.get("_class_name") or family
        raise InputError(
            f"{what!r} is no text transformer",
            hint="known image models have names (`gpuplan schema workload`); other models: state their numbers",
            where=str(path),
        )
    numbers = {
        "num_hidden_layers": _pick(config, "num_hidden_layers", "n_layer", "n_layers", "num_layers"),
        "hidden_size": _pick(config, "hidden_size", "n_embd", "d_model", "dim"),
        "num_attention_heads": _pick(config, "num_attention_heads", "n_head", "n_heads"),
        "vocab_size": _pick(config, "vocab_size"),
    }
    missing = [name for name, value in numbers.items() if value is None]
    if missing:
        raise InputError(
            f"this config.json lacks {', '.join(missing)}"
            + (f" (model_type {family!r})" if family else ", and has no model_type"),
            hint="is it a transformer's? state the numbers in the workload otherwise",
            where=str(path),
        )
    try:
        layers, hidden, heads, vocab = (int(value) for value in numbers.values())
        return _architecture(config, family, path, layers=layers, hidden=hidden, heads=heads, vocab=vocab)
    except (TypeError, ValueError) as error:
        raise InputError(f"a number of this config.json is none: {error}", where=str(path)) from None


def _architecture(
    config: Mapping[str, Any], family: str, path: Path, *, layers: int, hidden: int, heads: int, vocab: int
) -> Architecture:
    encoder, layer_norm = family in _ENCODERS, family in _LAYER_NORM_DECODERS or family in _ENCODERS
    known = family in _RMS_DECODERS or layer_norm
    if heads <= 0 or (hidden % heads and not config.get("head_dim")):
        raise InputError(f"hidden_size ({hidden}) is no multiple of num_attention_heads ({heads})", where=str(path))
    kv_heads = _pick(config, "num_key_value_heads", "num_kv_heads", "n_head_kv", default=heads)
    if family == "falcon" and config.get("multi_query") and not config.get("new_decoder_architecture"):
        kv_heads = 1
    if family == "gpt_bigcode" and config.get("multi_query", True):
        kv_heads = 1
    experts = int(_pick(config, "n_routed_experts", "num_experts", "num_local_experts", default=0) or 0)
    ffn = _pick(config, "intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "hidden_dim")
    if ffn is None:
        ratio = _pick(config, "expansion_ratio", default=4)
        ffn = int(ratio * hidden)
    ffn = int(ffn)
    expert_ffn = int(_pick(config, "moe_intermediate_size", default=ffn)) if experts else 0
    dense_layers = int(_pick(config, "first_k_dense_replace", default=0) or 0) if experts else 0
    step = int(_pick(config, "interleave_moe_layer_step", "decoder_sparse_step", default=1) or 1) if experts else 1
    shared = int(_pick(config, "n_shared_experts", "num_shared_experts", default=0) or 0) * expert_ffn if experts else 0
    shared = int(_pick(config, "shared_expert_intermediate_size", default=shared) or shared) if experts else 0
    if family.startswith("llama4") and experts:
        shared = expert_ffn = int(config["intermediate_size"])
        ffn = int(_pick(config, "intermediate_size_mlp", default=ffn))
    positions = int(_pick(config, "max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", default=0) or 0)
    learned = (
        positions
        if family in {"gpt2", "bert", "roberta", "xlm-roberta", "distilbert", "mpnet", "electra", "camembert"}
        else 0
    )
    if family == "opt":
        learned = positions + 2
    if family == "mpt" and config.get("attn_config", {}).get("alibi"):
        learned = 0
    elif family == "mpt":
        learned = positions
    window, windowed = _windows(config, family, layers)
    extra, norms, biases = _family_extras(
        config, family, layers, hidden, vocab, heads=heads, experts=experts, dense=dense_layers
    )
    gated_default = family in _RMS_DECODERS or family in {"nomic_bert", "modernbert"} or not known
    return Architecture(
        name=str(_pick(config, "_name_or_path", default="")).rsplit("/", 1)[-1] or path.parent.name or path.stem,
        kind="encoder" if encoder else "decoder",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=int(kv_heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        ffn=0 if experts and not dense_layers and step == 1 else ffn,
        vocab=vocab,
        gated_mlp=gated_default,
        tied_embeddings=bool(config.get("tie_word_embeddings", _tied_by_default(family))),
        experts=experts,
        experts_per_token=int(
            _pick(config, "num_experts_per_tok", "num_experts_per_token", "experts_per_token", default=1)
        )
        if experts
        else 0,
        expert_ffn=expert_ffn,
        shared_ffn=shared,
        dense_layers=dense_layers,
        moe_layer_step=step,
        q_rank=int(config.get("q_lora_rank") or 0),
        kv_rank=int(config.get("kv_lora_rank") or 0),
        rope_dim=int(config.get("qk_rope_head_dim") or 0),
        nope_dim=int(config.get("qk_nope_head_dim") or 0),
        value_dim=int(config.get("v_head_dim") or 0),
        window_tokens=window,
        windowed_layers=windowed,
        qkv_bias=biases[0],
        output_bias=biases[1],
        mlp_bias=biases[2],
        norm="layer_without_bias" if family in {"mpt", "modernbert"} else "layer" if layer_norm else "rms",
        norms_per_layer=norms,
        final_norm=not encoder or family == "modernbert",
        qk_norm=family in {"qwen3", "qwen3_moe", "gemma3", "gemma3_text"} or bool(config.get("use_qk_norm")),
        learned_positions=learned,
        extra_parameter_count=extra,
        max_context_tokens=positions,
        source=str(path),
        notes=() if known else (f"model_type {family!r} is not known here: read as a Llama-like transformer",),
    )


def _tied_by_default(family: str) -> bool:
    return family in {
        "gpt2",
        "opt",
        "bloom",
        "falcon",
        "gemma",
        "gemma2",
        "gemma3",
        "gemma3_text",
        "mpt",
        "starcoder2",
        "gpt_bigcode",
    }


def _windows(config: Mapping[str, Any], family: str, layers: int) -> tuple[int, int]:
    """Return the sliding window and how many layers have it."""
    window = config.get("sliding_window") or config.get("attention_chunk_size")
    if not window or config.get("use_sliding_window") is False:
        return 0, 0
    kinds = config.get("layer_types")
    if isinstance(kinds, list):
        return int(window), sum(1 for kind in kinds if kind != "full_attention")
    if family in {"gemma2", "gpt_oss"}:
        return int(window), layers // 2
    if family.startswith("gemma3"):
        return int(window), layers - layers // _FIVE_IN_SIX
    if family.startswith("llama4"):
        return int(window), layers - layers // 4
    return int(window), layers


def _family_extras(
    config: Mapping[str, Any],
    family: str,
    layers: int,
    hidden: int,
    vocab: int,
    *,
    heads: int,
    experts: int,
    dense: int,
) -> tuple[int, int, tuple[bool, bool, bool]]:
    """Return extra parameters, norms in a layer, and which of qkv, output and MLP matrices have a bias."""
    extra, norms = 0, 2
    biases = (bool(config.get("attention_bias")), bool(config.get("attention_bias")), bool(config.get("mlp_bias")))
    match family:
        case "bert" | "roberta" | "xlm-roberta" | "camembert" | "electra":
            biases = (True, True, True)
            extra = (int(config.get("type_vocab_size", 2)) + 2) * hidden + hidden * hidden + hidden
        case "mpnet":
            biases = (True, True, True)
            extra = (
                2 * hidden + hidden * hidden + hidden + int(config.get("relative_attention_num_buckets", 32)) * heads
            )
        case "distilbert":
            biases, extra = (True, True, True), 2 * hidden
        case "gpt2" | "opt" | "gpt_neox" | "starcoder2" | "gpt_bigcode":
            biases = (True, True, True)
        case "bloom":
            biases, extra = (True, True, True), 2 * hidden
        case "gptj":
            biases, norms, extra = (False, False, True), 1, vocab
        case "phi":
            biases, norms, extra = (True, True, True), 1, vocab
        case "falcon":
            norms = 2 if config.get("new_decoder_architecture") or not config.get("parallel_attn", True) else 1
        case "qwen2" | "qwen2_moe":
            biases = (True, False, False)
        case "gemma2" | "gemma3" | "gemma3_text":
            norms = 4
        case "deepseek_v3" | "kimi_k2" | "glm4_moe":
            extra = (layers - dense) * experts
        case "gpt_oss":
            biases, extra = (True, True, True), layers * (heads + experts)
        case "olmo2":
            kv = int(config.get("num_key_value_heads") or heads)
            extra = layers * (hidden + hidden // heads * kv)
        case _:
            pass
    return extra, norms, biases
