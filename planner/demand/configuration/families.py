"""Families of models: what a ``config.json`` of each leaves unsaid, because the code that reads it knows.

Sources: the models' own code in Hugging Face transformers 5.24 (2026-11), where each family was built from its
configuration and its parameters were counted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the name of a family says.

    Attributes
    ----------
    kind : str
        As of `Architecture`.
    gated : bool
        Whether the MLP has three matrices.
    norm : str
        As of `Architecture`.
    norms : int
        Norms of the model's width in a layer.
    biases : str
        Which matrices have a bias whatever the file says: ``q`` (query, key, value), ``o`` (output), ``m`` (MLP).
    tied, qk_norm, final_norm : bool
        As of `Architecture`; `tied` where the file does not say.
    positions : int or None
        Rows of the learned position table beyond the stated length; None where positions are not learned.
    full_every : int
        One layer in so many attends to the whole context, the others have a window; where the file does not say.
    output_gate : bool
        Whether attention's output is gated by a matrix as large as the query's.
    defaults : mapping of str to int
        Numbers of a nested configuration that its writer leaves out.
    """

    kind: str = "decoder"
    gated: bool = True
    norm: str = "rms"
    norms: int = 2
    biases: str = ""
    tied: bool = False
    qk_norm: bool = False
    final_norm: bool = True
    positions: int | None = None
    full_every: int = 0
    output_gate: bool = False
    defaults: Mapping[str, int] = field(default_factory=dict)


def _sizes(text: str) -> dict[str, int]:
    names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
             "vocab_size", "head_dim", "max_position_embeddings", "sliding_window")  # fmt: skip
    return {name: int(word) for name, word in zip(names, text.split(), strict=False) if word != "-"}


_LLAMA = Family(defaults=_sizes("4096 11008 32 32 32 32000 - 2048"))
_MISTRAL = Family(defaults=_sizes("4096 14336 32 32 8 32000"))
_QWEN2 = Family(biases="q", defaults=_sizes("4096 22016 32 32 32 151936 - 32768"))
_QWEN3 = Family(qk_norm=True, defaults=_sizes("4096 22016 32 32 32 151936 128 32768"))
_QWEN_HYBRID = replace(_QWEN3, output_gate=True, defaults=_sizes("2048 5632 48 16 2 151936 256 32768"))
_GEMMA2 = Family(norms=4, tied=True, full_every=2, defaults=_sizes("2304 9216 26 8 4 256000 256 8192 4096"))
_GEMMA3 = Family(
    norms=4, tied=True, qk_norm=True, full_every=6, defaults=_sizes("2304 9216 26 8 4 262208 256 131072 4096")
)
_COHERE = Family(norm="layer_without_bias", norms=1, tied=True)
_GPT2 = Family(gated=False, norm="layer", biases="qom", tied=True, positions=0)
_BERT = Family(kind="encoder", gated=False, norm="layer", biases="qom", final_norm=False, positions=0)
_ROTARY_BERT = replace(_BERT, positions=None)
_SEQ2SEQ = Family(gated=False, norm="layer", biases="qom", tied=True, norms=3, positions=2)

FAMILIES: Mapping[str, Family] = {
    **dict.fromkeys(
        ["llama", "yi", "internlm2", "internlm3", "granite", "granitemoe", "granitemoeshared", "granitemoehybrid", "smollm3", "deepseek", "deepseek_v2", "deepseek_v3", "deepseek_v32", "deepseek_v4", "glm_moe_dsa", "glm4_moe", "glm4_moe_lite", "kimi_k2", "kimi_linear", "bailing_moe", "bailing_moe_v2", "bailing_hybrid", "llama4", "mistral4", "mistral_large4", "minimax_m1", "minimax", "minimax_m2", "minimax_m3_vl", "mimo", "mimo_v2_flash", "mimo_v2", "ernie4_5", "ernie4_5_moe", "exaone", "falcon_h1", "bamba", "jamba", "nemotron_nas", "lfm2", "lfm2_moe", "step3p5", "step3p7", "step3", "laguna", "minicpm", "minicpm3", "arcee_gated", "hunyuan_v1_dense", "hunyuan_v1_moe", "hy_v3", "chatglm", "dots1", "dbrx", "baichuan", "mamba2", "mamba", "falcon_mamba", "helium", "seed_oss", "solar_open", "solar", "telechat2", "xverse", "orion", "aquila", "mellum", "olmo", "kolibri1", "cwm", "hyperclovax", "sarvam_mla", "sarvam_moe", "youtu", "granite_swa", "granitemoe_swa", "axk1", "lfm3", "aria"], _LLAMA),
    **dict.fromkeys(["mistral", "mixtral", "ministral", "ministral3", "mllama"], _MISTRAL),
    **dict.fromkeys(["qwen2", "qwen2_moe", "qwen2_vl", "qwen2_5_vl"], _QWEN2),
    **dict.fromkeys(["qwen3", "qwen3_moe", "qwen3_vl", "qwen3_vl_moe", "qwen3_omni_moe", "qwen3_asr", "iquestcoder", "olmoe"], _QWEN3),
    **dict.fromkeys(["qwen3_next", "qwen3_5", "qwen3_5_moe"], _QWEN_HYBRID),
    "olmo_hybrid": _LLAMA, "seed_oss": replace(_LLAMA, biases="q"), "glm": replace(_LLAMA, biases="q"), "mellum": _QWEN3,
    "glm4": replace(_LLAMA, norms=4), "olmo2": _LLAMA, "flex_olmo": _LLAMA, "olmo3": replace(_LLAMA, full_every=4), "exaone4": replace(_QWEN3, full_every=4),
    "exaone_moe": replace(_QWEN3, full_every=4), "afmoe": replace(_QWEN3, norms=4, full_every=4, output_gate=True),
    "apertus": replace(_LLAMA, gated=False, qk_norm=True), "nemotron": Family(gated=False, norm="layer"),
    "arcee": replace(_LLAMA, gated=False), "nemotron_h": replace(_LLAMA, gated=False),
    "gemma": replace(_LLAMA, tied=True, defaults=_sizes("3072 24576 28 16 16 256000 256 8192")), "vaultgemma": _GEMMA2, "gemma2": _GEMMA2,
    "gemma3": _GEMMA3, "gemma3n": replace(_GEMMA3, full_every=5, defaults=_sizes("2048 16384 35 8 2 262400 256 32768 512")),
    "gemma4": replace(_GEMMA3, defaults=_sizes("2304 9216 30 8 4 262144 256 131072 512")),
    "phi3": _LLAMA, "phi4mm": replace(_LLAMA, tied=True), "phi3_v": _LLAMA, "phimoe": Family(norm="layer"),
    "dbrx": Family(norm="layer_without_bias"), "gpt_oss": Family(biases="qom", full_every=2), "cohere": _COHERE, "cohere2": replace(_COHERE, full_every=4),
    "gpt2": _GPT2, "gpt_bigcode": _GPT2, "opt": replace(_GPT2, positions=2), "bloom": replace(_GPT2, positions=None),
    "starcoder2": replace(_GPT2, positions=None), "falcon": Family(gated=False, norm="layer", norms=1, tied=True),
    "gpt_neox": replace(_GPT2, positions=None, tied=False), "mpt": Family(gated=False, norm="layer_without_bias", tied=True, positions=0),
    "gptj": Family(gated=False, norm="layer", norms=1, biases="m"), "phi": Family(gated=False, norm="layer", norms=1, biases="qom"),
    "stablelm": replace(_LLAMA, norm="layer"), "persimmon": Family(gated=False, norm="layer", biases="qom"),
    **dict.fromkeys(["bert", "roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "electra", "mpnet", "distilbert", "ernie"], _BERT),
    "deberta-v2": replace(_BERT, positions=None), "nomic_bert": replace(_ROTARY_BERT, gated=True, biases=""),
    "new": replace(_ROTARY_BERT, gated=True, biases="qo"), "gte": replace(_ROTARY_BERT, gated=True, biases="qo"),
    "xlm-roberta-flash": _ROTARY_BERT, "jina_embeddings_v3": _ROTARY_BERT, "jina_bert": replace(_ROTARY_BERT, gated=True),
    "modernbert": Family(kind="encoder", norm="layer_without_bias"),
    **dict.fromkeys(["t5", "mt5", "umt5"], Family(gated=False, norms=3, tied=True)),
    **dict.fromkeys(["bart", "mbart", "m2m_100", "marian", "pegasus", "blenderbot"], _SEQ2SEQ),
    "whisper": replace(_SEQ2SEQ, kind="speech", positions=0),
}  # fmt: skip

_SAME_AS = {
    "qwen2_vl": "qwen2", "qwen2_5_vl": "qwen2", "qwen2_5_omni": "qwen2", "qwen3_omni_moe": "qwen3_moe", "nemotron-nas": "nemotron_nas", "kimi_k25": "deepseek_v3",
    "kimi_vl": "deepseek_v3", "glm4v": "glm4", "glm4v_moe": "glm4_moe", "deepseek_ocr": "deepseek_v2", "gemma4_unified": "gemma4",
    "hunyuan": "hunyuan_v1_moe", "hunyuan_moe": "hunyuan_v1_moe", "deci": "nemotron_nas", "pixtral": "mistral",
}  # fmt: skip
"""Models that are built as the model of another name, most often because they also see."""
_ENDINGS = ("_thinker", "_model", "_text", "_lm", "_language")


def family_of(model_type: str, architectures: object = None) -> str:
    """Return the family's name: that of the type, or of the class that a file names where its type is not known.

    Examples
    --------
    >>> family_of("qwen3_vl_moe_text"), family_of("deepseek_ref", ["DeepseekV4ForCausalLM"]), family_of("brand_new")
    ('qwen3_vl_moe', 'deepseek_v4', 'brand_new')
    """
    plain = model_type.lower()
    for ending in _ENDINGS:
        plain = plain.removesuffix(ending)
    plain = _SAME_AS.get(plain, plain)
    if plain in FAMILIES or not isinstance(architectures, list) or not architectures:
        return plain
    name = re.sub(r"(For[A-Z]\w+|LMHeadModel|Model)$", "", str(architectures[0])).lower()
    squeezed = {re.sub(r"[_-]", "", type_name): type_name for type_name in (*FAMILIES, *_SAME_AS)}
    type_name = squeezed.get(name, "")
    return _SAME_AS.get(type_name, type_name) or plain
