"""MLPs of a configuration file: dense ones, and mixtures of experts."""

from __future__ import annotations

from typing import Any

from planner.demand.configuration.layers import mixture_layers
from planner.demand.configuration.numbers import Numbers


def mixture_of(numbers: Numbers, family: str, layers: int) -> dict[str, int]:
    """Return the numbers of the mixture of experts, as `Architecture` names them; none for a dense model."""
    whole = numbers.whole
    experts = whole("n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts", kind="experts")
    if "enable_moe_block" in numbers.config and not numbers.get("enable_moe_block"):
        experts = 0
    per_token = whole("num_experts_per_tok", "num_experts_per_token", "experts_per_token", "moe_k", "moe_topk", "moe_top_k",
                      "top_k_experts", default=1, kind="experts")  # fmt: skip
    width = whole("moe_intermediate_size", "expert_intermediate_size", "expert_ffn_hidden_size", "moe_ffn_hidden_size") or whole(
        "intermediate_size", "ffn_hidden_size", "ffn_dim")  # fmt: skip
    shared_width = whole("moe_shared_expert_intermediate_size", default=width)
    shared_count = whole(
        "n_shared_experts", "num_shared_experts", "num_shared_expert", "moe_num_shared_experts", kind="experts"
    )
    shared = whole("shared_expert_intermediate_size", "shared_intermediate_size", "share_expert_dim") or shared_count * shared_width  # fmt: skip
    expert_hidden = whole("moe_latent_size")
    kinds = mixture_layers(numbers, layers)
    if not experts:
        return {}
    if family == "llama4":
        shared = width
    if numbers.get("enable_moe_block"):  # Gemma 4: a dense MLP beside the experts of each layer
        shared = whole("intermediate_size")
    return {
        "experts": experts,
        "experts_per_token": per_token,
        "expert_ffn": width,
        "expert_hidden": expert_hidden,
        "shared_ffn": shared,
        "dense_layers": layers - kinds.count("moe"),
    }


def dense_mlp(numbers: Numbers, family: str, hidden: int, layers: int, moe: dict[str, int]) -> tuple[int, int]:
    """Return the mean width of the MLPs of the layers that are no mixture, and parameters that stand in for an MLP."""
    blocks = numbers.get("block_configs")
    if isinstance(blocks, list):
        return _block_mlps(blocks, hidden)
    whole = numbers.whole
    listed = numbers.wholes("intermediate_size")
    ffn = round(sum(listed) / len(listed)) if listed else whole(
        "intermediate_size_mlp", "dense_intermediate_size", "block_ff_dim", "intermediate_size", "ffn_dim", "n_inner", "ffn_hidden_size", "hidden_dim",
        default=int(whole("expansion_ratio", default=4)) * hidden,
    )  # fmt: skip
    if numbers.config.get("block_auto_adjust_ff_dim"):
        multiple = whole("block_multiple_of", default=256) or 1
        multiplier = numbers.get("block_ffn_dim_multiplier")
        ffn = int(2 * ffn / 3 * (multiplier if isinstance(multiplier, int | float) else 1.0))
        ffn = multiple * -(-ffn // multiple)
    numbers.get(
        *"block_multiple_of block_ffn_dim_multiplier block_auto_adjust_ff_dim block_dim conv_dim conv_dim_out".split()
    )
    if family == "granitemoehybrid" and not moe:
        return whole("shared_intermediate_size", default=ffn), 0
    if family in {"mamba2", "mamba", "falcon_mamba"}:
        return 0, 0
    if moe and not moe["dense_layers"]:
        return 0, 0
    kinds = mixture_layers(numbers, layers)
    if "none" in kinds:  # blocks of attention, Mamba and MLP that count as layers of their own: the mean over them
        return round(ffn * kinds.count("dense") / max(kinds.count("dense") + kinds.count("none"), 1)), 0
    return ffn, 0


def _block_mlps(blocks: list[Any], hidden: int) -> tuple[int, int]:
    """Return the mean MLP width of a model whose blocks were searched one by one, and its linear stand-ins."""
    widths, extra = [], 0
    for item in blocks:
        parts = item if isinstance(item, dict) else {}
        mlp, attention = parts.get("ffn") or {}, parts.get("attention") or {}
        multiplier = mlp.get("ffn_mult")
        stated = mlp.get("intermediate_size")
        width = int(stated) if isinstance(stated, int) else 256 * -(-int(2 * multiplier * hidden / 3) // 256) if isinstance(multiplier, int | float) else 0  # fmt: skip
        widths.append(0 if mlp.get("no_op") or mlp.get("replace_with_linear") else width)
        extra += hidden * hidden * (bool(mlp.get("replace_with_linear")) + bool(attention.get("replace_with_linear")))
    return round(sum(widths) / max(len(widths), 1)), extra
