"""The work to be done, as the user states it.

The classes are the schema of ``workload.yaml``: the editor's JSON Schema, the error messages and the planner all come
from them. A workload has one kind of work; the kinds are a union that is read with ``match workload.work``.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

__all__ = [
    "Batch",
    "Constraints",
    "Diffusion",
    "Embed",
    "Finetune",
    "GpuHours",
    "Interconnect",
    "ModelNumbers",
    "Own",
    "Precision",
    "Pretrain",
    "Profile",
    "Serve",
    "Work",
    "Workload",
]


def _no_truth_value(value: object) -> object:
    # YAML's `true` would pass as the number 1.
    if isinstance(value, bool):
        raise ValueError(f"a number was expected, got {str(value).lower()}")  # noqa: TRY004  pydantic collects ValueError
    return value


def _one_or_many(value: object) -> object:
    # `precision: fp8` means the same as `precision: [fp8]`.
    return (value,) if isinstance(value, str) else value


Positive = Annotated[float, Field(gt=0, le=1e15), BeforeValidator(_no_truth_value)]
"""More than nothing, and small enough to be meant."""
Rate = Annotated[float, Field(gt=0, le=1e6), BeforeValidator(_no_truth_value)]
"""Requests per second; the largest services of the world stay below a million."""
Count = Annotated[int, Field(gt=0, le=10**12), BeforeValidator(_no_truth_value)]
Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]


class _Section(BaseModel):
    """A part of the file: unknown keys are errors, values do not change, NaN and infinity are no numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Precision(StrEnum):
    """Number format of weights, of computation, or of the KV cache."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"
    INT4 = "int4"
    NF4 = "nf4"
    FP4 = "fp4"


Precisions = Annotated[tuple[Precision, ...], BeforeValidator(_one_or_many)]


class Profile(StrEnum):
    """How demand moves over the week."""

    STEADY = "steady"
    OFFICE_HOURS = "office_hours"
    BATCH_NIGHTS = "batch_nights"
    BURSTY = "bursty"


class Interconnect(StrEnum):
    """What the machines of one training job have to be joined by."""

    ANY = "any"
    ETHERNET = "ethernet"
    EFA = "efa"
    INFINIBAND = "infiniband"


class ModelNumbers(_Section):
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

    parameters_b: Positive
    active_parameters_b: Positive | None = None
    layers: Count | None = None
    hidden: Count | None = None
    heads: Count | None = None
    kv_heads: Count | None = None
    head_dim: Count | None = None
    ffn: Count | None = None
    vocab: Count | None = None
    gated_mlp: bool = True
    tied_embeddings: bool = False
    experts: int = Field(default=0, ge=0, le=100_000)
    experts_per_token: int = Field(default=0, ge=0, le=100_000)
    expert_ffn: int = Field(default=0, ge=0)
    shared_experts: int = Field(default=0, ge=0)
    max_context_tokens: int = Field(default=0, ge=0)


class Serve(_Section):
    """Answer requests as they come, within limits.

    Attributes
    ----------
    requests_per_s : float
        Mean arrival rate over the whole week, requests per second.
    peak_requests_per_s : float, optional
        Rate that has to be held at the busiest time; without it the profile tells.
    input_tokens, output_tokens : int
        Mean prompt and answer length.
    ttft_limit_ms, tpot_limit_ms : float, optional
        Longest mean time to first token, and longest mean time per further token.
    profile : Profile
        How the rate moves over the week.
    prefix_cache_hit_share : float
        Share of the prompt's tokens found in the cache of earlier prompts.
    drafted_tokens : int
        Speculative decoding: tokens that a small draft model proposes each step; 0 is none.
    """

    requests_per_s: Rate
    peak_requests_per_s: Rate | None = None
    input_tokens: Count
    output_tokens: Count
    ttft_limit_ms: Positive | None = None
    tpot_limit_ms: Positive | None = None
    profile: Profile = Profile.STEADY
    prefix_cache_hit_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    drafted_tokens: Annotated[int, Field(ge=0, le=16), BeforeValidator(_no_truth_value)] = 0


class Pretrain(_Section):
    """Train a model from the start.

    Attributes
    ----------
    tokens_b : float
        Tokens to train on, 1e9.
    seq_len : int
        Tokens in a sequence.
    global_batch_tokens_m : float
        Tokens in one optimizer step, 1e6.
    deadline_days : float, optional
        Days in which it has to be done; the GPU count is solved from it.
    optimizer : str
        ``adamw``, ``adamw_8bit``, ``adafactor`` or ``sgd``.
    """

    tokens_b: Positive
    seq_len: Count = 4096
    global_batch_tokens_m: Positive = 4.0
    deadline_days: Positive | None = None
    optimizer: Literal["adamw", "adamw_8bit", "adafactor", "sgd"] = "adamw"


class Finetune(_Section):
    """Train a trained model further.

    Attributes
    ----------
    method : str
        ``lora``, ``qlora`` or ``full``.
    rank : int
        Rank of the adapters (``lora`` and ``qlora``).
    tokens_m : float
        Tokens of the data set, 1e6.
    epochs : float
        Passes over it.
    seq_len : int
        Tokens in a sequence.
    global_batch_tokens_m : float
        Tokens in one optimizer step, 1e6.
    deadline_hours : float, optional
        Hours in which it has to be done.
    optimizer : str
        ``adamw``, ``adamw_8bit``, ``adafactor`` or ``sgd``.
    """

    method: Literal["lora", "qlora", "full"] = "lora"
    rank: Count = 16
    tokens_m: Positive
    epochs: Positive = 1.0
    seq_len: Count = 2048
    global_batch_tokens_m: Positive = 0.128
    deadline_hours: Positive | None = None
    optimizer: Literal["adamw", "adamw_8bit", "adafactor", "sgd"] = "adamw"


class Batch(_Section):
    """Answer a heap of requests by a deadline; nobody waits for the single answer."""

    requests: Count
    input_tokens: Count
    output_tokens: Count
    deadline_hours: Positive | None = None
    prefix_cache_hit_share: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Embed(_Section):
    """Turn documents into vectors with an encoder."""

    documents: Count
    tokens_per_document: Count = 300
    deadline_hours: Positive | None = None


class Diffusion(_Section):
    """Generate images day by day.

    Attributes
    ----------
    images_per_day : float
        Images needed a day.
    width, height : int
        Size in pixels.
    steps : int
        Denoising steps.
    guided : bool
        Classifier-free guidance, which doubles the passes.
    seconds_per_image_limit : float, optional
        Longest time for one image.
    profile : Profile
        How demand moves over the week.
    """

    images_per_day: Positive
    width: Annotated[int, Field(ge=64, le=16384)] = 1024
    height: Annotated[int, Field(ge=64, le=16384)] = 1024
    steps: Annotated[int, Field(ge=1, le=10_000)] = 28
    guided: bool = True
    seconds_per_image_limit: Positive | None = None
    profile: Profile = Profile.STEADY


class GpuHours(_Section):
    """The simple door: so many accelerators for so many hours, with no model of the work.

    Attributes
    ----------
    gpu : str
        Accelerator by any of its names.
    count : int
        Accelerators used at the same time.
    hours_per_month : float
        Hours a month in which they are used (at most 730).
    """

    gpu: str = Field(min_length=1, max_length=100)
    count: Count = 1
    hours_per_month: Annotated[float, Field(gt=0, le=730)] = 730.0


class Constraints(_Section):
    """What an option has to respect.

    Attributes
    ----------
    providers, countries, regions, gpus : tuple of str
        Only these; empty means any. Countries are ISO 3166 codes of two letters.
    purchase : tuple of str
        Only these purchase options; empty means any.
    max_gpus : int, optional
        Most accelerators that one option may take.
    min_secure : bool
        True leaves out marketplaces and community clouds, where strangers own the machine.
    interconnect : Interconnect
        What joins the machines of one job, at least.
    max_usd_per_month : float, optional
        Budget.
    """

    providers: Names = ()
    countries: Names = ()
    regions: Names = ()
    gpus: Names = ()
    purchase: Names = ()
    max_gpus: Count | None = None
    min_secure: bool = False
    interconnect: Interconnect = Interconnect.ANY
    max_usd_per_month: Positive | None = None


class Own(_Section):
    """Where owned machines would stand.

    Attributes
    ----------
    place : str
        ISO country (``DE``) or a US state (``US-Texas``): its tariff and its grid.
    """

    place: str = Field(default="US", min_length=2, max_length=40)


type_of_kind = {
    "serve": Serve,
    "pretrain": Pretrain,
    "finetune": Finetune,
    "batch": Batch,
    "embed": Embed,
    "diffusion": Diffusion,
    "gpu_hours": GpuHours,
}
Work = Serve | Pretrain | Finetune | Batch | Embed | Diffusion | GpuHours
Kind = Literal["serve", "pretrain", "finetune", "batch", "embed", "diffusion", "gpu_hours"]


class Workload(_Section):
    """A kind of work, the model it is done with, and what an answer has to respect.

    Attributes
    ----------
    kind : str
        Names the section that holds the work.
    model : str or ModelNumbers, optional
        A known name, a path to a Hugging Face ``config.json``, or the numbers; ``gpu_hours`` needs none.
    precision, kv_precision : tuple of Precision
        Formats to choose from; empty means all that the kind of work and the accelerator allow.
    own : Own
        Where owned machines would stand.
    runs_per_month : float, optional
        How often a job (pretrain, finetune, batch, embed) is repeated; without it, it is run once.
    horizon_months : int
        How far the comparison of renting and buying looks.
    """

    kind: Kind
    model: str | ModelNumbers | None = None
    precision: Precisions = ()
    kv_precision: Precisions = ()
    serve: Serve | None = None
    pretrain: Pretrain | None = None
    finetune: Finetune | None = None
    batch: Batch | None = None
    embed: Embed | None = None
    diffusion: Diffusion | None = None
    gpu_hours: GpuHours | None = None
    constraints: Constraints = Constraints()
    own: Own = Own()
    runs_per_month: Positive | None = None
    horizon_months: Annotated[int, Field(ge=1, le=600)] = 36

    @model_validator(mode="after")
    def _one_section_and_a_model(self) -> Self:
        faults = []
        for kind in type_of_kind:
            stated = getattr(self, kind) is not None
            if kind == self.kind and not stated:
                faults.append(f"kind is {kind!r}, so a section `{kind}:` with its numbers is needed")
            if kind != self.kind and stated:
                faults.append(f"kind is {self.kind!r}, so the section `{kind}:` does not belong here")
        if self.model is None and self.kind != "gpu_hours":
            faults.append(f"kind {self.kind!r} needs a `model:` (a known name, a config.json, or its numbers)")
        if self.serve and self.serve.peak_requests_per_s and self.serve.peak_requests_per_s < self.serve.requests_per_s:
            faults.append(
                f"serve.peak_requests_per_s ({self.serve.peak_requests_per_s:g}) must not be below "
                f"serve.requests_per_s ({self.serve.requests_per_s:g})"
            )
        if self.runs_per_month and self.kind in {"serve", "diffusion", "gpu_hours"}:
            faults.append(f"runs_per_month belongs to jobs that end, {self.kind!r} does not")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def runs_once(self) -> bool:
        """Whether this is a job that ends and does not come again."""
        return self.kind in {"pretrain", "finetune", "batch", "embed"} and not self.runs_per_month

    @property
    def deadline_hours(self) -> float:
        """Hours in which one run has to be done; infinite without a deadline."""
        match self.work:
            case Pretrain() as work:
                return (work.deadline_days or math.inf) * 24
            case Finetune() | Batch() | Embed() as work:
                return work.deadline_hours or math.inf
            case _:
                return math.inf

    @property
    def work(self) -> Work:
        """The section that `kind` names."""
        section = getattr(self, self.kind)
        assert isinstance(section, Work)
        return section
