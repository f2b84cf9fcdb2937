"""The form of a workload: its fields come from the schema of the workload file, so that both ask for the same."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from planner.assumptions import default_assumptions
from planner.demand.fields import fields_of
from planner.document import Document
from planner.errors import InputError
from planner.inputs import document_of

KIND_WORDS = {
    "serve": "serve answers",
    "batch": "answer a batch",
    "embed": "embed documents",
    "finetune": "fine-tune a model",
    "pretrain": "train a model",
    "diffusion": "generate images",
    "transcribe": "transcribe speech",
    "video": "generate video",
    "gpu_hours": "plain GPU hours",
}
ASSUMPTIONS = (
    "site.colocation.electricity_usd_per_kwh",
    "site.colocation.usd_per_kw_month",
    "own.lead_time_months",
    "own.life_months",
    "own.resale_after_36_months_share",
    "money.discount_rate_share_per_year",
    "rent.price_change_share_per_year",
)
"""Assumptions with a field of their own; the others are set by name."""
MOST_SETTINGS = 100


@cache
def values_of_template(kind: str) -> Mapping[str, str]:
    """Return what the form shows before anyone has typed: the workload that `gpuplan init` writes."""
    text = files("planner").joinpath(f"templates/{kind}.yaml").read_text(encoding="utf-8")
    content = document_of(text, kind).content
    flat: dict[str, str] = {"kind": kind}
    for key, value in content.items():
        section = value if isinstance(value, dict) else {"": value}
        for inner, item in section.items():
            text = ", ".join(map(str, item)) if isinstance(item, list) else str(item)
            flat[f"{key}.{inner}".rstrip(".")] = text
    return flat


def document_from(values: Mapping[str, str]) -> Document:
    """Return the workload that a form states.

    Parameters
    ----------
    values : mapping of str to str
        The form, by the names of its fields; ``yaml`` stands instead of all others where it is filled.

    Raises
    ------
    InputError
        No known kind of work, or YAML that cannot be read.
    """
    if values.get("yaml", "").strip():
        return document_of(values["yaml"], "workload")
    kind = values.get("kind", "")
    if kind not in KIND_WORDS:
        raise InputError(f"no kind of work is called {kind[:40]!r}", where="kind", hint=", ".join(KIND_WORDS))
    content: dict[str, Any] = {"kind": kind}
    for _, fields in fields_of(kind):
        for field in fields:
            if text := values.get(field.name, "").strip():
                words = [word.strip() for word in text.split(",") if word.strip()]
                section, _, inner = field.name.rpartition(".")
                (content.setdefault(section, {}) if section else content)[inner] = words if field.is_list else text
    return Document(content, "form", {})


def settings_from(values: Mapping[str, str]) -> dict[str, float]:
    """Return the assumptions that a form sets.

    Raises
    ------
    InputError
        A line that is no ``NAME=VALUE``, or a value that is not a number; unknown names are found later.
    """
    lines = [f"{name}={values[f'set.{name}']}" for name in ASSUMPTIONS if values.get(f"set.{name}", "").strip()]
    lines += [line for line in values.get("more", "").splitlines() if line.strip()]
    if len(lines) > MOST_SETTINGS:
        raise InputError(f"more than {MOST_SETTINGS} assumptions are set", where="form")
    settings = {}
    for line in lines:
        name, equals, text = (part.strip() for part in line.partition("="))
        try:
            row = default_assumptions().rows.get(name)
            settings[name] = float(row.choices.index(text)) if row and text in row.choices else float(text)
        except ValueError:
            raise InputError(
                f"NAME=VALUE with a number was expected, got {line[:80]!r}", where="form", hint="own.pue_ratio=1.2"
            ) from None
        if not equals:
            raise InputError(f"NAME=VALUE was expected, got {line[:80]!r}", where="form")
    unknown = [name for name in settings if name not in default_assumptions()]
    if unknown:
        default_assumptions().override(dict.fromkeys(unknown, 0.0), "form")
    return settings
