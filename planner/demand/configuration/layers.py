"""Layers of a configuration: which attend to all, which to a window, which keep a state, which are mixtures of experts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from planner.demand.architecture import Architecture
from planner.demand.configuration.families import Family
from planner.demand.configuration.keys import Numbers
from planner.demand.parameters import attention_parameter_count

LINEAR = "linear"
"""A layer whose memory of the past has a fixed size: Mamba, linear attention, short convolutions."""

_KIND_OF_WORD = {
    "full_attention": "full", "attention": "full", "full": "full", "indexed_attention": "full", "global": "full", "global_attention": "full",
    "sliding_attention": "window", "chunked_attention": "window", "local_attention": "window", "local": "window", "sliding": "window",
    "linear_attention": LINEAR, "mamba": LINEAR, "mamba2": LINEAR, "conv": LINEAR, "kda": LINEAR, "gdn": LINEAR, "short_conv": LINEAR,
    "moe": "none", "mlp": "none", "compressed_sparse_attention": "compressed", "heavily_compressed_attention": "compressed",
}  # fmt: skip
_KIND_OF_LETTER = {"M": LINEAR, "*": "full", "-": "none", "E": "none"}
_SELECTIVE_RATIO = 4
"""The compression of DeepSeek-V4's layers that also keep a key for choosing what to read."""
_INDEX_KEY_ELEMENTS = 66
"""A key of a sparse-attention indexer: 128 numbers of one byte and a 32-bit scale, counted as 16-bit numbers."""


def layer_kinds(numbers: Numbers, family: str, rules: Family, layers: int) -> list[str]:
    """Return for each layer how it looks at the past: ``full``, ``window``, ``linear``, ``cross``, ``compressed`` or ``none``."""
    numbers.get("max_window_layers", "sliding_window_pattern", "_sliding_window_pattern", "layer_group_size", "full_attention_interval", "full_attn_idxs")  # fmt: skip
    kinds = _stated_kinds(numbers, layers) or _usual_kinds(numbers, family, rules, layers)
    shared = numbers.get("cross_attention_layers")
    if isinstance(shared, list):
        kinds = ["cross" if place in shared else kind for place, kind in enumerate(kinds)]
    return kinds


def _stated_kinds(numbers: Numbers, layers: int) -> list[str]:
    words = numbers.get("layer_types", "layers_block_type")
    if isinstance(words, list):
        unknown = sorted({str(word)[:40] for word in words} - set(_KIND_OF_WORD))
        if unknown or len(words) != layers:
            numbers.faults.append(
                f"layer_types has {len(words)} entries for {layers} layers" + f", not understood: {', '.join(unknown)}" * bool(unknown)
            )  # fmt: skip
            return []
        if "compressed" not in {_KIND_OF_WORD[str(word)] for word in words}:
            return [_KIND_OF_WORD[str(word)] for word in words]
    pattern = numbers.get("hybrid_override_pattern")
    if isinstance(pattern, str):
        unknown = sorted(set(pattern) - set(_KIND_OF_LETTER))
        if unknown or len(pattern) != layers:
            numbers.faults.append(f"hybrid_override_pattern has {len(pattern)} letters for {layers} layers" + f", not understood: {''.join(unknown)}" * bool(unknown))  # fmt: skip
            return []
        return [_KIND_OF_LETTER[letter] for letter in pattern]
    for name, if_set, zero in (
        ("hybrid_layer_pattern", "window", "full"),
        ("attn_type_list", "full", LINEAR),
        ("no_rope_layers", "window", "full"),
    ):
        flags = numbers.wholes(name)
        if flags and (name != "no_rope_layers" or numbers.get("attention_chunk_size")):
            if len(flags) != layers:
                numbers.faults.append(f"{name} has {len(flags)} entries for {layers} layers")
            return [if_set if flag else zero for flag in flags]
    if numbers.get("compress_ratios", "compress_rates"):
        return ["compressed"] * layers
    blocks = numbers.get("block_configs")
    if isinstance(blocks, list):
        return ["full" if block_attention(item).get("n_heads_in_group") else "none" for item in blocks]
    return []


def _usual_kinds(numbers: Numbers, family: str, rules: Family, layers: int) -> list[str]:
    """Return the layers of a configuration that states every how many of them one attends to the whole context."""
    linear = numbers.get("linear_attn_config")
    if isinstance(linear, dict):
        full = linear.get("full_attn_layers")  # counted from one
        return ["full" if isinstance(full, list) and place + 1 in full else LINEAR for place in range(layers)]
    full = numbers.get("full_attn_idxs", "attn_layer_indices") or ([] if family == "bamba" else None)
    if isinstance(full, list):
        return ["full" if place in full else LINEAR for place in range(layers)]
    if period := numbers.whole("attn_layer_period", kind="layers"):
        offset = numbers.whole("attn_layer_offset", kind="layers")
        return ["full" if place % period == offset else LINEAR for place in range(layers)]
    if every := numbers.whole("full_attention_interval", "layer_group_size", kind="layers"):
        return ["full" if (place + 1) % every == 0 else LINEAR for place in range(layers)]
    if family in {"mamba2", "mamba", "falcon_mamba"}:
        return [LINEAR] * layers
    window = numbers.get("sliding_window", "attention_chunk_size", "local_attention")
    # Qwen states a window that is off unless it is switched on.
    if not window or not numbers.config.get("use_sliding_window", not family.startswith("qwen")):
        return ["full"] * layers
    if family.startswith("qwen"):
        first = numbers.whole("max_window_layers", kind="layers")
        return ["full" if place < first else "window" for place in range(layers)]
    letters = numbers.get("sliding_window_pattern", "_sliding_window_pattern")
    if isinstance(letters, str) and letters:
        return ["window" if letters[place % len(letters)] == "L" else "full" for place in range(layers)]
    every = numbers.whole(
        "sliding_window_pattern", "_sliding_window_pattern", "global_attn_every_n_layers", default=rules.full_every
    )
    return ["window" if not every or (place + 1) % every else "full" for place in range(layers)]


def mixture_layers(numbers: Numbers, layers: int) -> list[str]:
    """Return for each layer of a mixture of experts whether its MLP is ``moe``, ``dense`` or ``none`` at all."""
    words = numbers.get("mlp_layer_types")
    if isinstance(words, list) and len(words) == layers:
        return ["dense" if word == "dense" else "moe" for word in words]
    pattern = numbers.get("hybrid_override_pattern")
    blocks = numbers.get("layers_block_type")
    if isinstance(pattern, str):
        return [{"E": "moe", "-": "dense"}.get(letter, "none") for letter in pattern]
    if isinstance(blocks, list) and {"moe", "mlp"} & set(map(str, blocks)):
        return [{"moe": "moe", "mlp": "dense"}.get(str(word), "none") for word in blocks]
    if flags := numbers.wholes("moe_layer_freq"):
        return ["moe" if flag else "dense" for flag in flags[:layers]]
    if (named := numbers.wholes("moe_layers_enum", "moe_layers")) and max(named) < layers:
        return ["moe" if place in named else "dense" for place in range(layers)]
    dense = numbers.wholes("mlp_only_layers")
    first = numbers.whole("first_k_dense_replace", "moe_layer_start_index", "num_dense_layers", "dense_layers", kind="layers")  # fmt: skip
    last = numbers.whole("moe_layer_end_index", default=layers - 1, kind="layers")
    if not isinstance(numbers.get("moe_layer_freq"), list):
        step = numbers.whole("interleave_moe_layer_step", "decoder_sparse_step", "moe_layer_interval", "moe_layer_freq", "expert_layer_period",
                             default=1, kind="layers") or 1  # fmt: skip
    else:
        step = 1
    if first > layers or step > layers:
        numbers.faults.append(
            f"first_k_dense_replace ({first}) or the step of the mixture ({step}) exceeds {layers} layers"
        )
    offset = numbers.whole("expert_layer_offset", default=step - 1, kind="layers")
    return [
        "moe"
        if first <= place <= last and (place % step == offset % step if step > 1 else True) and place not in dense
        else "dense"
        for place in range(layers)
    ]


@dataclass(frozen=True, slots=True)
class _Mixer:
    """A layer that keeps a state: its parameters, and the bytes of the state of one sequence."""

    parameters: int
    state_bytes: float


def _state(recurrent: int, convolution: int) -> float:
    """Return the bytes of a state: 32-bit where it is summed up, 16-bit where it waits for a convolution."""
    return 4.0 * recurrent + 2.0 * convolution


def _linear_mixer(numbers: Numbers, family: str, arch: Architecture) -> _Mixer | None:
    """Return the layer that keeps a state in this family; None where the keys of none are there."""
    h, whole = arch.hidden, numbers.whole
    stated = numbers.get("linear_attn_config")
    inner = Numbers(stated, numbers.faults) if isinstance(stated, dict) else numbers
    kda_heads = inner.whole("num_heads", "linear_num_heads") if stated or numbers.get("linear_num_heads") else 0
    if kda_heads or family == "bailing_hybrid":  # Kimi delta attention
        n = kda_heads or arch.heads
        d = inner.whole("head_dim", "linear_head_dim", default=128) if stated else whole("linear_head_dim", default=128)
        k = inner.whole("short_conv_kernel_size", "linear_conv_kernel_dim", default=4)
        wide = n * d
        projections = 4 * h * wide + 2 * (h * d + d * wide) + h * n
        return _Mixer(projections + 3 * wide * k + n + wide + d, _state(wide * d, 3 * wide * (k - 1)))
    if heads := whole("linear_num_value_heads"):  # gated DeltaNet
        key = whole("linear_num_key_heads", default=heads) * whole("linear_key_head_dim", default=128)
        value, k = heads * whole("linear_value_head_dim", default=128), whole("linear_conv_kernel_dim", default=4)
        parameters = h * (2 * key + 2 * value) + 2 * h * heads + (2 * key + value) * k + 2 * heads + value // heads + value * h  # fmt: skip
        state = whole("linear_key_head_dim", default=128) * value
        return _Mixer(parameters, _state(state, (2 * key + value) * (k - 1)))
    if family in {"minimax_m1", "minimax"}:  # lightning attention
        wide = arch.heads * arch.head_dim
        return _Mixer(h * 3 * wide + h * wide + wide + wide * h, _state(wide * arch.head_dim, 0))
    if taps := whole("conv_L_cache"):  # short convolution
        return _Mixer(4 * h * h + h * taps, _state(0, h * (taps - 1)))
    heads = whole("mamba_n_heads", "mamba_num_heads") or (whole("num_heads") if family == "mamba2" else 0)
    state = whole("mamba_d_state", "ssm_state_size", "state_size")
    taps = whole("mamba_d_conv", "conv_kernel", default=4)
    expand = whole("mamba_expand", "expand", default=2)
    numbers.get("mamba_conv_bias", "use_conv_bias")
    if heads:  # Mamba-2
        head_width = whole("mamba_d_head", "mamba_head_dim") or (whole("head_dim") if family == "mamba2" else 0)
        stated_inner = whole("mamba_d_ssm")
        inner_width = stated_inner or (heads * head_width if head_width else expand * h)
        through = inner_width + 2 * whole("mamba_n_groups", "n_groups", default=1) * state
        parameters = h * (inner_width + through + heads) + through * (taps + 1) + 3 * heads + inner_width + inner_width * h  # fmt: skip
        return _Mixer(parameters, _state(inner_width * state, through * (taps - 1)))
    if state:  # Mamba-1
        wide = expand * h
        rank = whole("mamba_dt_rank", "time_step_rank", default=-(-h // 16))
        parameters = (
            h * 2 * wide + wide * (taps + 1) + wide * (rank + 2 * state) + rank * wide + wide
            + wide * state + wide + wide * h
        )  # fmt: skip
        return _Mixer(parameters, _state(wide * state, wide * (taps - 1)))
    return None


def with_mixers(arch: Architecture, numbers: Numbers, family: str, rules: Family, kinds: list[str]) -> Architecture:
    """Return the architecture with the parameters, the caches and the states of all its layers counted."""
    window = numbers.whole(
        "sliding_window", "attention_chunk_size", "attention_window_size", "local_attention", kind="tokens"
    )
    if "compressed" in kinds:
        return _compressed(arch, numbers, window)
    full, windowed = kinds.count("full"), kinds.count("window")
    beside = family == "falcon_h1"  # attention and Mamba side by side in each layer
    linear = kinds.count(LINEAR)
    base = replace(arch, windowed_layers=windowed, window_tokens=window if windowed else 0, linear_layers=len(kinds) - full - windowed)  # fmt: skip
    if windowed and not window:
        numbers.faults.append(f"{windowed} layers see a window, and no sliding_window states its length")
    local = _window_attention(base, numbers, family)
    gate = base.heads * base.head_dim * base.hidden if numbers.get("attn_output_gate") or rules.output_gate else 0
    indexer, index_key = _indexer(base, numbers)
    if family == "gemma4" and numbers.get("attention_k_eq_v") and full != len(kinds):
        gate -= base.hidden * base.kv_heads * base.head_dim  # the key's matrix serves as the value's
    total = (
        full * (attention_parameter_count(base) + gate + indexer)
        + windowed * (attention_parameter_count(local) + (gate if local.head_dim == base.head_dim else 0))
        + kinds.count("cross") * attention_parameter_count(base)
    )
    state_bytes = 0.0
    if linear or beside:
        mixer = _linear_mixer(numbers, family, base)
        if mixer is None:
            numbers.faults.append(
                f"{linear} layers are linear_attention or the like, and no key that is known here describes them"
            )
            return base
        total += (linear or len(kinds)) * mixer.parameters
        state_bytes = (linear or len(kinds)) * mixer.state_bytes
    owners = len(kinds) - numbers.whole("num_kv_shared_layers", kind="layers")
    kept = kinds[:owners]
    return replace(
        base,
        mixer_parameter_count=total if full != len(kinds) or gate or indexer or beside else 0,
        cache_elements_per_token=kept.count("full") * (base.cache_width + index_key),
        window_elements_per_token=kept.count("window") * local.cache_width,
        state_bytes_per_sequence=state_bytes,
    )


def _window_attention(arch: Architecture, numbers: Numbers, family: str) -> Architecture:
    """Return the model with the heads of its windowed layers, where a file states others for these."""
    other = numbers.within("attention_other_setting")
    head_dim = numbers.whole("swa_head_dim") or other.whole("head_dim") or arch.head_dim
    kv_heads = numbers.whole("swa_num_key_value_heads") or other.whole("num_attention_groups") or arch.kv_heads
    if family == "gemma4":  # its plain names are those of the windows
        head_dim = numbers.whole("head_dim", default=head_dim)
        kv_heads = numbers.whole("num_key_value_heads", default=kv_heads)
    per_layer = numbers.wholes("num_attention_heads_per_layer")
    return replace(
        arch,
        heads=numbers.whole("swa_num_attention_heads", "num_sliding_attention_heads") or other.whole("num_attention_heads") or max(per_layer, default=arch.heads),
        kv_heads=kv_heads,
        head_dim=head_dim,
        value_dim=numbers.whole("swa_v_head_dim") or arch.value_dim,
    )  # fmt: skip


def _indexer(arch: Architecture, numbers: Numbers) -> tuple[int, int]:
    """Return the parameters of a sparse-attention indexer in one layer, and the width of the key that it keeps."""
    heads, width = numbers.whole("index_n_heads"), numbers.whole("index_head_dim")
    numbers.get("index_topk", "index_block_size", "index_topk_blocks", "index_local_blocks", "indexer_types")
    if not heads or not width:
        return 0, 0
    query = (arch.q_rank or arch.hidden) * heads * width
    return query + arch.hidden * width + 2 * width + arch.hidden * heads * bool(arch.kv_rank), _INDEX_KEY_ELEMENTS


def _compressed(arch: Architecture, numbers: Numbers, window: int) -> Architecture:
    """Return a model that keeps one latent for every few tokens beside a short window (DeepSeek-V4, arXiv:2512.02556)."""
    rates, words = numbers.get("compress_rates"), numbers.get("layer_types")
    ratios = numbers.wholes("compress_ratios")[: arch.layers]
    if not ratios and isinstance(rates, dict) and isinstance(words, list):
        ratios = [int(rates.get(str(word), 0)) for word in words]
    h, d, a, rank, out = arch.hidden, arch.head_dim, arch.heads, arch.q_rank, numbers.whole("o_lora_rank")
    index_heads, index = numbers.whole("index_n_heads"), numbers.whole("index_head_dim")
    numbers.get("index_topk", "num_hash_layers", "hc_mult", "hc_sinkhorn_iters")
    plain = h * rank + rank + rank * a * d + h * d + d + a * d * out + numbers.whole("o_groups", default=1) * out * h
    total, elements = 0, 0.0
    for ratio in ratios:
        total += plain
        if not ratio:
            continue
        elements += d / ratio
        overlap = 2 if ratio == _SELECTIVE_RATIO else 1
        total += 2 * h * d * overlap + ratio * d * overlap
        if ratio == _SELECTIVE_RATIO:
            elements += index / ratio
            total += rank * index_heads * index + h * index_heads + 2 * h * index * overlap
    return replace(
        arch,
        kv_heads=1,
        windowed_layers=arch.layers,
        window_tokens=window,
        mixer_parameter_count=total,
        cache_elements_per_token=elements,
        window_elements_per_token=float(arch.layers * d),
    )


def block_attention(item: object) -> dict[str, object]:
    """Return the attention of a block that was searched for by itself; empty where the file says none."""
    stated = item.get("attention") if isinstance(item, dict) else None
    return stated if isinstance(stated, dict) else {}
