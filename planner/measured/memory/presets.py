"""Presets: what each training framework keeps per parameter and per token, where a row's columns do not say.

A preset is a property of the framework (or technique) that a row names in its block, source, framework or notes; a row of a
framework that nobody knows here takes the general one. What a row states itself comes before its preset.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from planner.demand.formats import FORMATS
from planner.measured.rows import Row, number

_SIXTEEN_BITS = 2.0
States = tuple[float, float, float]
_MIXED: States = (2.0, 2.0, 12.0)
_PURE16: States = (2.0, 2.0, 4.0)
_FULL32: States = (4.0, 4.0, 8.0)


_PACKED = {"nf4-dq": 0.516, "fp4-dq": 0.516}
"""Bytes per weight of bitsandbytes with 8-bit constants, and a 32-bit one for 256 of them (QLoRA, arXiv:2305.14314)."""
_QUANTISED = {
    **_PACKED, **{name: form.weight_bytes for name, form in FORMATS.items() if form.weight_bytes < _SIXTEEN_BITS}
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What a framework does by default.

    Attributes
    ----------
    states : (float, float, float)
        Bytes per learning parameter of weight, gradient and optimizer state with its master copy.
    wide_unless_said : bool
        Weights are loaded in 32 bit where no precision is stated.
    chunked_loss : bool
        The loss is formed piece by piece.
    accumulates : bool
        Gradients outlast a backward pass: they add up over micro-batches or lie in a buffer of their own.
    unties : bool
        Input and output embedding are two matrices even where the model shares one.
    quantises_head : bool
        A quantised base includes the output head, which is expanded into 16 bit twice when used: once as quantised, once
        cast to the format of the computation.
    gathers_all : bool
        Sharded training keeps every gathered weight, and every whole gradient, until the step ends, and recomputes layers.
    recomputes_if_sharded_alone : bool
        Recomputation comes with the sharding; a single accelerator has none, whatever the column says.
    selects_products : bool
        "Selective" recomputation keeps every second matrix product; elsewhere it drops attention's scores alone, which
        fused attention never keeps.
    splits_sequences : bool
        What lies between the matrices is split over tensor-parallel ranks (sequence parallelism, since 2022).
    fused : bool
        Norm and activation kernels keep their 16-bit inputs alone.
    all_linear : bool
        Adapters lie on every matrix rather than on query and value.
    usual_tokens : float
        Tokens of a micro-batch where none are stated.
    """

    states: States = _MIXED
    wide_unless_said: bool = False
    chunked_loss: bool = False
    accumulates: bool = True
    unties: bool = False
    quantises_head: bool = False
    gathers_all: bool = False
    recomputes_if_sharded_alone: bool = False
    selects_products: bool = False
    splits_sequences: bool = True
    fused: bool = False
    all_linear: bool = True
    usual_tokens: float = 2048.0


GENERAL = Preset()
_MEGATRON = Preset(states=(2.0, 4.0, 12.0), fused=True, usual_tokens=4096.0)
PRESETS: dict[str, Preset] = {
    # FSDP2 with 32-bit shards; every second product is kept under its selective checkpointing.
    "torchtitan": Preset(states=_FULL32, accumulates=False, selects_products=True, usual_tokens=8192.0),
    "torchtune": Preset(states=_PURE16, chunked_loss=True, accumulates=False),
    # litgpt: FSDP without frequent freeing; its adapters lie on query and value; bitsandbytes takes every Linear.
    "litgpt": Preset(
        states=_PURE16, chunked_loss=True, unties=True, quantises_head=True, gathers_all=True,
        recomputes_if_sharded_alone=True, all_linear=False, usual_tokens=512.0,
    ),
    # Megatron-Bridge reduces gradients in 16 bit in its tuned recipes; Megatron-LM and BigScience's fork in 32.
    "mbridge": replace(_MEGATRON, states=_MIXED),
    "megatron-bridge": replace(_MEGATRON, states=_MIXED),
    "bigscience": replace(_MEGATRON, fused=False, splits_sequences=False, usual_tokens=2048.0),
    "megatron": _MEGATRON,
    "nemo": _MEGATRON,
    "peft": Preset(states=_PURE16, wide_unless_said=True, accumulates=False, all_linear=False, usual_tokens=512.0),
    "transformers": Preset(wide_unless_said=True, all_linear=False, usual_tokens=512.0),
    "huggingface": Preset(wide_unless_said=True, all_linear=False, usual_tokens=512.0),
}  # fmt: skip
"""By the word that names the framework, more particular ones first."""


def preset_of(row: Row) -> tuple[str, Preset]:
    """Return the framework that a row names and its preset; "" and the general one where it names none."""
    for column in ("block", "framework", "source", "notes"):
        text = row.get(column, "").lower()
        for name, preset in PRESETS.items():
            if name in text:
                return name, preset
    return "", GENERAL


def states_per_parameter(row: Row, preset: Preset) -> States:
    """Return bytes per learning parameter of weight, gradient and optimizer state: as stated, else as preset.

    Sources: ZeRO (arXiv:1910.02054) for 2 + 2 + 12; one byte per 8-bit moment (arXiv:2110.02861); paged moments rest in host
    memory (a tenth is taken to be here); an update fused into the backward pass lets every gradient go at once.
    """
    optimizer, precision = row.get("optimizer", "").lower(), row.get("precision", "").lower()
    text = f"{row.get('notes', '')} {optimizer}".lower()
    weight, gradient, state = preset.states
    if (
        precision.startswith(("fp32", "tf32"))
        or "fp32 states" in optimizer
        or (preset.wide_unless_said and not precision)
    ):
        weight, gradient, state = _FULL32
    elif "true" in precision or "pure" in precision or re.search(r"adamw? bf16", optimizer):
        weight, gradient, state = _PURE16
    if "paged" in text:
        state = 0.3
    elif "8-bit" in text or "8bit" in text:
        state = 2.0
    elif "adafactor" in text:
        state = state - 4.0 if state > 8.0 else 0.1
    elif "sgd" in optimizer:
        state = max(state - 8.0, 0.0)
    if re.search(r"in[ -](backward|bwd)|into backward", text):
        gradient = 0.0
    if "offload" in text and "optim" in text:
        state = 0.0
    return weight, gradient, state


def quantised_bytes(name: str) -> float | None:
    """Return bytes per weight of a quantised format, None for one that is not quantised or not known.

    Examples
    --------
    >>> quantised_bytes("bnb.nf4-dq"), quantised_bytes("Q8_0"), quantised_bytes("")
    (0.516, 1.0626, None)
    """
    plain = name.lower().removeprefix("bnb.").removeprefix("bnb-")
    return next(
        (per for word, per in sorted(_QUANTISED.items(), key=lambda item: -len(item[0])) if plain.startswith(word)),
        None,
    )


def stated_trained_count(row: Row) -> float | None:
    """Return how many parameters learn where the notes say it (``trainable 9175040``)."""
    match = re.search(r"trainable (\d+)", row.get("notes", ""))
    return float(match.group(1)) if match else None


def degree_of(row: Row, name: str, default: float = 1.0) -> float:
    """Return a degree from its column, or from the text of the row (``TP2 seq8192``)."""
    stated = number(row, name, default=0.0)
    if stated:
        return stated
    match = re.search(rf"\b{name}\s*=?\s*(\d+)", f"{row.get('notes', '')} {row.get('sharding', '')}".lower())
    return float(match.group(1)) if match else default
