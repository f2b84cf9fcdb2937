"""Training that goes on from a trained model: on texts, on preferences, on rewards, on images."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from planner.demand.sections import Count, Positive, Section, Tokens, Width

_FORWARDS = {"dpo": 1, "grpo": 2}
"""Passes besides training's own: the reference model's, and (grpo) those of the model that wrote the answers."""
_USUAL_PROMPT_SHARE = 0.25


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
        """Whether a frozen copy of the model lies beside the one that learns; adapters switched off are one for nothing."""
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


def _one_form(value: object) -> object:
    if isinstance(value, dict) and {"tokens_m", "steps"} <= value.keys():
        raise ValueError("tokens_m trains a model of text, steps one of images or video; leave one of them out")
    return value


Finetuning = Annotated[
    Annotated[Finetune, Tag("Texts")] | Annotated[FinetuneImages, Tag("Images")],
    Discriminator(_form_of),
    BeforeValidator(_one_form),
]
"""By the keys: tokens are those of texts, steps are taken on images."""
