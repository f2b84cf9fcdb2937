"""The work to be done, as the user states it.

The classes are the schema of ``workload.yaml``: the editor's JSON Schema, the error messages and the planner all come
from them. A workload has one kind of work; the kinds are a union that is read with ``match workload.work``.
"""

from __future__ import annotations

import math
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Literal, Self, cast

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    Tag,
    model_validator,
)

from planner.demand.lengths import Lengths
from planner.demand.traffic_kinds import Traffic, traffic_kind

__all__ = [
    "Batch",
    "Commitment",
    "Constraints",
    "Diffusion",
    "Embed",
    "Finetune",
    "GpuHours",
    "Have",
    "Interconnect",
    "ModelNumbers",
    "Own",
    "OwnedMachines",
    "Precision",
    "Pretrain",
    "Profile",
    "Serve",
    "Transcribe",
    "Video",
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
Layers = Annotated[int, Field(gt=0, le=10_000), BeforeValidator(_no_truth_value)]
Width = Annotated[int, Field(gt=0, le=1_000_000), BeforeValidator(_no_truth_value)]
Tokens = Annotated[int, Field(gt=0, le=100_000_000), BeforeValidator(_no_truth_value)]
"""Tokens of one request or sequence; the longest contexts hold ten million."""
TokenLengths = Annotated[
    Annotated[Tokens, Tag("Tokens")] | Annotated[Lengths, Tag("Lengths")],
    Discriminator(lambda value: "Lengths" if isinstance(value, dict | Lengths) else "Tokens"),
]
"""Tokens of requests: their mean, or how they vary."""
Percentile = Annotated[
    Annotated[float, Field(ge=1, le=99.9), BeforeValidator(_no_truth_value), Tag("Percent")]
    | Annotated[Literal["mean"], Tag("Mean")],
    Discriminator(lambda value: "Mean" if isinstance(value, str) and value[:1].isalpha() else "Percent"),
]
Name = Annotated[str, Field(max_length=100)]
Names = Annotated[tuple[Name, ...], Field(max_length=200), BeforeValidator(_one_or_many)]


class _Section(BaseModel):
    """A part of the file: unknown keys are errors, values do not change, NaN and infinity are no numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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


CACHE_FORMATS = frozenset({"fp32", "bf16", "fp16", "fp8", "int8", "int4", "fp4", "nvfp4", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"})  # fmt: skip
"""Formats in which engines keep the KV cache; those of llama.cpp are what its ``--cache-type-k`` takes."""
Precisions = Annotated[tuple[Precision, ...], Field(max_length=20), BeforeValidator(_one_or_many)]


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

    parameters_b: Annotated[float, Field(gt=0, le=1e6), BeforeValidator(_no_truth_value)]
    active_parameters_b: Annotated[float, Field(gt=0, le=1e6), BeforeValidator(_no_truth_value)] | None = None
    layers: Layers | None = None
    hidden: Width | None = None
    heads: Width | None = None
    kv_heads: Width | None = None
    head_dim: Width | None = None
    ffn: Width | None = None
    vocab: Annotated[int, Field(gt=0, le=10_000_000), BeforeValidator(_no_truth_value)] | None = None
    gated_mlp: bool = True
    tied_embeddings: bool = False
    experts: int = Field(default=0, ge=0, le=100_000)
    experts_per_token: int = Field(default=0, ge=0, le=100_000)
    expert_ffn: int = Field(default=0, ge=0, le=1_000_000)
    shared_experts: int = Field(default=0, ge=0, le=100_000)
    max_context_tokens: int = Field(default=0, ge=0, le=2_000_000_000)


def _lengths_may_be_missing(schema: dict[str, Any]) -> None:
    """Let an editor accept a service whose kind of traffic tells the lengths."""
    schema["required"] = [name for name in schema["required"] if name not in {"input_tokens", "output_tokens"}]


class Serve(_Section):
    """Answer requests as they come, within limits.

    Attributes
    ----------
    requests_per_s : float
        Mean arrival rate over the whole week, requests per second.
    peak_requests_per_s : float, optional
        Rate that has to be held at the busiest time; without it the profile tells.
    input_tokens : int or Lengths
        Length of a prompt, in tokens: a mean, ``{mean, cv}``, or quantiles ``{p50, p90, p99}``; `traffic` fills it in.
    output_tokens : int or Lengths
        Length of an answer, in tokens; likewise.
    traffic : str, optional
        ``chat``, ``code``, ``api``, ``reasoning`` or ``agent``: lengths of a public trace where none are stated, and how they vary; ``chat`` where neither is stated.
    limit_percentile : float or str
        Percent of the requests that have to keep the limits, by which a simulation judges the fleet; ``mean`` is allowed.
    ttft_limit_ms : float, optional
        Longest mean time to first token; `planner.demand.defaults` fills in what is not stated.
    tpot_limit_ms : float, optional
        Longest mean time per output token after the first; likewise.
    spare_replicas : int, optional
        Replicas that may fail, each with the machine it runs on, without a limit being missed; 1 where a limit is stated, else 0.
    profile : Profile
        How the rate moves over the week.
    prefix_cache_hit_share : float
        Share of the prompt's tokens found in the cache of earlier prompts.
    drafted_tokens : int
        Speculative decoding: tokens that a small draft model proposes each step; 0 is none.
    """

    model_config = ConfigDict(json_schema_extra=_lengths_may_be_missing)

    requests_per_s: Rate
    peak_requests_per_s: Rate | None = None
    input_tokens: TokenLengths
    output_tokens: TokenLengths
    traffic: Traffic | None = None
    limit_percentile: Percentile = 95.0
    ttft_limit_ms: Positive | None = None
    tpot_limit_ms: Positive | None = None
    spare_replicas: Annotated[int, Field(ge=0, le=1000), BeforeValidator(_no_truth_value)] | None = None
    profile: Profile = Profile.STEADY
    prefix_cache_hit_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    drafted_tokens: Annotated[int, Field(ge=0, le=16), BeforeValidator(_no_truth_value)] = 0

    @model_validator(mode="wrap")
    @classmethod
    def _lengths_of_traffic(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401  as written
        """Fill in the lengths of the stated kind of traffic, or of chats where nothing is said of them; they count as not stated."""
        missing: list[str] = []
        is_silent = isinstance(data, dict) and not data.keys() & {"traffic", "input_tokens", "output_tokens"}
        if is_silent:
            data = data | {"traffic": Traffic.CHAT}
        if isinstance(data, dict) and data.get("traffic") in set(Traffic):
            missing = [name for name in ("input_tokens", "output_tokens") if name not in data]
            kind = traffic_kind(Traffic(data["traffic"]))
            data = data | {name: getattr(kind, name) for name in missing}
        made = handler(data)
        made.model_fields_set.difference_update([*missing, *(["traffic"] if is_silent else [])])
        return made


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
    seq_len: Tokens = 4096
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
    rank: Width = 16
    tokens_m: Positive
    epochs: Positive = 1.0
    seq_len: Tokens = 2048
    global_batch_tokens_m: Positive = 0.128
    deadline_hours: Positive | None = None
    optimizer: Literal["adamw", "adamw_8bit", "adafactor", "sgd"] = "adamw"


class Batch(_Section):
    """Answer many requests by a deadline; nobody waits for the single answer.

    Attributes
    ----------
    requests : int
        Requests to answer.
    input_tokens : int
        Mean length of a prompt, in tokens.
    output_tokens : int
        Mean length of an answer, in tokens.
    deadline_hours : float, optional
        Hours in which they have to be answered.
    prefix_cache_hit_share : float
        Share of the prompt's tokens found in the cache of earlier prompts.
    """

    requests: Count
    input_tokens: Tokens
    output_tokens: Tokens
    deadline_hours: Positive | None = None
    prefix_cache_hit_share: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Embed(_Section):
    """Turn documents into vectors with an encoder.

    Attributes
    ----------
    documents : int
        Documents to embed.
    tokens_per_document : int
        Mean length of a document, in tokens.
    deadline_hours : float, optional
        Hours in which it has to be done.
    """

    documents: Count
    tokens_per_document: Tokens = 300
    deadline_hours: Positive | None = None


class Diffusion(_Section):
    """Generate images day by day.

    Attributes
    ----------
    images_per_day : float
        Images needed a day.
    width, height : int
        Size of an image, in pixels.
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


class Transcribe(_Section):
    """Turn recorded speech into text; nobody waits for the single recording.

    Attributes
    ----------
    audio_hours : float
        Hours of audio.
    deadline_hours : float, optional
        Hours in which it has to be done.
    """

    audio_hours: Positive
    deadline_hours: Positive | None = None


class Video(_Section):
    """Generate clips day by day.

    Attributes
    ----------
    clips_per_day : float
        Clips needed a day.
    seconds : float
        Length of a clip.
    frames_per_s : float
        Frames that the model makes for a second (Wan: 16, HunyuanVideo and LTX: 24, CogVideoX: 8).
    width, height : int
        Size of a frame, in pixels.
    steps : int
        Denoising steps.
    guided : bool
        Classifier-free guidance, which doubles the passes.
    seconds_per_clip_limit : float, optional
        Longest time for one clip.
    profile : Profile
        How demand moves over the week.
    """

    clips_per_day: Positive
    seconds: Annotated[float, Field(gt=0, le=600)] = 5.0
    frames_per_s: Annotated[float, Field(gt=0, le=120)] = 16.0
    width: Annotated[int, Field(ge=64, le=16384)] = 1280
    height: Annotated[int, Field(ge=64, le=16384)] = 720
    steps: Annotated[int, Field(ge=1, le=10_000)] = 50
    guided: bool = True
    seconds_per_clip_limit: Positive | None = None
    profile: Profile = Profile.STEADY

    @property
    def frames(self) -> float:
        """Frames of a clip."""
        return round(self.seconds * self.frames_per_s) + 1.0


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
    providers, regions : tuple of str
        Only these; empty means any.
    countries : tuple of str
        Only these; empty means any. ISO 3166 codes of two letters, names, continents, or EU, EEA and APAC.
    gpus : tuple of str
        Only these accelerators, by any of their names; empty means any.
    purchase : tuple of str
        Only these purchase options; empty means any.
    max_gpus : int, optional
        Most accelerators that one option may take.
    min_secure : bool
        True leaves out marketplaces and community clouds, where strangers own the machine.
    interconnect : Interconnect
        What joins the machines of one job, at least.
    max_usd_per_month : float, optional
        Budget; it holds for the rent until owned servers are delivered as well.
    max_capex_usd : float, optional
        Most that servers may cost to buy, with network and installation.
    exclude_providers : tuple of str
        Never these.
    min_tier : str, optional
        Lowest tier of seller that is recommended, ``A`` to ``D`` (`pricing.sellers`); ``B`` where it is not stated.
    free_tiers : bool
        True lets a free tier be the answer; its terms are for individuals and trials.
    """

    providers: Names = ()
    exclude_providers: Names = ()
    countries: Names = ()
    regions: Names = ()
    gpus: Names = ()
    purchase: Names = ()
    max_gpus: Count | None = None
    min_secure: bool = False
    interconnect: Interconnect = Interconnect.ANY
    max_usd_per_month: Positive | None = None
    max_capex_usd: Positive | None = None
    min_tier: Literal["A", "B", "C", "D"] | None = None
    free_tiers: bool = False

    @property
    def names_sellers(self) -> bool:
        """Whether only some sellers or places are allowed."""
        return bool(self.providers or self.countries or self.regions)


SITES = ("home", "colocation", "own_room")
OwnSite = Literal["home", "colocation", "own_room"]
Usd = Annotated[float, Field(ge=0, le=1e12), BeforeValidator(_no_truth_value)]
Share = Annotated[float, Field(ge=0, lt=1), BeforeValidator(_no_truth_value)]
HAVE_PLACE: OwnSite = "colocation"


class Own(_Section):
    """Where owned machines would stand.

    Attributes
    ----------
    place : str
        ISO country (``DE``) or a US state (``US-Texas``): its tariff and its grid; or ``home``, ``colocation`` or ``own_room`` (a
        room of one's own, whose space costs nothing) where only one of these will do.
    country : str
        The tariff and the grid, where `place` says what it is.
    """

    place: str = Field(default="US", min_length=2, max_length=40)
    country: str = Field(default="US", min_length=2, max_length=40)

    @property
    def tariff_place(self) -> str:
        """The country or state."""
        return self.country if self.place in SITES else self.place

    @property
    def site(self) -> OwnSite | None:
        """The only site that will do; None where any will."""
        return cast("OwnSite", self.place) if self.place in SITES else None


class OwnedMachines(_Section):
    """Accelerators that are owned already.

    Attributes
    ----------
    gpu : str
        Accelerator by any of its names.
    count : int
        How many.
    place : str
        Where they stand.
    remaining_months : int
        How long they will still work; without it, to the end of the horizon.
    resale_usd : float
        What they would bring today, all together: what keeping them costs besides running them.
    """

    gpu: str = Field(min_length=1, max_length=100)
    count: Count = 1
    place: OwnSite = HAVE_PLACE
    remaining_months: Annotated[int, Field(ge=1, le=600)] | None = None
    resale_usd: Usd = 0.0


class Commitment(_Section):
    """Instances that are committed to, and paid whether they are used or not.

    Attributes
    ----------
    provider, instance_type : str
        The provider's own names.
    count : int
        Instances.
    usd_per_hour : float
        Of one instance, as committed.
    until : date
        The last day.
    """

    provider: Name
    instance_type: Name
    count: Count = 1
    usd_per_hour: Usd
    until: date


class Credit(_Section):
    """Credit with a provider of machines.

    Attributes
    ----------
    provider : str
        Whose machines it pays.
    usd : float
        How much is left.
    expires : date
        The last day on which it can be used.
    """

    provider: Name
    usd: Annotated[float, Field(gt=0, le=1e12), BeforeValidator(_no_truth_value)]
    expires: date


class Have(_Section):
    """What is paid for already: it enters at what using it costs from now on.

    Attributes
    ----------
    owned : tuple of OwnedMachines
        Machines.
    committed : tuple of Commitment
        Commitments.
    credits : tuple of Credit
        Credits.
    """

    owned: Annotated[tuple[OwnedMachines, ...], Field(max_length=100)] = ()
    committed: Annotated[tuple[Commitment, ...], Field(max_length=100)] = ()
    credits: Annotated[tuple[Credit, ...], Field(max_length=100)] = ()


type_of_kind = {
    "serve": Serve,
    "pretrain": Pretrain,
    "finetune": Finetune,
    "batch": Batch,
    "embed": Embed,
    "diffusion": Diffusion,
    "transcribe": Transcribe,
    "video": Video,
    "gpu_hours": GpuHours,
}
Work = Serve | Pretrain | Finetune | Batch | Embed | Diffusion | Transcribe | Video | GpuHours
Kind = Literal["serve", "pretrain", "finetune", "batch", "embed", "diffusion", "transcribe", "video", "gpu_hours"]


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
    stack : str, optional
        The trainer of a training job; without it, megatron for pretraining and fsdp for fine-tuning.
    own : Own
        Where owned machines would stand.
    have : Have
        What is paid for already.
    discounts : dict of str to float
        Negotiated discounts by provider, as shares of list prices; not of spot prices and capacity blocks.
    runs_per_month : float, optional
        How often a job (pretrain, finetune, batch, embed, transcribe) is repeated; without it, it is run once.
    horizon_months : int
        How far the comparison of renting and buying looks.
    """

    kind: Kind
    model: str | ModelNumbers | None = None
    precision: Precisions = ()
    kv_precision: Precisions = ()
    stack: Literal["megatron", "nemo", "fsdp", "deepspeed", "axolotl", "torchtune", "unsloth"] | None = None
    serve: Serve | None = None
    pretrain: Pretrain | None = None
    finetune: Finetune | None = None
    batch: Batch | None = None
    embed: Embed | None = None
    diffusion: Diffusion | None = None
    transcribe: Transcribe | None = None
    video: Video | None = None
    gpu_hours: GpuHours | None = None
    constraints: Constraints = Constraints()
    own: Own = Own()
    have: Have = Have()
    discounts: Annotated[dict[Name, Share], Field(max_length=200)] = {}
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
        if self.stack and self.kind not in {"pretrain", "finetune"}:
            faults.append(
                f"stack {self.stack!r} is a trainer, so it belongs to pretrain and finetune, not to {self.kind!r}"
            )
        odd = sorted({str(item) for item in self.kv_precision} - CACHE_FORMATS)
        if odd:
            faults.append(f"kv_precision must be one of {', '.join(sorted(CACHE_FORMATS))}, got {', '.join(odd)}")
        if self.runs_per_month and self.kind in {"serve", "diffusion", "video", "gpu_hours"}:
            faults.append(f"runs_per_month belongs to jobs that end, {self.kind!r} does not")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def has_own_terms(self) -> bool:
        """Whether it says what is paid for already, or what was negotiated: it is planned by itself."""
        return bool(self.have != Have() or self.discounts or self.own.site)

    @property
    def runs_once(self) -> bool:
        """Whether this is a job that ends and does not come again."""
        return self.kind in {"pretrain", "finetune", "batch", "embed", "transcribe"} and not self.runs_per_month

    @property
    def deadline_hours(self) -> float:
        """Hours in which one run has to be done; infinite without a deadline."""
        match self.work:
            case Pretrain() as work:
                return (work.deadline_days or math.inf) * 24
            case Finetune() | Batch() | Embed() | Transcribe() as work:
                return work.deadline_hours or math.inf
            case _:
                return math.inf

    @property
    def work(self) -> Work:
        """The section that `kind` names."""
        section = getattr(self, self.kind)
        assert isinstance(section, Work)
        return section
