"""Suitability: whether a model can do a kind of work at all."""

from __future__ import annotations

from dataclasses import replace

from planner.demand.architecture import Architecture
from planner.demand.lengths import mean_tokens
from planner.demand.workload import Batch, Embed, EmbedService, Finetune, FinetuneImages, Pretrain, Serve, Workload
from planner.errors import InputError

SORTS_OF_MODEL = {
    "serve": ("decoder",),
    "batch": ("decoder",),
    "embed": ("encoder", "decoder"),
    "diffusion": ("diffusion",),
    "transcribe": ("speech",),
    "video": ("diffusion",),
    "pretrain": ("decoder", "encoder"),
    "finetune": ("decoder", "encoder"),
}
MAKES = {
    "decoder": "generates text",
    "encoder": "turns text into vectors",
    "speech": "turns speech into text",
    "diffusion": "makes images",
}
KINDS = {
    "encoder": "use kind: embed",
    "speech": "use kind: transcribe",
    "diffusion": "use kind: diffusion",
    "decoder": "use kind: serve or batch",
}

OTHER_AMOUNT = {
    ("finetune", "diffusion"): "state steps in place of tokens_m to train adapters; kind: diffusion generates images",
    ("finetune", "decoder"): "state tokens_m in place of steps",
    ("finetune", "encoder"): "state tokens_m in place of steps",
}
"""Where the kind would do for the model, had its amount been stated in the model's own terms."""


def longest_sequence_tokens(workload: Workload) -> int:
    """Return the longest sequence that the work puts through the model, 0 where there is none."""
    match workload.work:
        case Serve() as work:
            return mean_tokens(work.prompt_tokens) + mean_tokens(work.output_tokens)
        case Batch() as work:
            return mean_tokens(work.input_tokens) + mean_tokens(work.output_tokens)
        case Pretrain() | Finetune() as work:
            return work.seq_len
        case Embed() | EmbedService() as work:
            return work.tokens_per_document
        case _:
            return 0


def suitable_model(workload: Workload, architecture: Architecture | None) -> Architecture:
    """Return the model, after refusing one that cannot do this work.

    Raises
    ------
    InputError
        There is no model; it makes something else; or the sequences are longer than it was made for.
    """
    if architecture is None:
        raise InputError(f"work of kind {workload.kind!r} needs a model", where="model")
    tunes_images = isinstance(workload.work, FinetuneImages)
    if architecture.kind not in (("diffusion",) if tunes_images else SORTS_OF_MODEL[workload.kind]):
        raise InputError(
            f"{architecture.name} {MAKES[architecture.kind]}; it cannot do work of kind {workload.kind!r}",
            hint=OTHER_AMOUNT.get((workload.kind, architecture.kind), KINDS[architecture.kind]),
            where="model",
        )
    if workload.max_context_tokens:
        architecture = replace(architecture, max_context_tokens=workload.max_context_tokens)
    makes = architecture.diffusion
    if makes is not None and isinstance(workload.work, FinetuneImages):
        if workload.work.frames > 1 and not makes.frames_per_latent:
            raise InputError(
                f"{architecture.name} makes images, which have one frame",
                hint="leave frames out",
                where="finetune.frames",
            )
    elif makes is not None and bool(makes.frames_per_latent) != (workload.kind == "video"):
        what, kind = ("video", "video") if makes.frames_per_latent else ("images", "diffusion")
        raise InputError(
            f"{architecture.name} makes {what}; it cannot do work of kind {workload.kind!r}",
            hint=f"use kind: {kind}",
            where="model",
        )
    if (not architecture.layers and makes is None) or (workload.kind == "transcribe" and architecture.speech is None):
        raise InputError(
            f"only the size of {architecture.name} is known, not what it is made of",
            hint="take a model of the same kind whose numbers are known, or give its config.json",
            where="model",
        )
    longest, most = longest_sequence_tokens(workload), architecture.max_context_tokens
    if most and longest > most and workload.kind not in {"pretrain", "finetune"}:
        raise InputError(
            f"sequences of {longest:,} tokens are longer than the {most:,} that {architecture.name} was made for",
            hint="shorten them, cut documents into pieces, take a model of longer context, or state max_context_tokens where it is extended",
            where=workload.kind,
        )
    return architecture
