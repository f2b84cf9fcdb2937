"""Models: known names, configuration files and stated numbers, read into an `Architecture`; and which work each can do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from planner.demand.architecture import Architecture, DiffusionPass, SpeechPass
from planner.demand.formats import GGUF_FORMATS
from planner.demand.model_numbers import architecture_from_numbers
from planner.demand.parameters import parameter_count
from planner.demand.sections import mean_tokens
from planner.demand.workload import (
    Batch,
    Embed,
    EmbedService,
    Finetune,
    FinetuneImages,
    ModelNumbers,
    Pretrain,
    Serve,
    Workload,
)
from planner.errors import InputError
from planner.fact_rows import fact_rows
from planner.inputs.reading import read_document, validated

READERS: Mapping[str, Callable[[str], object]] = {"str": str, "int": int, "float": float, "bool": "1".__eq__}
"""How a cell is read, by the type of its field."""


_SAME_ARCHITECTURE = re.compile(
    r"-(instruct|chat|it|hf|base|pretrain|pt|sft|rl|thinking|think|reasoning|preview|unsloth|mlx|abliterated|dynamic|bf16|fp16|fp32|v\d+(\.\d+)?"
    r"|(20)?\d{4}|\d{2}-20\d{2})$"
)
"""Endings of a name that do not change the architecture; a name that has a row of its own is found before they are cut."""
_OWNERS = ("meta-", "google-", "microsoft-", "openai-")
MOST_PARAMETERS = 1e15
LONGEST_NAME = 255
"""Longest name of a model, as of a file."""
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


def _dashed(text: str) -> str:
    """Return a name whose words stand apart by dashes; ``3_1`` is a number of two parts."""
    return re.sub(r"[-_\s]+", "-", re.sub(r"(?<=\d)_(?=\d(\D|$))", ".", text)).strip("-")


_FORMAT_ENDINGS = {
    "nvfp4": "nvfp4", "mxfp4": "mxfp4", "fp4": "nvfp4", "fp8": "fp8", "awq": "awq", "gptq": "gptq", "gguf": "q4_k_m", "nf4": "nf4", "int8": "int8", "int4": "int4",
    "8bit": "int8", "4bit": "int4", "bnb": "nf4", "w4a16": "awq", "w8a8": "int8", "w8a16": "int8", "quantized": "", "marlin": "", "kv": "", "bnb-4bit": "nf4",
    **{_dashed(name): name for name in GGUF_FORMATS},
}  # fmt: skip
"""Endings of a name that say in which format its weights are."""
_LONGEST_FIRST = sorted(_FORMAT_ENDINGS, key=len, reverse=True)


def _architecture(row: Mapping[str, str]) -> Architecture:
    """Read one row of the table of models."""
    values = _values(Architecture, row)
    if row["kind"] == "diffusion":
        values["diffusion"] = DiffusionPass(pass_flop=float(row["pass_tflop"]) * 1e12, **_values(DiffusionPass, row))
    if row["heard_frames_per_s"]:
        values["speech"] = SpeechPass(**_values(SpeechPass, row, "heard_"))
    return Architecture(**values)


def _values(
    kind: type[Architecture | DiffusionPass | SpeechPass], row: Mapping[str, str], prefix: str = ""
) -> dict[str, Any]:
    """Return the fields of a row type that a row of text tells; an empty cell means the default."""
    cells = ((field.name, READERS.get(str(field.type)), row.get(prefix + field.name)) for field in fields(kind))
    return {name: read(text) for name, read, text in cells if read and text}


@cache
def _rows() -> Mapping[str, Mapping[str, str]]:
    return {row["name"]: row for row in fact_rows("models")}


@cache
def _names() -> Mapping[str, str]:
    """Return every name and alias, without punctuation, with the name of its row."""
    names: dict[str, str] = {}
    for name, row in _rows().items():
        for alias in (name, *row["aliases"].split()):
            plain = _squeezed(_light(alias))
            if names.setdefault(plain, name) != name:
                raise ValueError(f"model name {alias!r} stands for {names[plain]!r} and {name!r}")
    return names


def _light(name: str) -> str:
    """Return a name without owner and case, its words apart by dashes."""
    text = _dashed(name.strip().lower().rsplit("/", 1)[-1])
    text = text.removesuffix(".gguf").replace("meta-llama", "llama")
    for owner in _OWNERS:
        text = text.removeprefix(owner)
    return re.sub(r"^llama(\d)", r"llama-\1", text)


def _squeezed(text: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", text)


def _forms(name: str) -> Iterator[tuple[str, str]]:
    """Return a name, and what is left of it as its endings are cut one by one, each with the format that was cut.

    Examples
    --------
    >>> list(_forms("Qwen/Qwen3-4B-Instruct-2507-FP8"))
    [('qwen34binstruct2507fp8', ''), ('qwen34binstruct2507', 'fp8'), ('qwen34binstruct', 'fp8'), ('qwen34b', 'fp8')]
    """
    text, precision = _light(name), ""
    while text:
        yield _squeezed(text), precision
        format_said = next((ending for ending in _LONGEST_FIRST if re.search(rf"[-.]{re.escape(ending)}$", text)), None)
        if format_said is not None:
            text = text[: -len(format_said) - 1]
            if precision != "int8":  # GPTQ-Int8: the tool's name says no more than the bits do
                precision = _FORMAT_ENDINGS[format_said] or precision
        elif cut := _SAME_ARCHITECTURE.search(text):
            text = text[: cut.start()]
        else:
            return


def known_models() -> tuple[str, ...]:
    """Return the names of all known models."""
    return tuple(sorted(_rows()))


@cache
def known_model(name: str) -> Architecture:
    """Return a model by any of its names.

    Raises
    ------
    InputError
        Where no model is called so; the hint holds the nearest names.

    Examples
    --------
    >>> known_model("meta-llama/Llama-3.1-8B-Instruct").layers
    32
    """
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(
            f"{name[:40]!r}... is not the name of a model: names are printable and have at most {LONGEST_NAME} characters, got {len(name):,}",
            hint="`gpuplan models` lists the known ones",
            where="model",
        )
    row_name, precision = next(((_names()[form], said) for form, said in _forms(name) if form in _names()), ("", ""))
    if not row_name:
        near = [_names()[key] for key in difflib.get_close_matches(_squeezed(_light(name)), _names(), n=5, cutoff=0.5)]
        raise InputError(
            f"unknown model {name!r}",
            hint=(f"did you mean {', '.join(dict.fromkeys(near))}? " if near else "")
            + "`gpuplan models` lists them; a config.json or the numbers ({parameters_b: 7, ...}) are read too.",
            where="model",
        )
    architecture = _architecture(_rows()[row_name])
    return replace(architecture, native_precision=precision) if precision else architecture


def resolve_model(model: str | ModelNumbers | None) -> Architecture:
    """Read what the workload calls its model.

    Parameters
    ----------
    model : str, ModelNumbers or None
        A known name, a path to a Hugging Face ``config.json`` (or to its folder), or the numbers themselves.

    Raises
    ------
    InputError
        For an unknown name, an unreadable or strange configuration, or numbers that cannot be.
    """
    if model is None:
        raise InputError(
            "this kind of work needs a model", hint="add `model: llama-3.1-8b`, for example", where="model"
        )
    if isinstance(model, ModelNumbers):
        architecture = architecture_from_numbers(model)
    elif path := configuration_path(model):
        from planner.demand.configuration import architecture_from_config

        architecture = architecture_from_config(path)
    else:
        return known_model(model)
    if not MOST_PARAMETERS >= parameter_count(architecture) > 0:
        raise InputError(
            f"{architecture.name} would have {parameter_count(architecture):.3g} parameters, which is more than can be meant",
            where="model",
        )
    return architecture


def anchored(workload: Workload, source: str) -> Workload:
    """Return a workload that was read from a file, its model's relative path taken from the folder of that file."""
    if not isinstance(workload.model, str) or source == "-":
        return workload
    path = configuration_path(workload.model, Path(source).parent)
    return workload if path is None else workload.model_copy(update={"model": str(path)})


def configuration_path(model: str, folder: Path | None = None) -> Path | None:
    """Return the configuration file that a model's name points to; None where it is a plain name."""
    try:
        path = Path(model).expanduser()
        if folder is not None and not path.is_absolute() and (folder / path).exists():
            path = folder / path
        if path.is_dir():
            path /= "config.json"
            return path if path.is_file() else None
    except (OSError, RuntimeError, ValueError):  # too long a name, an unknown ~user, a NUL: no path at all
        return None
    return path if model.endswith(".json") else None


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


def load_workload(path: str | PathLike[str]) -> Workload:
    """Return the workload of a YAML file; a model's relative path starts at the file's folder.

    Raises
    ------
    InputError
        No such file, or all its faults at once, with line and key.
    """
    source = fspath(path)
    return anchored(validated(read_document(source), Workload), source)
