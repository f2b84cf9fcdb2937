"""The work to be done and what an option has to respect, as the user states them.

The classes are the schema of ``workload.yaml``: the editor's JSON Schema, the error messages and the planner all come
from them. A workload has one kind of work; the kinds are a union that is read with ``match workload.work``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from planner.demand.formats import CACHE_FORMATS, Precision, Precisions
from planner.demand.have import Commitment, Have, Own, OwnedMachines, Share
from planner.demand.model_numbers import ModelNumbers
from planner.demand.sections import Count, Name, Names, Positive, Profile, Section, Tokens
from planner.demand.service import Serve
from planner.demand.work import (
    Diffusion,
    Embed,
    Embedding,
    EmbedService,
    Finetune,
    FinetuneImages,
    Finetuning,
    Transcribe,
    Video,
)

__all__ = [
    "OTHER_FORMS",
    "Batch",
    "Commitment",
    "Constraints",
    "Diffusion",
    "Embed",
    "EmbedService",
    "Finetune",
    "FinetuneImages",
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
OTHER_FORMS: Mapping[str, tuple[type[Section], ...]] = {"embed": (EmbedService,), "finetune": (FinetuneImages,)}
"""Of a kind whose section has several: a heap by its documents, a service by its rate; texts by tokens, images by steps."""
Kind = Literal["serve", "pretrain", "finetune", "batch", "embed", "diffusion", "transcribe", "video", "gpu_hours"]
Trainer = Literal["megatron", "nemo", "fsdp", "deepspeed", "axolotl", "torchtune", "unsloth"]
Engine = Literal["default", "vllm", "sglang", "trtllm", "llama.cpp", "tuned", "submission"]
Stack = Trainer | Engine
TRAINERS: frozenset[str] = frozenset(get_args(Trainer))


class Interconnect(StrEnum):
    """What the machines of one training job have to be joined by."""

    ANY = "any"
    ETHERNET = "ethernet"
    EFA = "efa"
    INFINIBAND = "infiniband"


class Constraints(Section):
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
        Leave out marketplaces and community clouds, where strangers own the machines.
    interconnect : Interconnect
        Network between the machines of one job, at least this fast.
    max_usd_per_month : float, optional
        Budget; it also covers the rent until owned servers are delivered.
    max_capex_usd : float, optional
        Most that servers may cost to buy, including network and installation.
    exclude_providers : tuple of str
        Never from these providers.
    min_tier : str, optional
        Lowest tier of seller that can be recommended, ``A`` to ``D`` (see `gpuplan providers`); ``B`` if not stated.
    free_tiers : bool
        Let a free tier be the answer; its terms are for individuals and trials.
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


class Pretrain(Section):
    """Train a model from the start.

    Attributes
    ----------
    tokens_b : float
        Tokens to train on, in billions.
    seq_len : int
        Tokens in a sequence.
    global_batch_tokens_m : float
        Tokens in one optimizer step, in millions.
    deadline_days : float, optional
        Days by which it has to be done, from which the GPU count follows; there is a default where it is not stated.
    gpu_count : int, optional
        GPUs that train together, at least (whole machines); without it, the fewest that meet the deadline.
    optimizer : str
        ``adamw``, ``adamw_8bit``, ``adafactor`` or ``sgd``.
    """

    tokens_b: Positive
    seq_len: Tokens = 4096
    global_batch_tokens_m: Positive = 4.0
    deadline_days: Positive | None = None
    gpu_count: Count | None = None
    optimizer: Literal["adamw", "adamw_8bit", "adafactor", "sgd"] = "adamw"


class Batch(Section):
    """Answer many requests by a deadline; nobody waits for any single answer.

    Attributes
    ----------
    requests : int
        Requests to answer.
    input_tokens : int
        Mean length of a prompt, in tokens.
    output_tokens : int
        Mean length of an answer, in tokens.
    deadline_hours : float, optional
        Hours by which they have to be answered.
    prefix_cache_hit_share : float
        Share of the prompt's tokens found in the cache of earlier prompts.
    """

    requests: Count
    input_tokens: Tokens
    output_tokens: Tokens
    deadline_hours: Positive | None = None
    prefix_cache_hit_share: Annotated[float, Field(ge=0, lt=1)] = 0.0


class GpuHours(Section):
    """The simple case: so many accelerators for so many hours, with no model of the work.

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
Work = (
    Serve
    | Pretrain
    | Finetune
    | FinetuneImages
    | Batch
    | Embed
    | EmbedService
    | Diffusion
    | Transcribe
    | Video
    | GpuHours
)


class Workload(Section):
    """A kind of work, the model it is done with, and what an answer has to respect.

    Attributes
    ----------
    kind : str
        Names the section that holds the work.
    model : str or ModelNumbers, optional
        A known name, a path to a Hugging Face ``config.json``, or the numbers; ``gpu_hours`` needs none.
    max_context_tokens : int, optional
        Longest context of the model as deployed, instead of the model's own (extended, or cut short).
    precision, kv_precision : tuple of Precision
        Number formats to choose from; empty means all that the kind of work and the accelerator allow.
    stack : str, optional
        The trainer of a training job (without it, megatron for pretraining and fsdp for fine-tuning), or how text is served
        (without it, an engine with its default settings).
    own : Own
        Where owned machines would stand.
    have : Have
        What is paid for already.
    discounts : dict of str to float
        Negotiated discounts by provider, as shares of list prices; not of spot prices and capacity blocks.
    runs_per_month : float, optional
        How often a job (pretrain, finetune, batch, embed, transcribe) is repeated; without it, it is run once.
    currency : str, optional
        Also show costs in this currency (ISO 4217): euros by `money.usd_per_eur`, others by `usd_per_unit`.
    usd_per_unit : float, optional
        What one unit of that currency is worth.
    horizon_months : int
        How far the comparison of renting and buying looks.
    """

    kind: Kind
    model: str | ModelNumbers | None = None
    max_context_tokens: Tokens | None = None
    precision: Precisions = ()
    kv_precision: Precisions = ()
    stack: Stack | None = None
    serve: Serve | None = None
    pretrain: Pretrain | None = None
    finetune: Finetuning | None = None
    batch: Batch | None = None
    embed: Embedding | None = None
    diffusion: Diffusion | None = None
    transcribe: Transcribe | None = None
    video: Video | None = None
    gpu_hours: GpuHours | None = None
    constraints: Constraints = Constraints()
    own: Own = Own()
    have: Have = Have()
    discounts: Annotated[dict[Name, Share], Field(max_length=200)] = {}
    runs_per_month: Positive | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    usd_per_unit: Positive | None = None
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
        if self.stack and self.kind not in (("pretrain", "finetune") if self.stack in TRAINERS else ("serve", "batch")):
            faults.append(
                f"stack {self.stack!r} is a trainer, so it belongs to pretrain and finetune, not to {self.kind!r}"
                if self.stack in TRAINERS
                else f"stack {self.stack!r} serves text, so it belongs to serve and batch, not to {self.kind!r}"
            )
        odd = sorted({str(item) for item in self.kv_precision} - CACHE_FORMATS)
        if odd:
            faults.append(f"kv_precision must be one of {', '.join(sorted(CACHE_FORMATS))}, got {', '.join(odd)}")
        if self.runs_per_month and getattr(self, self.kind) is not None and not self.ends:
            faults.append("runs_per_month belongs to jobs that end, this work does not")
        if self.currency not in {None, "USD", "EUR"} and self.usd_per_unit is None:
            faults.append(f"usd_per_unit is needed: what one {self.currency} is worth in USD")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def has_own_terms(self) -> bool:
        """Whether it says what is paid for already, what was negotiated, or on how many GPUs it trains: it is planned by itself."""
        return bool(self.have != Have() or self.discounts or self.own.site or getattr(self.work, "gpu_count", None))

    @property
    def ends(self) -> bool:
        """Whether this is a job: it has so much to do, and is over then."""
        work = getattr(self, self.kind)
        return isinstance(work, Pretrain | Finetune | FinetuneImages | Batch | Embed | Transcribe)

    @property
    def runs_once(self) -> bool:
        """Whether this is a job that ends and does not come again."""
        return self.ends and not self.runs_per_month

    @property
    def deadline_hours(self) -> float:
        """Hours in which one run has to be done; infinite without a deadline."""
        match self.work:
            case Pretrain() as work:
                return (work.deadline_days or math.inf) * 24
            case Finetune() | FinetuneImages() | Batch() | Embed() | Transcribe() as work:
                return work.deadline_hours or math.inf
            case _:
                return math.inf

    @property
    def work(self) -> Work:
        """The section that `kind` names."""
        section = getattr(self, self.kind)
        assert isinstance(section, Work)
        return section
