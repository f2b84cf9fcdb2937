"""A model that is stated by its numbers: what a user knows of it, the rest filled in and said so."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from planner.demand.architecture import Architecture
from planner.demand.parameters import parameter_count
from planner.demand.sections import Layers, Section, Width, no_truth_value
from planner.errors import InputError
from planner.notes import Note, NoteCode

_USUAL_WIDTH_PER_LAYER = 118.0
"""Hidden width over layers of the Llama, Qwen and Mistral families (96 to 128)."""


class ModelNumbers(Section):
    """A model told by its numbers, for one that has no known name.

    Attributes
    ----------
    parameters_b, active_parameters_b : float
        All parameters, and those that one token passes through, in 1e9.
    layers, hidden, heads, kv_heads, head_dim, ffn, vocab : int
        Depth, width, attention heads, key-value heads, width of a head, width of the MLP, vocabulary.
    gated_mlp : bool
        True for three MLP matrices (SwiGLU, GeGLU), false for two.
    tied_embeddings : bool
        Whether input and output embedding are one matrix.
    experts, experts_per_token, expert_ffn, shared_experts : int
        Mixture of experts; 0 for a dense model.
    max_context_tokens : int
        Longest context that the model was made for; 0 where unknown.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=())

    parameters_b: Annotated[float, Field(gt=0, le=1e6), BeforeValidator(no_truth_value)]
    active_parameters_b: Annotated[float, Field(gt=0, le=1e6), BeforeValidator(no_truth_value)] | None = None
    layers: Layers | None = None
    hidden: Width | None = None
    heads: Width | None = None
    kv_heads: Width | None = None
    head_dim: Width | None = None
    ffn: Width | None = None
    vocab: Annotated[int, Field(gt=0, le=10_000_000), BeforeValidator(no_truth_value)] | None = None
    gated_mlp: bool = True
    tied_embeddings: bool = False
    experts: int = Field(default=0, ge=0, le=100_000)
    experts_per_token: int = Field(default=0, ge=0, le=100_000)
    expert_ffn: int = Field(default=0, ge=0, le=1_000_000)
    shared_experts: int = Field(default=0, ge=0, le=100_000)
    max_context_tokens: int = Field(default=0, ge=0, le=2_000_000_000)


def _usual_shape(parameters: float, vocab: int) -> tuple[int, int]:
    """Return layers and width of a dense model of that size: ``N = 12 L h^2 + 2 V h`` with ``h = 118 L``."""
    hidden = 64
    for width in range(64, 32769, 64):
        layers = max(1.0, width / _USUAL_WIDTH_PER_LAYER)
        if 12 * layers * width * width + 2 * vocab * width > parameters:
            break
        hidden = width
    return max(1, round(hidden / _USUAL_WIDTH_PER_LAYER)), max(128, round(hidden / 128) * 128)


def architecture_from_numbers(numbers: ModelNumbers) -> Architecture:
    """Return the architecture that the numbers describe; what is missing takes the usual shape for that size.

    Raises
    ------
    InputError
        Where the numbers contradict one another (more active than all parameters, heads that do not divide).
    """
    total = numbers.parameters_b * 1e9
    active = numbers.active_parameters_b * 1e9 if numbers.active_parameters_b else 0.0
    if active > total:
        raise InputError(
            f"active_parameters_b ({numbers.active_parameters_b:g}) must not exceed parameters_b ({numbers.parameters_b:g})",
            where="model",
        )
    filled = [name for name in ("vocab", "layers", "hidden", "heads") if getattr(numbers, name) is None]
    vocab = numbers.vocab or 32_000 * (4 if total > 3e9 else 1)
    usual_layers, usual_hidden = _usual_shape(active or total, vocab)
    layers, hidden = numbers.layers or usual_layers, numbers.hidden or usual_hidden
    head_dim = numbers.head_dim or (hidden // numbers.heads if numbers.heads else min(128, hidden))
    if numbers.heads and not numbers.head_dim and hidden % numbers.heads:
        raise InputError(
            f"hidden ({hidden}) must be a multiple of heads ({numbers.heads})",
            hint="state head_dim as well where heads x head_dim differs from hidden",
            where="model",
        )
    heads = numbers.heads or max(1, hidden // head_dim)
    if numbers.kv_heads is None:
        filled.append("kv_heads (no grouping assumed)")
    expert_ffn = numbers.expert_ffn or (numbers.ffn or 4 * hidden if numbers.experts else 0)
    ffn = numbers.ffn or 0
    if not ffn and not numbers.experts:
        ffn = 128 * max(1, round((8 / 3 if numbers.gated_mlp else 4) * hidden / 128))
        filled.append("ffn")
    shape = Architecture(
        name=f"{numbers.parameters_b:g}B parameters",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=numbers.kv_heads or heads,
        head_dim=head_dim,
        ffn=ffn,
        vocab=vocab,
        gated_mlp=numbers.gated_mlp,
        tied_embeddings=numbers.tied_embeddings,
        experts=numbers.experts,
        experts_per_token=numbers.experts_per_token or (1 if numbers.experts else 0),
        expert_ffn=expert_ffn,
        shared_ffn=numbers.shared_experts * expert_ffn,
        max_context_tokens=numbers.max_context_tokens,
        source="stated in the workload",
    )
    notes: tuple[Note, ...] = (Note(NoteCode.FILLED_IN, (", ".join(filled),)),) if filled else ()
    derived = parameter_count(shape)
    stated_active = active or (total if not numbers.experts else 0.0)
    if abs(derived - total) > 0.02 * total:
        notes += (Note(NoteCode.PARAMETERS_DISAGREE, (derived / 1e9, numbers.parameters_b)),)
    return replace(
        shape,
        stated_parameter_count=total,
        stated_active_parameter_count=stated_active if numbers.experts or active else 0.0,
        notes=notes,
    )
