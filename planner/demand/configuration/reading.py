"""Configuration files: a Hugging Face ``config.json`` read into an `Architecture`, without any library of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from planner.demand.architecture import Architecture
from planner.demand.configuration.families import FAMILIES, Family, family_of
from planner.demand.configuration.keys import Numbers, name_agrees, name_faults, not_understood
from planner.demand.configuration.layers import LINEAR, block_attention, layer_kinds, with_mixers
from planner.demand.configuration.parts import dense_mlp, mixture_of, tower_parameter_count
from planner.demand.formats import native_precision
from planner.demand.parameters import attention_parameter_count, parameter_count
from planner.errors import InputError
from planner.inputs.reading import LARGEST_FILE_BYTES, read_text
from planner.notes import Note, NoteCode

_NO_TEXT = {"unet", "autoencoderkl", "vit", "clip", "convnext", "resnet", "rwkv"}
_TEXT_PARTS = ("text_config", "llm_config", "language_config", "language_model_config", "thinker_config")
"""Where a model that also sees or hears keeps the configuration of its text model."""
_SHARED_PARTS = ("attn_config", "ffn_config")
"""Where DBRX and MPT keep part of theirs."""
_STATE_THE_NUMBERS = (
    "state its numbers in the workload: model: {parameters_b: 7, layers: 32, hidden: 4096, heads: 32, kv_heads: 8}"
)


def _parse(path: Path) -> Mapping[str, Any]:
    text, _ = read_text(str(path), LARGEST_FILE_BYTES)
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg}", where=f"{path}:{error.lineno}:{error.colno}") from None
    except RecursionError:
        raise InputError("not JSON that a model comes with: nested too deeply", where=str(path)) from None
    except ValueError:
        raise InputError("not JSON that a model comes with: a number of thousands of digits", where=str(path)) from None
    if not isinstance(config, dict):
        raise InputError("a config.json holds an object", where=str(path))
    return config


def _text_part(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the text model's own keys, and these with what the whole says beside them."""
    own = config
    while part := next((own[name] for name in _TEXT_PARTS if isinstance(own.get(name), dict)), None):
        config, own = {**config, **own}, part
    flat = {
        key: value
        for name in _SHARED_PARTS
        if isinstance(own.get(name), dict)
        for key, value in own[name].items()
        if not key.startswith(("rope", "alibi"))
    }
    return own, {**config, **flat, **own}


def architecture_from_config(path: Path) -> Architecture:
    """Return the architecture that a ``config.json`` describes.

    Raises
    ------
    InputError
        Where the file is no JSON, describes no transformer, lacks a number, or says something that changes size or cache
        and is not known here; all faults at once.
    """
    whole_config = _parse(path)
    own, merged = _text_part(whole_config)
    is_part = own is not whole_config
    family = family_of(
        str(own.get("model_type") or merged.get("model_type") or ""), None if is_part else own.get("architectures")
    )
    if "_class_name" in whole_config or family.rstrip("0123456789") in _NO_TEXT:
        what = whole_config.get("_class_name") or family
        raise InputError(
            f"{str(what)[:60]!r} is not a text transformer",
            hint="known image models have names (`gpuplan schema workload`); other models: state their numbers",
            where=str(path),
        )
    rules = FAMILIES.get(family, Family())
    numbers = Numbers({**(rules.defaults if is_part else {}), **{k: v for k, v in merged.items() if v is not None}})
    model = _model(numbers, family, rules, path)
    tower = tower_parameter_count(numbers, str(whole_config.get("model_type") or family).lower(), model.hidden)
    _refuse(numbers.faults, path)
    total = parameter_count(model) + tower
    names = [str(merged.get("_name_or_path") or "").rsplit("/", 1)[-1], path.resolve().parent.name, path.stem]
    parts = [own[name] for name in _SHARED_PARTS if isinstance(own.get(name), dict)]
    unread = [key for part in (own, *parts) for key in not_understood(part, {*numbers.read, *_SHARED_PARTS})]
    if is_part:
        unread += not_understood(
            {key: value for key, value in whole_config.items() if isinstance(value, dict)},
            {*numbers.read, *_TEXT_PARTS},
        )
    if unread or (family not in FAMILIES and not any(name_agrees(name[:255], total) for name in names)):
        raise InputError(
            f"this config.json describes a model that is not known well enough to size (model_type {family[:60]!r})"
            + (f"; not understood: {'; '.join(unread[:12])}" if unread else "; no name beside it confirms its size"),
            hint=_STATE_THE_NUMBERS,
            where=str(path),
        )
    _refuse([fault for name in names for fault in name_faults(name[:255], merged, total)], path)
    precision, note = native_precision(merged.get("quantization_config"), merged.get("expert_dtype"))
    notes: tuple[Note, ...] = (note,) if note else ()
    if family not in FAMILIES:
        notes += (Note(NoteCode.UNKNOWN_MODEL_TYPE, (family[:60],)),)
    return replace(
        model,
        name=names[0] or path.parent.name or path.stem,
        tower_parameter_count=tower,
        native_precision=precision,
        notes=notes,
    )


def _refuse(faults: list[str], path: Path) -> None:
    if faults:
        raise InputError("; ".join(dict.fromkeys(faults)), where=str(path))


def _model(numbers: Numbers, family: str, rules: Family, path: Path) -> Architecture:
    """Return the text model by its numbers."""
    whole = numbers.whole
    decoder_layers = whole("decoder_layers", "num_decoder_layers", kind="layers")
    if decoder_layers and rules.norms == _NORMS_OF_A_DECODER:
        return _encoder_decoder(numbers, rules, path, decoder_layers)
    pattern = numbers.get("hybrid_override_pattern", "layers_block_type")
    stated_layers = whole("num_hidden_layers", "n_layer", "n_layers", "num_layers", kind="layers")
    sizes = {
        "num_hidden_layers": len(pattern) if isinstance(pattern, list | str) else stated_layers,
        "hidden_size": whole("hidden_size", "n_embd", "d_model", "dim"),
        "num_attention_heads": whole("num_attention_heads", "n_head", "n_heads",
                                     default=whole("num_heads") if family == "mamba2" else int(family in {"mamba", "falcon_mamba"})),
        "vocab_size": whole("vocab_size", "padded_vocab_size", kind="vocab"),
    }  # fmt: skip
    _refuse(numbers.faults, path)
    missing = [name for name, value in sizes.items() if not value]
    if missing:
        raise InputError(
            f"this config.json lacks {', '.join(missing)}"
            + (f" (model_type {family[:60]!r})" if family else ", and has no model_type"),
            hint="is it a transformer's? state the numbers in the workload otherwise",
            where=str(path),
        )
    layers, hidden, heads, vocab = sizes.values()
    head_dim = _head_dim(numbers, family, hidden, heads, path)
    kv_heads = _kv_heads(numbers, family, heads)
    kinds = layer_kinds(numbers, family, rules, layers)
    moe = mixture_of(numbers, family, layers)
    ffn, mlps = dense_mlp(numbers, family, hidden, layers, moe)
    positions, longest = _positions(numbers, rules, family)
    attention_bias = bool(numbers.get("attention_bias", "use_qkv_bias", "add_qkv_bias", "qkv_bias"))
    two_norms = numbers.get("new_decoder_architecture") or not numbers.config.get("parallel_attn", True)
    is_bert = family in {"bert", "new", "gte"}  # made for learned positions, and later given rotary ones
    if is_bert and str(numbers.get("position_embedding_type") or "absolute") != "absolute":
        positions = 0
    _refuse(numbers.faults, path)
    arch = Architecture(
        name=path.parent.name or path.stem,
        kind=rules.kind,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        ffn=ffn,
        vocab=vocab,
        gated_mlp=rules.gated,
        tied_embeddings=_tied(numbers, rules),
        q_rank=whole("q_lora_rank"),
        kv_rank=whole("kv_lora_rank"),
        rope_dim=whole("qk_rope_head_dim") if numbers.get("kv_lora_rank") else 0,
        nope_dim=whole("qk_nope_head_dim"),
        value_dim=whole("v_head_dim"),
        qkv_bias="q" in rules.biases or attention_bias,
        output_bias="o" in rules.biases or (attention_bias and family not in {"chatglm", "seed_oss", "glm4_moe"}),
        mlp_bias="m" in rules.biases or bool(numbers.get("mlp_bias")),
        norm=rules.norm,
        norms_per_layer=2 if family == "falcon" and two_norms else rules.norms,
        final_norm=rules.final_norm,
        qk_norm=rules.qk_norm or (bool(numbers.get("use_qk_norm")) and family != "minimax_m2"),
        linear_layers=kinds.count(LINEAR),
        learned_positions=positions,
        max_context_tokens=longest,
        source=str(path),
        **moe,  # type: ignore[arg-type]  # the numbers of a mixture are all integers
    )
    _refuse(numbers.faults, path)
    arch = with_mixers(arch, numbers, family, rules, kinds)
    count = _EXTRAS.get(family)
    extra = (count(SimpleNamespace(arch=arch, numbers=numbers, whole=whole)) if count else 0) + mlps
    _refuse(numbers.faults, path)
    return replace(arch, extra_parameter_count=extra)


_NORMS_OF_A_DECODER = 3
"""Norms in a layer that also attends to an encoder."""


def _tied(numbers: Numbers, rules: Family) -> bool:
    stated = numbers.get("tie_word_embeddings")
    return rules.tied if stated is None else bool(stated)


def _head_dim(numbers: Numbers, family: str, hidden: int, heads: int, path: Path) -> int:
    """Return the width of a head that sees the whole context."""
    stated = numbers.whole("global_head_dim") if family == "gemma4" else 0
    stated = stated or numbers.whole("head_dim", "kv_channels", "attention_head_dim")
    if stated or numbers.get("kv_lora_rank") or family in {"mamba2", "mamba", "falcon_mamba"}:
        return stated or max(hidden // heads, 1)
    if hidden % heads:
        raise InputError(f"hidden_size ({hidden}) is not a multiple of num_attention_heads ({heads})", where=str(path))
    return hidden // heads


def _kv_heads(numbers: Numbers, family: str, heads: int) -> int:
    """Return the key-value heads of a layer that sees the whole context."""
    blocks = numbers.get("block_configs")
    if isinstance(blocks, list):
        groups = [block_attention(item).get("n_heads_in_group") for item in blocks]
        sizes = [size for size in groups if isinstance(size, int) and size > 0]
        return heads // sizes[0] if sizes else heads
    if family == "falcon" and numbers.get("multi_query") and not numbers.get("new_decoder_architecture"):
        numbers.get("num_kv_heads", "n_head_kv")
        return 1
    if family == "gpt_bigcode" and numbers.config.get("multi_query", True):
        numbers.get("num_key_value_heads")
        return 1
    if family == "gemma4" and (stated := numbers.whole("num_global_key_value_heads")):
        return stated
    return numbers.whole(
        "num_key_value_heads", "num_kv_heads", "n_head_kv", "kv_n_heads", "num_attention_groups",
        "multi_query_group_num", default=heads,
    )  # fmt: skip


def _positions(numbers: Numbers, rules: Family, family: str) -> tuple[int, int]:
    """Return the rows of a learned position table, and the longest context."""
    stated = numbers.whole("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length", "model_max_length", "max_sequence_length", kind="tokens")  # fmt: skip
    learned = 0 if rules.positions is None else stated + rules.positions
    attention = numbers.get("attn_config")
    if family == "mpt" and isinstance(attention, Mapping) and attention.get("alibi"):
        learned = 0
    scaling = numbers.get("rope_scaling", "rope_parameters")
    if not isinstance(scaling, Mapping):
        return learned, stated
    kind = str(scaling.get("rope_type") or scaling.get("type") or "")
    factor, original = scaling.get("factor"), scaling.get("original_max_position_embeddings")
    if kind in {"yarn", "deepseek_yarn"} and isinstance(factor, int | float) and isinstance(original, int):
        return learned, max(stated, min(int(original * factor), 2_000_000_000))
    return learned, stated


def _encoder_decoder(numbers: Numbers, rules: Family, path: Path, layers: int) -> Architecture:
    """Return a model with an encoder (T5, BART, Whisper): its decoder, with the encoder's parameters beside it."""
    whole = numbers.whole
    hidden = whole("d_model", "hidden_size")
    heads = whole("decoder_attention_heads", "num_heads", "num_attention_heads")
    vocab = whole("vocab_size", kind="vocab")
    ffn = whole("decoder_ffn_dim", "d_ff")
    below = whole("encoder_layers", "num_layers", kind="layers")
    missing = [name for name, value in (("d_model", hidden), ("attention heads", heads), ("vocab_size", vocab), ("MLP width", ffn)) if not value]  # fmt: skip
    if missing:
        raise InputError(f"this config.json lacks {', '.join(missing)}", where=str(path))
    _refuse(numbers.faults, path)
    head_dim = whole("d_kv", default=hidden // heads)
    gated = str(numbers.get("feed_forward_proj", "is_gated_act") or "").startswith("gated")
    longest = whole("max_position_embeddings", "max_target_positions", "n_positions", kind="tokens", default=512)
    table = max(longest, 0) + (rules.positions or 0) if rules.positions is not None else 0
    bins, frames = whole("num_mel_bins"), whole("max_source_positions", kind="tokens")
    arch = Architecture(
        name=path.parent.name or path.stem, kind=rules.kind, layers=layers, hidden=hidden, heads=heads, kv_heads=heads, head_dim=head_dim,
        ffn=ffn, vocab=vocab, gated_mlp=gated or rules.gated, tied_embeddings=_tied(numbers, rules), norm=rules.norm,
        norms_per_layer=rules.norms, qkv_bias="q" in rules.biases, output_bias="o" in rules.biases, mlp_bias="m" in rules.biases,
        learned_positions=table, max_context_tokens=longest, source=str(path),
    )  # fmt: skip
    encoder = replace(
        arch, layers=below, heads=whole("encoder_attention_heads", default=heads), kv_heads=whole("encoder_attention_heads", default=heads),
        ffn=whole("encoder_ffn_dim", default=ffn), vocab=1, tied_embeddings=True, norms_per_layer=2, learned_positions=frames if bins else table,
    )  # fmt: skip
    ears = bins * hidden * 3 + 3 * hidden * hidden + 2 * hidden if bins else 0
    buckets = 2 * whole("relative_attention_num_buckets") * heads
    numbers.get("is_encoder_decoder", "share_encoder_decoder_embeddings", "num_hidden_layers", "classifier_proj_size")
    numbers.get("decoder_layerdrop", "encoder_layerdrop", "median_filter_width")
    per_layer = attention_parameter_count(arch)
    return replace(
        arch,
        mixer_parameter_count=2 * layers * per_layer,  # its own tokens, and the encoder's
        cache_elements_per_token=2.0 * layers * heads * head_dim,
        state_bytes_per_sequence=4.0 * layers * heads * head_dim * frames,
        extra_parameter_count=int(parameter_count(encoder)) - hidden + ears + buckets,
    )


def _bert(model: SimpleNamespace) -> int:
    h = model.arch.hidden
    return int((model.whole("type_vocab_size", default=2) + model.whole("task_type_vocab_size") + 2) * h + h * h + h)


def _deberta(model: SimpleNamespace) -> int:
    """Return token types, norm, the table of relative positions and the convolution over neighbors."""
    h = model.arch.hidden
    relative = 2 * (model.whole("position_buckets", default=256) or 256) * h
    model.numbers.get(
        "relative_attention", "relative_attention", "pooler_hidden_size", "max_relative_positions", "conv_kernel_size"
    )
    return int((model.whole("type_vocab_size") + 4) * h + relative + h * h * 3 + h)


def _gemma3n(model: SimpleNamespace) -> int:
    """Return tables for each layer, low-rank residuals and the parallel streams of Gemma 3n."""
    arch, whole = model.arch, model.whole
    h, narrow = arch.hidden, whole("hidden_size_per_layer_input", default=256)
    streams, rank = whole("altup_num_inputs", default=4), whole("laurel_rank", default=64)
    model.numbers.get("activation_sparsity_pattern", "altup_active_idx", "altup_correct_scale", "altup_coef_clip")
    tables = whole("vocab_size_per_layer_input", default=262_144, kind="vocab") * narrow * arch.layers
    return int(tables + h * narrow * arch.layers + arch.layers * (2 * h * narrow + 2 * h * rank + 4 * h) + 2 * (streams - 1) * h * h)  # fmt: skip


def _gemma4(model: SimpleNamespace) -> int:
    """Return the tables for each layer that the small Gemma 4 have."""
    narrow = model.whole("hidden_size_per_layer_input")
    vocab = model.whole("vocab_size_per_layer_input", kind="vocab")
    model.numbers.get("per_layer_config", "use_double_wide_mlp")
    h, layers = model.arch.hidden, model.arch.layers
    return int(vocab * narrow * layers + h * narrow * layers + 2 * h * narrow * layers) if narrow else 0


_EXTRAS: Mapping[str, Callable[[SimpleNamespace], int]] = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra", "ernie", "xlm-roberta-flash", "jina_embeddings_v3", "jina_bert"), _bert),
    "nomic_bert": lambda model: (model.whole("type_vocab_size") + 1) * model.arch.hidden,
    "new": lambda model: (model.whole("type_vocab_size") + 2) * model.arch.hidden,
    "deberta-v2": _deberta,
    "mpnet": lambda model: 3 * model.arch.hidden + model.arch.hidden**2 + model.whole("relative_attention_num_buckets", default=32) * model.arch.heads,
    "distilbert": lambda model: 2 * model.arch.hidden,
    "bloom": lambda model: 2 * model.arch.hidden,
    **dict.fromkeys(("gptj", "phi"), lambda model: model.arch.vocab),
    **dict.fromkeys(("deepseek_v3", "deepseek_v32", "kimi_k2", "glm4_moe", "glm_moe_dsa"), lambda model: model.arch.moe_layers * model.arch.experts),
    "gpt_oss": lambda model: model.arch.layers * (model.arch.heads + model.arch.experts),
    "phimoe": lambda model: model.arch.vocab if model.numbers.get("lm_head_bias") else 0,
    "minimax_m2": lambda model: model.arch.layers * (model.arch.experts + (model.arch.heads + model.arch.kv_heads) * model.arch.head_dim),
    "olmo2": lambda model: model.arch.layers * (model.arch.hidden + model.arch.head_dim * model.arch.kv_heads),
    "gemma3n": _gemma3n,
    "gemma4": _gemma4,
    "qwen2_moe": lambda model: model.arch.moe_layers * model.arch.hidden,
}  # fmt: skip
"""What a family has outside of the common rules: poolers, token types, sinks, router biases, tables."""
