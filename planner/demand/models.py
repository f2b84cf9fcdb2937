"""Models: known names, configuration files and stated numbers, read into an `Architecture`."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib import resources
from pathlib import Path

from planner.demand.architecture import Architecture, DiffusionPass
from planner.demand.configuration import architecture_from_config
from planner.demand.stated import architecture_from_numbers
from planner.demand.workload import ModelNumbers
from planner.errors import InputError

__all__ = ["known_model", "known_models", "resolve_model"]

_TEXT = {"name", "kind", "norm", "source", "as_of"}
_FLAGS = {"gated_mlp", "tied_embeddings", "qkv_bias", "output_bias", "mlp_bias", "final_norm", "qk_norm"}
_SUFFIXES = (
    "-instruct",
    "-chat",
    "-it",
    "-hf",
    "-fp8",
    "-nvfp4",
    "-fp4",
    "-base",
    "-bf16",
    "-awq",
    "-gptq",
    "-v1",
    "-pretrain",
)
_OWNERS = ("meta-", "google-", "microsoft-", "openai-")


def _architecture(row: Mapping[str, str]) -> Architecture:
    """Read one row of the table of models."""
    diffusion = None
    if row["kind"] == "diffusion":
        diffusion = DiffusionPass(
            pass_flop=float(row["pass_tflop"]) * 1e12,
            reference_pixels=float(row["reference_pixels"]),
            attention_share=float(row["attention_share"]),
            passes_if_guided=int(row["passes_if_guided"]),
            denoiser_parameter_count=float(row["denoiser_parameter_count"]),
            text_encoder_parameter_count=float(row["text_encoder_parameter_count"]),
            decoder_parameter_count=float(row["decoder_parameter_count"]),
            text_token_share=float(row["text_token_share"]),
            block_count=int(row["block_count"]),
            decoder_in_fp32=row["decoder_in_fp32"] == "1",
        )
    values: dict[str, object] = {}
    for field in fields(Architecture):
        text = row.get(field.name, "")
        if not text or field.name in {"diffusion", "notes"}:
            continue
        if field.name in _TEXT:
            values[field.name] = text
        elif field.name in _FLAGS:
            values[field.name] = text == "1"
        else:
            values[field.name] = float(text) if field.name.startswith("stated_") else int(text)
    return Architecture(diffusion=diffusion, **values)  # type: ignore[arg-type]


@cache
def _rows() -> Mapping[str, Mapping[str, str]]:
    text = resources.files("planner").joinpath("facts", "models.csv").read_text(encoding="utf-8")
    return {row["name"]: row for row in csv.DictReader(text.splitlines())}


@cache
def _names() -> Mapping[str, str]:
    """Return every name and alias, in its plain form, with the name of its row."""
    names: dict[str, str] = {}
    for name, row in _rows().items():
        for alias in (name, *row["aliases"].split()):
            plain = _plain(alias)
            if names.setdefault(plain, name) != name:
                raise ValueError(f"model name {alias!r} stands for {names[plain]!r} and {name!r}")
    return names


def _plain(name: str) -> str:
    """Return a name without owner, case, punctuation and the endings that do not change the architecture."""
    text = name.strip().lower().rsplit("/", 1)[-1].replace("_", "-").replace(" ", "-")
    text = text.replace("meta-llama", "llama")
    for owner in _OWNERS:
        text = text.removeprefix(owner)
    before = ""
    while before != text:
        before = text
        for suffix in _SUFFIXES:
            text = text.removesuffix(suffix)
        text = re.sub(r"-(instruct|chat)?-?(20)?\d{4}$", "", text)
    return re.sub(r"[^a-z0-9.]", "", re.sub(r"^llama(\d)", r"llama-\1", text))


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
    plain = _plain(name)
    found = _names().get(plain)
    if found is None:
        near = [_names()[key] for key in difflib.get_close_matches(plain, _names(), n=5, cutoff=0.5)]
        raise InputError(
            f"unknown model {name!r}",
            hint=(f"did you mean {', '.join(dict.fromkeys(near))}? " if near else "")
            + "`gpuplan models` lists them; a config.json or the numbers ({parameters_b: 7, ...}) are read too.",
            where="model",
        )
    return _architecture(_rows()[found])


def resolve_model(model: str | ModelNumbers | None, *, folder: Path | None = None) -> Architecture:
    """Read what the workload calls its model.

    Parameters
    ----------
    model : str, ModelNumbers or None
        A known name, a path to a Hugging Face ``config.json`` (or to its folder), or the numbers themselves.
    folder : Path, optional
        Where relative paths start: the workload file's own folder.

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
        return architecture_from_numbers(model)
    path = Path(model).expanduser()
    if folder is not None and not path.is_absolute() and (folder / path).exists():
        path = folder / path
    if model.endswith(".json") or (path.is_dir() and (path / "config.json").is_file()):
        return architecture_from_config(path / "config.json" if path.is_dir() else path)
    return known_model(model)
