"""Kinds of work: images, recordings and video; embedding and reranking; fine-tuning."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from planner.demand.sections import Count, Positive, Profile, Rate, Section, Tokens, Width

Task = Literal["embed", "rerank"]
_BY_RATE = frozenset({"requests_per_s", "documents_per_request", "latency_limit_ms", "profile"})
_FORWARDS = {"dpo": 1, "grpo": 2}
"""Passes besides training's own: the reference model's, and (grpo) those of the model that wrote the answers."""
_USUAL_PROMPT_SHARE = 0.25


class Diffusion(Section):
    """Generate images day by day.

    Attributes
    ----------
    images_per_day : float
        Images per day.
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


class Transcribe(Section):
    """Turn recorded speech into text; nobody waits for the single recording.

    Attributes
    ----------
    audio_hours : float
        Hours of audio.
    deadline_hours : float, optional
        Hours by which it has to be done.
    """

    audio_hours: Positive
    deadline_hours: Positive | None = None


class Video(Section):
    """Generate clips day by day.

    Attributes
    ----------
    clips_per_day : float
        Clips per day.
    seconds : float
        Length of a clip.
    frames_per_s : float
        Frames that the model generates per second of video (Wan: 16, HunyuanVideo and LTX: 24, CogVideoX: 8).
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


class Embed(Section):
    """Turn documents into vectors with an encoder, or score pairs of texts.

    Attributes
    ----------
    documents : int
        Documents to embed, or pairs to score.
    tokens_per_document : int
        Mean length of a document, or of a query and a document together, in tokens.
    task : str
        ``embed``, or ``rerank``: each document is read together with its query, and scored.
    deadline_hours : float, optional
        Hours by which it has to be done.
    """

    documents: Count
    tokens_per_document: Tokens = 300
    task: Task = "embed"
    deadline_hours: Positive | None = None


class EmbedService(Section):
    """Turn documents into vectors, or score pairs of texts, as requests come.

    Attributes
    ----------
    requests_per_s : float
        Mean arrival rate over the whole week, requests per second.
    documents_per_request : int
        Documents in a request; for reranking, those of one query.
    tokens_per_document : int
        Mean length of a document, or of a query and a document together, in tokens.
    task : str
        ``embed``, or ``rerank``: each document is read together with its query, and scored.
    latency_limit_ms : float, optional
        Limit on the time of a request, including the wait for the batch before it.
    profile : Profile
        How the rate moves over the week.
    """

    requests_per_s: Rate
    documents_per_request: Annotated[int, Field(ge=1, le=100_000)] = 1
    tokens_per_document: Tokens = 300
    task: Task = "embed"
    latency_limit_ms: Positive | None = None
    profile: Profile = Profile.STEADY

    @property
    def documents_per_s(self) -> float:
        """Mean rate of documents."""
        return self.requests_per_s * self.documents_per_request


def _sort(value: object) -> str:
    keys = value.keys() if isinstance(value, dict) else ()
    return (
        "Service" if isinstance(value, EmbedService) or ("documents" not in keys and _BY_RATE & set(keys)) else "Heap"
    )


def _one_form(value: object) -> object:
    if isinstance(value, dict) and {"documents", "requests_per_s"} <= value.keys():
        raise ValueError("documents make a job, requests_per_s makes a service; leave one of them out")
    return value


Embedding = Annotated[
    Annotated[Embed, Tag("Heap")] | Annotated[EmbedService, Tag("Service")],
    Discriminator(_sort),
    BeforeValidator(_one_form),
]
"""By the keys: a number of documents makes a heap, a rate makes a service."""


class Finetune(Section):
    """Train a trained model further.

    Attributes
    ----------
    method : str
        ``lora``, ``qlora`` or ``full`` learn from text, ``dpo`` from pairs of answers, and ``grpo`` from rewards of answers that
        the model generates itself.
    adapter : str, optional
        What ``dpo`` and ``grpo`` train: ``lora`` or ``qlora``; without it, all weights, next to a frozen reference model.
    rank : int
        Rank of the adapters (``lora`` and ``qlora``).
    tokens_m : float
        Tokens of the data set, in millions: prompts and answers together, both answers of a pair.
    epochs : float
        Passes over the data set.
    seq_len : int
        Tokens in a sequence.
    prompt_tokens : int, optional
        Prompt tokens in a sequence of ``grpo``; the rest is generated. A quarter, if not stated.
    global_batch_tokens_m : float
        Tokens in one optimizer step, in millions; ``grpo`` generates as many before each step.
    deadline_hours : float, optional
        Hours by which it has to be done.
    gpu_count : int, optional
        GPUs that train together, at least (whole machines); without it, the fewest that meet the deadline.
    optimizer : str
        ``adamw``, ``adamw_8bit``, ``adafactor`` or ``sgd``.
    offload : bool, optional
        False keeps weights and optimizer out of host memory; without it, they may stay there where nothing else fits.
    """

    method: Literal["lora", "qlora", "full", "dpo", "grpo"] = "lora"
    adapter: Literal["lora", "qlora"] | None = None
    rank: Width = 16
    tokens_m: Positive
    epochs: Positive = 1.0
    seq_len: Tokens = 2048
    prompt_tokens: Tokens | None = None
    global_batch_tokens_m: Positive = 0.128
    deadline_hours: Positive | None = None
    gpu_count: Count | None = None
    optimizer: Literal["adamw", "adamw_8bit", "adafactor", "sgd"] = "adamw"
    offload: bool | None = None

    @property
    def trains(self) -> Literal["lora", "qlora", "full"]:
        """Which weights learn."""
        return (self.adapter or "full") if self.method in {"dpo", "grpo"} else self.method  # type: ignore[return-value]

    @property
    def has_reference(self) -> bool:
        """Whether a frozen reference copy is held in memory; with adapters it costs nothing."""
        return self.method in _FORWARDS and self.trains == "full"

    @property
    def extra_forward_count(self) -> int:
        """Forward passes over every token besides those of training."""
        return _FORWARDS.get(self.method, 0)

    @property
    def written_tokens(self) -> int:
        """Tokens of a sequence that the model writes before it learns from them."""
        prompt = self.prompt_tokens if self.prompt_tokens is not None else round(_USUAL_PROMPT_SHARE * self.seq_len)
        return max(self.seq_len - prompt, 1) if self.method == "grpo" else 0


class FinetuneImages(Section):
    """Train adapters of a model of images or video, over frozen weights.

    Attributes
    ----------
    steps : int
        Optimizer steps, as one GPU would take them; several GPUs see as many images in fewer steps.
    batch : int
        Images or clips in a step on each GPU.
    width, height : int
        Size of an image or frame, in pixels.
    frames : int
        Frames of a clip; 1 for images.
    method : str
        ``lora`` over 16-bit weights (or those of `precision`), ``qlora`` over 4-bit ones.
    rank : int
        Rank of the adapters.
    checkpointing : bool
        Gradient checkpointing, which saves memory and takes one more forward pass; false where memory is plenty.
    cached : bool
        Latents and text embeddings are computed before training, so that only the denoiser is on the GPU.
    deadline_hours : float, optional
        Hours by which it has to be done.
    """

    steps: Count
    batch: Count = 1
    width: Annotated[int, Field(ge=64, le=16384)] = 1024
    height: Annotated[int, Field(ge=64, le=16384)] = 1024
    frames: Count = 1
    method: Literal["lora", "qlora"] = "lora"
    rank: Width = 16
    checkpointing: bool = True
    cached: bool = True
    deadline_hours: Positive | None = None


def _form_of(value: object) -> str:
    keys = value.keys() if isinstance(value, dict) else ()
    return "Images" if isinstance(value, FinetuneImages) or ("steps" in keys and "tokens_m" not in keys) else "Texts"


def _one_form_of_finetuning(value: object) -> object:
    if isinstance(value, dict) and {"tokens_m", "steps"} <= value.keys():
        raise ValueError("tokens_m trains a model of text, steps one of images or video; leave one of them out")
    return value


Finetuning = Annotated[
    Annotated[Finetune, Tag("Texts")] | Annotated[FinetuneImages, Tag("Images")],
    Discriminator(_form_of),
    BeforeValidator(_one_form_of_finetuning),
]
"""By the keys: tokens are those of texts, steps are taken on images."""
