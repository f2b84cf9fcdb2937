"""A model that is stated by its numbers."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field

from planner.demand.lengths import no_truth_value
from planner.demand.sections import Layers, Section, Width


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
