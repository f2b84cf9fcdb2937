"""Number formats of weights, computation and KV cache, and how a configuration names them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from planner.demand.sections import one_or_many
from planner.notes import Note, NoteCode

CACHE_FORMATS = frozenset({"fp32", "bf16", "fp16", "fp8", "int8", "int4", "fp4", "nvfp4", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"})  # fmt: skip
"""Formats in which engines keep the KV cache; those of llama.cpp are what its ``--cache-type-k`` takes."""
_FILE_BITS = {
    "q8_0": 8.5008, "q6_k": 6.5633, "q5_k_m": 5.7036, "q5_k_s": 5.5704, "q4_k_m": 4.8944, "q4_k_s": 4.6672, "iq4_nl": 4.6818, "iq4_xs": 4.4597,
    "q3_k_l": 4.2979, "q3_k_m": 3.9960, "q3_k_s": 3.6429, "iq3_m": 3.7628, "iq3_s": 3.6606, "iq3_xs": 3.4977, "iq3_xxs": 3.2548, "q2_k": 3.1593,
    "q2_k_s": 2.9697, "iq2_m": 2.9294, "iq2_s": 2.7403, "iq2_xs": 2.5882, "iq2_xxs": 2.3824, "iq1_m": 2.1460, "iq1_s": 2.0042,
}  # fmt: skip
"""Bits per weight of whole files of Llama-3.1-8B, as llama.cpp's quantize tool reports them (ggml-org/llama.cpp
tools/quantize/README.md@311c2c9, read 2026-11-26; Q3_K_M from the same table of 2025)."""
_BLOCK_BITS = {"q5_1": 6.0, "q5_0": 5.5, "q4_1": 5.0, "q4_0": 4.5}
"""Formats of one block: 24, 22, 20 and 18 bytes of 32 weights (ggml/src/ggml-common.h@01243c5)."""
GGUF_HEAD_BYTES = 6.5625 / 8
"""Of a weight of the output head, which narrower files keep as Q6_K: 210 bytes of 256 weights (same header)."""
_HEAD_SHARE = 128_256 * 4096 / 8.03e9
"""Of Llama-3.1-8B's weights that lie in its head: taken out, so that larger models, whose head is less, come out right too."""
_SIX_BITS = 6.0
_METHOD = {"mxfp4": "mxfp4", "fp8": "fp8", "awq": "awq", "gptq": "gptq", "nvfp4": "nvfp4", "fbgemm_fp8": "fp8", "bitsandbytes": "nf4",
           "int8": "int8"}  # fmt: skip


class Precision(StrEnum):
    """Number format of weights, of computation, or of the KV cache; from ``q8_0`` on the formats of llama.cpp's files."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"
    NF4 = "nf4"
    FP4 = "fp4"
    MXFP4 = "mxfp4"
    NVFP4 = "nvfp4"
    AWQ = "awq"
    GPTQ = "gptq"
    Q8_0 = "q8_0"
    Q6_K = "q6_k"
    Q5_K_M = "q5_k_m"
    Q5_K_S = "q5_k_s"
    Q5_1 = "q5_1"
    Q5_0 = "q5_0"
    Q4_K_M = "q4_k_m"
    Q4_K_S = "q4_k_s"
    Q4_1 = "q4_1"
    Q4_0 = "q4_0"
    IQ4_NL = "iq4_nl"
    IQ4_XS = "iq4_xs"
    Q3_K_L = "q3_k_l"
    Q3_K_M = "q3_k_m"
    Q3_K_S = "q3_k_s"
    IQ3_M = "iq3_m"
    IQ3_S = "iq3_s"
    IQ3_XS = "iq3_xs"
    IQ3_XXS = "iq3_xxs"
    Q2_K = "q2_k"
    Q2_K_S = "q2_k_s"
    IQ2_M = "iq2_m"
    IQ2_S = "iq2_s"
    IQ2_XS = "iq2_xs"
    IQ2_XXS = "iq2_xxs"
    IQ1_M = "iq1_m"
    IQ1_S = "iq1_s"


Precisions = Annotated[tuple[Precision, ...], Field(max_length=20), BeforeValidator(one_or_many)]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightFormat:
    """How weights are stored, and in which arithmetic they are multiplied.

    Attributes
    ----------
    weight_bytes : float
        Scales included.
    arithmetic : str
        Format of the products on a chip that has it (``fp32``, ``fp8``, ``fp4``, ``16``); elsewhere weights are widened to 16 bit.
    kin : str
        The format whose measured rows speak for it; empty for 16 and 32 bit.
    quantizes_tables : bool
        Whether embedding and output head are narrow too, as in the files of llama.cpp; elsewhere they stay 16 bit.
    """

    weight_bytes: float
    arithmetic: str = "16"
    kin: str = ""
    quantizes_tables: bool = False


def _gguf(bits: float) -> WeightFormat:
    return WeightFormat(weight_bytes=bits / 8, kin="int8" if bits > _SIX_BITS else "int4", quantizes_tables=True)


def _without_head(bits: float) -> float:
    head = max(bits, 8 * GGUF_HEAD_BYTES)
    return (bits - _HEAD_SHARE * head) / (1.0 - _HEAD_SHARE)


GGUF_FORMATS = {name: _gguf(bits) for name, bits in {**{name: _without_head(bits) for name, bits in _FILE_BITS.items()}, **_BLOCK_BITS}.items()}  # fmt: skip
"""Formats of llama.cpp's files; its kernels widen them, whatever the chip has."""

FORMATS: Mapping[str, WeightFormat] = {
    "fp32": WeightFormat(weight_bytes=4.0, arithmetic="fp32"),
    "bf16": WeightFormat(weight_bytes=2.0, arithmetic="bf16"),
    "fp16": WeightFormat(weight_bytes=2.0, arithmetic="fp16"),
    "fp8": WeightFormat(weight_bytes=1.0, arithmetic="fp8", kin="fp8"),
    "int8": WeightFormat(weight_bytes=1.0, kin="int8"),
    # In groups of 128: a 16-bit scale and zero point, or a zero point of 4 bits as AutoAWQ and AutoGPTQ pack it.
    "int4": WeightFormat(weight_bytes=0.53, kin="int4"),
    "awq": WeightFormat(weight_bytes=0.52, kin="int4"),
    "gptq": WeightFormat(weight_bytes=0.52, kin="int4"),
    # One byte for 16 weights: QLoRA (arXiv:2305.14314) 0.5 + 4/64, NVFP4 0.5 + 1/16; for 32: OCP MXFP4, 17 bytes a block.
    "nf4": WeightFormat(weight_bytes=0.5625, kin="nf4"),
    "fp4": WeightFormat(weight_bytes=0.5625, arithmetic="fp4", kin="fp4"),
    "nvfp4": WeightFormat(weight_bytes=0.5625, arithmetic="fp4", kin="fp4"),
    "mxfp4": WeightFormat(weight_bytes=0.53125, arithmetic="fp4", kin="fp4"),
    **GGUF_FORMATS,
}
"""Every format in which weights are planned, by the name that `precision` takes."""


def kin_of(precision: str) -> str:
    """Return the tag under which the calibration knows a format.

    Examples
    --------
    >>> kin_of("mxfp4"), kin_of("q4_k_m"), kin_of("bf16")
    ('fp4', 'int4', 'bf16')
    """
    return FORMATS[precision].kin or precision


def native_precision(quantization: object, expert_dtype: object = None) -> tuple[str, Note | None]:
    """Return the format of a configuration's weights, empty where it is 16 bit, and a note where it is not understood."""
    if not isinstance(quantization, Mapping):
        return "", None
    if expert_dtype in {"fp4", "mxfp4"}:
        return "mxfp4", None
    method = str(quantization.get("quant_method") or quantization.get("quant_algo") or "").lower()
    if method == "bitsandbytes" and quantization.get("load_in_8bit"):
        return "int8", None
    if method == "gptq" and quantization.get("bits") == 8:
        return "int8", None
    if method in _METHOD:
        return _METHOD[method], None
    if of_groups := _of_groups(quantization):
        return of_groups, None
    return "", Note(NoteCode.QUANTIZED_CONFIGURATION, (method[:40],))


def _of_groups(quantization: Mapping[str, object]) -> str:
    """Return the format that compressed-tensors and ModelOpt describe by groups: bits and type of the weights."""
    if "NVFP4" in str(quantization.get("quant_algo", "")):
        return "nvfp4"
    groups = quantization.get("config_groups")
    group = next(iter(groups.values()), None) if isinstance(groups, Mapping) and groups else None
    weights = group.get("weights") if isinstance(group, Mapping) else None
    if not isinstance(weights, Mapping):
        return ""
    is_float, bits = weights.get("type") == "float", weights.get("num_bits")
    of_bits = {8: ("int8", "fp8"), 4: ("awq", "nvfp4")}.get(bits, ("", "")) if isinstance(bits, int) else ("", "")
    return of_bits[is_float]
