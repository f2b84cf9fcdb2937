"""The keys of a workload as fields to fill in: what the web form and the options of ``gpuplan plan KIND`` are made from."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel

from planner.demand.workload import OTHER_FORMS, Constraints, Own, Workload, type_of_kind

SHORT_NAMES = {
    "requests_per_s": "rps",
    "input_tokens": "in",
    "output_tokens": "out",
    "ttft_limit_ms": "ttft",
    "tpot_limit_ms": "tpot",
    "total_limit_ms": "total",
    "tokens_m": "tokens",
    "tokens_b": "tokens",
    "gpus": "gpu",
    "hours_per_month": "hours",
}
"""Names that are shorter than the key. ``--tokens`` counts single tokens, whatever the key's own unit."""
SHARED_NAMES = {
    "horizon_months": "horizon",
    "constraints.providers": "provider",
    "constraints.regions": "region",
    "constraints.countries": "country",
    "constraints.purchase": "purchase",
}
"""Keys that have an option whether the workload is a file or a line."""


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a workload.

    Attributes
    ----------
    name : str
        Dotted place in the workload file (``serve.requests_per_s``).
    kind : str
        ``number``, ``text``, ``choice`` or ``flag``.
    choices : tuple of str
        Of a choice.
    is_list : bool
        Whether several may be named.
    is_required : bool
        Whether the work cannot be planned without it.
    about : str
        What it is, as the schema's own documentation has it.
    short : str
        A shorter name of its option; empty where there is none.
    """

    name: str
    kind: str
    choices: tuple[str, ...] = ()
    is_list: bool = False
    is_required: bool = False
    about: str = ""
    short: str = ""

    @property
    def key(self) -> str:
        """The last part of the name."""
        return self.name.rpartition(".")[2]

    @property
    def option(self) -> str:
        """The option of the key: its own words, after those of a section that is neither the work's nor the constraints'."""
        section = self.name.rpartition(".")[0]
        prefix = "" if section in {"", "constraints", *type_of_kind} else f"{section}-"
        return "--" + SHARED_NAMES.get(self.name, prefix + self.key).replace("_", "-")

    @property
    def short_option(self) -> str:
        """The shortest option of the key."""
        return f"--{self.short}" if self.short else self.option


def _arms(annotation: object) -> Iterator[Any]:
    """Return the plain types that an annotation allows."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _arms(get_args(annotation)[0])
    elif origin in {Union, types.UnionType}:
        for arm in get_args(annotation):
            yield from _arms(arm)
    elif annotation is not type(None):
        yield annotation


def _choices(arm: object) -> tuple[str, ...]:
    if get_origin(arm) is Literal:
        return tuple(map(str, get_args(arm)))
    return tuple(member.value for member in arm) if isinstance(arm, type) and issubclass(arm, Enum) else ()


@cache
def _documented(model: type[BaseModel]) -> Mapping[str, str]:
    """Return what the docstring says of each attribute."""
    section = (inspect.getdoc(model) or "").partition("Attributes\n----------\n")[2]
    about = {}
    for names, text in re.findall(r"^(\w[\w, ]*) : .*\n((?:    .*\n?)+)", section, re.MULTILINE):
        about.update(dict.fromkeys(names.split(", "), " ".join(text.split())))
    return about


def _fields(model: type[BaseModel], prefix: str, skip: frozenset[str] = frozenset()) -> Iterator[Field]:
    about = _documented(model)
    for name, info in model.model_fields.items():
        if name in skip:
            continue
        arms = list(_arms(info.annotation))
        inner = [arm for outer in arms if get_origin(outer) is tuple for arm in _arms(get_args(outer)[0])]
        # A number with a word for a special case stays a number.
        is_number = bool({int, float} & set(arms))
        choices = () if is_number else next((words for arm in (*arms, *inner) if (words := _choices(arm))), ())
        kind = "choice" if choices else "flag" if bool in arms else "number" if is_number else "text"
        yield Field(f"{prefix}{name}", kind, choices, bool(inner), info.is_required(), about.get(name, ""))


def _work_fields(kind: str) -> Iterator[Field]:
    """Yield the keys of a kind's section, those of its other form at the end."""
    seen = set()
    for model in (type_of_kind[kind], *OTHER_FORMS.get(kind, ())):
        for field in _fields(cast("type[BaseModel]", model), f"{kind}."):
            if field.name not in seen:
                yield field if model is type_of_kind[kind] else replace(field, is_required=False)
            seen.add(field.name)


@cache
def fields_of(kind: str) -> tuple[tuple[str, tuple[Field, ...]], ...]:
    """Return the fields of a kind of work, by their headings.

    Parameters
    ----------
    kind : str
        A key of `type_of_kind`.
    """
    skip = {"kind", "constraints", "own", *type_of_kind}
    if kind == "gpu_hours":
        skip |= {"model", "precision", "kv_precision"}
    if kind in {"serve", "diffusion", "video", "gpu_hours"}:
        skip |= {"runs_per_month"}
    groups = (
        ("The work", tuple(_work_fields(kind))),
        ("Model and time", tuple(_fields(Workload, "", frozenset(skip)))),
        ("What an option has to respect", tuple(_fields(Constraints, "constraints."))),
        ("If servers are bought", tuple(_fields(Own, "own."))),
    )
    keys = {field.key for _, fields in groups for field in fields}
    short_names = {key: name for key, name in SHORT_NAMES.items() if name not in keys}
    return tuple(
        (title, tuple(replace(field, short=short_names.get(field.key, "")) for field in fields))
        for title, fields in groups
    )
