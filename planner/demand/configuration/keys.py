"""The keys of a ``config.json``: which change a model's size or its KV cache, which are understood, and their numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

_LARGEST = {
    "layers": 10_000,
    "experts": 100_000,
    "tokens": 2_000_000_000,
    "vocab": 10_000_000,
    "width": 1_000_000,
}
"""Bounds of the numbers of a configuration: some 100 times what exists."""


_STRUCTURAL = re.compile(
    r"^(num|n)_|_(size|dim|dims|rank|layers|heads|experts|pattern|types|type_list|ratios|freq|interval|width|groups|blocks|configs?)$"
    r"|mamba|ssm|conv_|linear_|delta|rnn|lru|swa_|^index_|compress|kv_shar|shar\w*_kv|cross_|per_layer|altup|laurel|hybrid"
    r"|lightning|^hc_|k_eq_v|moe_block|output_gate|encoder_decoder|use_mla|relative_attention"
)
"""Names that say how large a part is, how many there are, or that there is a part of another sort."""
_HARMLESS = re.compile(
    r"^(num_labels|num_beams?|num_beam_groups|num_return_sequences|n_group|topk_group|num_expert_group|ep_size|rope_.*|.*rope.*|rotary_.*|no_rope.*"
    r"|num_nextn_predict_layers|num_mtp_modules|num_mtp_layers|mtp_\w+|num_ln_in_parallel_attn|pooler_.*|summary_.*|classifier_.*"
    r"|global_attn_every_n_layers|max_batch_size|generation_config|compression_config|init_config|chunk_size\w*|mamba_chunk_size|block_size"
    r"|no_repeat_ngram_size|encoder_no_repeat_ngram_size|cross_attention_hidden_size|n_special|num_hidden_groups|qk_head_dim|hc_\w+"
    r"|image_size|patch_size|num_image_tokens|.*_token_.*|\w*_multipliers?|mamba_hidden_act|mamba_ssm_\w*|quantization_config|num_logits_to_keep"
    r"|linear_(a_log|dt|lower|allow)\w*|relative_attention_max_distance|linear_conv_bias|mamba_proj_bias|mamba_(rms_norm|norm_before_gate)"
    r"|(linear|full|mlp)_\w*(alpha|beta)\w*|num_hash_layers|conv_L_cache|layer_switch|use_mamba_kernels|freeze_\w+|moe_(token|renorm)\w*|mlp_bias|time_step_\w+|mup_\w+|swa_rope_theta|sliding_window_size|add_swa_\w+|position_buckets|order_of_interleaved_layers|moe_capacity)$"
)
"""Names that look like a part's but belong to sampling, positions, routing groups or heads for other work; the layers that draft
tokens ahead are not part of a model's stated size."""
_SAME = {
    "embedding_size": "hidden_size",
    "word_embed_proj_dim": "hidden_size",
    "decoder_vocab_size": "vocab_size",
    "pooler_hidden_size": "hidden_size",
    "num_heads": "num_attention_heads",
}
"""Names that change nothing where they repeat another number."""
_QUANTIZED = ("nvfp4", "mxfp4", "fp8", "awq", "gptq")
"""Formats that a name may end with; quantization tools are named after theirs, or after themselves."""
_METHODS_OF_FORMAT = {
    "nvfp4": ("nvfp4", "modelopt", "compressed"),
    "mxfp4": ("mxfp4", "quark", "compressed"),
    "fp8": ("fp8", "modelopt", "compressed", "quark"),
    "awq": ("awq", "compressed"),
    "gptq": ("gptq", "compressed"),
}


@dataclass(slots=True)
class Numbers:
    """A configuration's keys; what is read is remembered, so that what was left unread can be named."""

    config: Mapping[str, Any]
    faults: list[str] = field(default_factory=list)
    read: set[str] = field(default_factory=set)

    def get(self, *names: str) -> object:
        """Return what the first stated key says, None where there is none."""
        self.read.update(names)
        return next((self.config[name] for name in names if self.config.get(name) is not None), None)

    def whole(self, *names: str, default: int = 0, kind: str = "width") -> int:
        """Return the first stated key as a whole number; a list of equal numbers (one a layer) counts as one."""
        value, most = self.get(*names), _LARGEST[kind]
        if isinstance(value, list) and len(value) > 1 and len({str(item) for item in value}) == 1:
            value = value[0]
        if value is None:
            return default
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 <= value <= most
            or value != int(value)
        ):
            name = next(name for name in names if self.config.get(name) is not None)
            self.faults.append(f"{name} must be a whole number from 0 to {most:,}, got {str(value)[:40]!r}")
            return default
        return int(value)

    def wholes(self, *names: str) -> list[int]:
        """Return a list of whole numbers, empty where the key is missing or says something else."""
        value = self.get(*names)
        if isinstance(value, str):
            value = [int(word) for word in value.split(",") if word.strip().isdigit()]
        if not isinstance(value, list) or not all(
            isinstance(item, int) and abs(item) <= _LARGEST["tokens"] for item in value
        ):
            return []
        return [int(item) for item in value]

    def within(self, name: str) -> Numbers:
        """Return the numbers of a part of this configuration; its faults are told with these."""
        value = self.get(name)
        return Numbers(value if isinstance(value, Mapping) else {}, self.faults)


def not_understood(config: Mapping[str, Any], read: Collection[str]) -> list[str]:
    """Return the keys, with what they say, that change the size or the KV cache and were not read."""
    return [
        f"{key}: {_short(value)}"
        for key, value in sorted(config.items())
        if value
        and value != config.get(_SAME.get(key, ""), object())
        and key not in read
        and _STRUCTURAL.search(key)
        and not _HARMLESS.match(key)
    ]


def name_agrees(name: str, parameter_count: float) -> bool:
    """Return whether a name states a size, and the count fits it."""
    sizes = _stated_sizes(name)
    return any(least <= parameter_count <= most for _, least, most in sizes)


def _stated_sizes(name: str) -> list[tuple[str, float, float]]:
    """Return the sizes in a name, each with the least and the most parameters that it can mean."""
    sizes = []
    for word in re.split(r"[-_/ ]", name.lower()):
        if said := re.fullmatch(r"(?:(\d+)x)?(\d+(?:\.\d+)?)([bm])", word):
            total = float(said[2]) * (1e9 if said[3] == "b" else 1e6) * float(said[1] or 1)
            # Names round, and some leave the embeddings out (gemma-7b has 8.5e9); experts share the attention (8x7b has 46.7e9).
            sizes.append((said[0].upper(), total * (0.5 if said[1] else 0.7), total * 1.4))
    return sizes


def name_faults(name: str, config: Mapping[str, Any], parameter_count: float) -> list[str]:
    """Return where the size or the number format in a model's name is not what its configuration makes.

    Examples
    --------
    >>> name_faults("llama-3.1-70b", {}, 8.03e9)
    ['the name says 70B parameters, the configuration makes 8.03B']
    >>> name_faults("qwen3-30b-a3b", {}, 30.5e9), name_faults("mixtral-8x7b", {}, 46.7e9)
    ([], [])
    """
    words = re.split(r"[-_/ ]", name.lower())
    sizes = _stated_sizes(name)
    faults = []
    if sizes and not any(least <= parameter_count <= most for _, least, most in sizes):
        stated = " or ".join(text for text, _, _ in sizes)
        faults.append(f"the name says {stated} parameters, the configuration makes {parameter_count / 1e9:.3g}B")
    quantization = config.get("quantization_config")
    method = str(quantization.get("quant_method", "")).lower() if isinstance(quantization, Mapping) else ""
    format_said = next((word for word in _QUANTIZED if word in words), "")
    if method and format_said and not any(word in method for word in _METHODS_OF_FORMAT[format_said]):
        faults.append(f"the name says {format_said}, quantization_config says {method}")
    return faults


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 30 else f"{text[:27]}..."
