"""Drafts: what a file says of a workload and of its machines, what it does not say, and both as a workload file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from planner.demand.fields import fields_of
from pricing.errors import PricingError
from pricing.facts.accelerators import resolve, resolve_all
from pricing.facts.instances import machine_type

COMMENT_AT = 32
WANTED = {"finetune": ("tokens_m",), "gpu_hours": ("gpu", "count", "hours_per_month")}
"""Keys that are asked for although they have a default: a wrong guess would cost most."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What was read.

    Attributes
    ----------
    kind : str
        Kind of work.
    shared : mapping
        Keys that every kind has (``model``, ``precision``, ``constraints``).
    work : mapping
        Keys of the kind's own section.
    remarks : tuple of str
        What else the file says and a reader should know.
    """

    kind: str
    shared: Mapping[str, Any] = field(default_factory=dict)
    work: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def missing(self) -> dict[str, str]:
        """Keys of the kind that have to be filled in, by their dotted place, and what they mean."""
        asked = {}
        for _, group in fields_of(self.kind):
            for key_field in group:
                section, _, key = key_field.name.rpartition(".")
                has = key in self.work if section == self.kind else key_field.name in self.shared
                is_model = key_field.name == "model" and self.kind != "gpu_hours"
                wanted = (
                    key_field.is_required or is_model or (section == self.kind and key in WANTED.get(self.kind, ()))
                )
                if wanted and not has and section in {"", self.kind}:
                    asked[key_field.name] = key_field.about
        return asked


def draft_text(draft: Draft, source: str) -> str:
    """Return a draft as a workload file; keys that are missing stand there without a value.

    Parameters
    ----------
    draft : Draft
        What was read.
    source : str
        The file that it was read from.
    """
    missing = draft.missing
    lines = [f"# A workload for `gpuplan plan`, from {_one_line(source)}."]
    lines += [f"# {_one_line(remark)}" for remark in draft.remarks]
    if missing:
        lines.append(f"# Fill in: {', '.join(missing)}.")
    lines.append(f"kind: {draft.kind}")
    if "model" in missing:
        lines.append(_asked("model", missing["model"], 0))
    lines += _given(draft.shared, 0)
    lines.append(f"{draft.kind}:")
    lines += [_asked(name.rpartition(".")[2], about, 2) for name, about in missing.items() if "." in name]
    lines += _given(draft.work, 2)
    return "\n".join(lines) + "\n"


def _given(values: Mapping[str, Any], indent: int) -> list[str]:
    return [f"{' ' * indent}{key}: {_value_text(value)}" for key, value in values.items()]


def _value_text(value: object) -> str:
    """Return a value as YAML in one line."""
    return yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=10_000).strip()[1:-1]


def _asked(key: str, about: str, indent: int) -> str:
    start = f"{' ' * indent}{key}:"
    return f"{start:<{COMMENT_AT}}# fill in: {_one_line(about)}"


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def gpu_named(text: str) -> str:
    """Return an accelerator as a workload names it; the text itself where several or none are called so.

    Examples
    --------
    >>> gpu_named("NVIDIA-H100-80GB-HBM3"), gpu_named("nvidia-tesla-t4"), gpu_named("h100")
    ('H100-SXM', 'T4', 'H100')
    """
    word = re.sub(r"^nvidia[-_]?(tesla[-_])?", "", text.strip(), flags=re.IGNORECASE)
    for spelling in (text, word):
        try:
            return resolve(spelling)[0].name
        except PricingError:
            continue
    return word.upper()


def gpus_of_machine(name: str) -> tuple[str, float] | None:
    """Return the accelerator of a cloud's machine type, and how many are in it; None for one without, or unknown."""
    accelerator_and_count = machine_type(name)
    return None if accelerator_and_count is None else (accelerator_and_count[0].name, accelerator_and_count[1])


def draft_of_machines(
    machines: Iterable[tuple[str, float]], remarks: Iterable[str] = (), hours: float | None = None
) -> Draft:
    """Return GPU hours out of accelerators and how many there are.

    Parameters
    ----------
    machines : iterable of (str, float)
        Accelerators by name; the most numerous sort becomes the workload, the others a remark.
    remarks : iterable of str
        What else is known.
    hours : float, optional
        Hours a month in which they are used.
    """
    counts: dict[str, float] = {}
    for name, count in machines:
        counts[name] = counts.get(name, 0.0) + count
    sorts = sorted(counts.items(), key=lambda item: -item[1])
    work: dict[str, object] = {}
    notes = list(remarks)
    if sorts:
        name, count = sorts[0]
        if name:
            work["gpu"] = name
            notes += [f"Several accelerators are called {name}: say which."] if _is_vague(name) else []
        work["count"] = max(1, round(count))
        notes += [f"Not counted here: {other_count:g} x {other}." for other, other_count in sorts[1:]]
    if hours is not None:
        work["hours_per_month"] = min(round(hours, 2), 730.0)
    return Draft("gpu_hours", {}, work, tuple(notes))


def _is_vague(name: str) -> bool:
    try:
        return len(resolve_all(name)) > 1
    except PricingError:
        return True
