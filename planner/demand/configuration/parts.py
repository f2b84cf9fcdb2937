"""Parts of a model in its configuration: dense MLPs, mixtures of experts, and towers for images and sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.demand.configuration.keys import Numbers
from planner.demand.configuration.layers import mixture_layers

_UNSAID = {
    # (layers, width, MLP width) of towers whose writer leaves them out: the defaults of transformers 5.24
    "clip_vision_model": (24, 1024, 4096),
    "siglip_vision_model": (12, 768, 3072),
    "pixtral": (24, 1024, 4096),
    "qwen2_vl": (32, 1280, 5120),
    "qwen2_5_vl": (32, 1280, 3420),
    "qwen3_vl": (27, 1152, 4304),
    "gemma4_vision": (16, 768, 3072),
    "mllama_vision_model": (32, 1280, 5120),
    "llama4_vision_model": (34, 1408, 5632),
    "idefics3": (12, 1152, 3072),
    "smolvlm_vision": (12, 1152, 3072),
    "internvl_vision": (24, 1024, 4096),
    "intern_vit_6b": (24, 1024, 4096),
    "glm4v": (24, 1536, 13696),
    "glm4v_vision": (24, 1536, 13696),
}
_GATED = ("pixtral", "qwen2_5_vl", "qwen2_5_omni", "gemma4", "glm4v", "paddleocr", "cohere2", "step")
_KNOWN_SIZES = {
    # towers that are named, not described: counts of the makers' model cards
    "mobilenetv5": 300e6, "gemma3n_audio": 681e6, "phi4mm": 901e6 + 840e6, "phi3_v": 325.5e6, "minicpmv": 508e6,
}  # fmt: skip


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


def tower_parameter_count(numbers: Numbers, family: str, hidden: int) -> int:
    """Return the parameters of the towers beside a text model of width `hidden`: for images, for sound."""
    if family in _KNOWN_SIZES:
        numbers.get("img_processor", "audio_processor", "embd_layer", "vision_lora", "speech_lora", "vision_config", "audio_config")  # fmt: skip
        return int(_KNOWN_SIZES[family])
    seen = numbers.get("vision_config", "vision_tower_config", "visual_config")
    heard = numbers.get("audio_config", "audio_encoder_config", "encoder_config")
    total = _vision(Numbers(seen, numbers.faults), family, hidden) if isinstance(seen, Mapping) else 0
    return total + (_audio(Numbers(heard, numbers.faults), hidden) if isinstance(heard, Mapping) else 0)


def _known_size(name: str) -> int:
    """Return the parameters of a tower that is named, not described; 0 of any other."""
    return int(next((count for prefix, count in _KNOWN_SIZES.items() if name.startswith(prefix)), 0))


def _vision(tower: Numbers, family: str, hidden: int) -> int:
    """Return a vision transformer with its patches, positions and projector."""
    kind = str(tower.get("model_type") or family).lower()
    named = str(tower.get("architecture", "model_name") or "").lower()
    if count := _known_size(named):
        return count
    unsaid = next((sizes for name, sizes in _UNSAID.items() if kind.startswith(name)), (0, 0, 0))
    layers = tower.whole("num_hidden_layers", "depth", "layers", "vt_num_hidden_layers", default=unsaid[0], kind="layers")  # fmt: skip
    layers += tower.whole("num_global_layers", kind="layers")
    # Qwen2-VL states the text model's width as `hidden_size` and its own as `embed_dim`.
    width = tower.whole("embed_dim", "hidden_size", "width", "vt_hidden_size", default=unsaid[1])
    mlp_ratio = tower.get("mlp_ratio")
    wide = int(width * mlp_ratio) if isinstance(mlp_ratio, int | float) and not isinstance(mlp_ratio, bool) else 0
    ffn = tower.whole("intermediate_size", "vt_intermediate_size", default=wide or unsaid[2] or 4 * width)
    if kind.startswith("glm4v"):
        ffn = tower.whole("out_hidden_size", default=ffn)
    if not layers or not width:
        tower.faults.append(f"vision_config: a tower that is not known here ({kind or 'without a model_type'})")
        return 0
    matrices = 3 if kind.startswith(_GATED) or tower.get("use_gated_mlp") else 2
    patch = tower.whole("patch_size", default=14)
    pixels = 3 * patch * patch * tower.whole("temporal_patch_size", default=1)
    positions = tower.whole("num_position_embeddings", "position_embedding_size", default=0)
    if kind.startswith("gemma4"):
        positions = 2 * tower.whole("position_embedding_size", default=10240)
    blocks = layers * (4 * width * width + 4 * width + matrices * width * ffn + ffn + 5 * width)
    return blocks + (pixels + positions) * width + _projector(tower, kind, family, width, hidden)


def _projector(tower: Numbers, kind: str, family: str, width: int, hidden: int) -> int:
    """Return the matrices that bring what is seen to the text model's width."""
    if kind.startswith(("qwen", "glm4v", "kimi", "moonvit")) or family.startswith(("qwen", "kimi")):
        merged = tower.whole("spatial_merge_size", default=2) ** 2 * width
        deep = tower.get("deepstack_visual_indexes")
        mergers = 1 + (len(deep) if isinstance(deep, list) else 0)
        return mergers * (merged * merged + merged * hidden)
    if kind.startswith("mllama"):
        return tower.whole("vision_output_dim", default=7680) * hidden
    if kind.startswith("llama4"):
        into, out = tower.whole("projector_input_dim", default=4096), tower.whole("projector_output_dim", default=4096)
        return tower.whole("intermediate_size", default=5632) * into + into * out + out * hidden
    if kind.startswith(("gemma", "siglip")) and family.startswith(("gemma", "paligemma")):
        return width * hidden
    merged = 4 * width if "intern" in kind else width
    return merged * hidden + hidden * hidden + (4 * width * width if kind == "pixtral" else 0)


def _audio(tower: Numbers, hidden: int) -> int:
    """Return an encoder of Whisper's build; others are told as not known."""
    kind = str(tower.get("model_type") or "").lower()
    if count := _known_size(kind):
        return count
    layers = tower.whole("encoder_layers", "num_hidden_layers", kind="layers")
    width = tower.whole("d_model", "hidden_size")
    ffn = tower.whole("encoder_ffn_dim", "intermediate_size")
    if not (layers and width and ffn) or not tower.get("num_mel_bins"):
        tower.faults.append(f"audio_config: a tower that is not known here ({kind or 'without a model_type'})")
        return 0
    positions = tower.whole("max_source_positions", default=1500)
    front = 3 * tower.whole("num_mel_bins", default=80) * width + 3 * width * width + positions * width
    return layers * (4 * width * width + 2 * width * ffn + ffn + 9 * width) + front + width * hidden
