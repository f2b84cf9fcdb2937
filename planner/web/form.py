"""The form of a workload as HTML, from the schema of the workload file; it works without a script and keeps what was typed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from planner.assumptions import default_assumptions, stated_values
from planner.demand.fields import Field, fields_of
from planner.demand.models import known_models
from planner.errors import InputError
from planner.inputs.faults import Document
from planner.inputs.reading import document_of
from planner.report.words import assumption_label, label

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
    return stated_values(lines, "form", hint="site.colocation.pue_ratio=1.2")


DOWNLOADS = {"xlsx": "Workbook", "html": "Page", "json": "Data", "md": "Text", "csv": "Table"}
"""Forms that the page hands out, by the ending of the file."""

IN_A_FILE = {"have", "discounts"}
"""Keys that hold several values each: a pasted workload file states them."""
TYPED = {
    "model": "llama-3.1-70b",
    "gpu": "h100-sxm",
    "precision": "fp8, bf16",
    "kv_precision": "fp8",
    "providers": "aws, gcp",
    "exclude_providers": "azure",
    "countries": "DE, FR or EU",
    "country": "DE",
    "regions": "us-east-1",
    "gpus": "h100-sxm, b200",
    "purchase": "on_demand, spot",
    "max_gpus": "64",
    "max_usd_per_month": "20k",
    "max_capex_usd": "300k",
    "place": "home, colocation or own_room",
}
"""What may be typed into a field that is empty, by its key."""
LONGEST_LINK = 4000
"""Characters of a link that every browser and chat takes."""
FLAGS = {"true": "yes", "false": "no"}


def form(values: Mapping[str, str], *, fault: str = "", is_planned: bool = False) -> str:
    """Return the form, filled.

    Parameters
    ----------
    values : mapping of str to str
        What was typed, with ``kind``.
    fault : str
        What has to be mended.
    is_planned : bool
        Whether a plan stands below, so that it can be downloaded and the form is folded.
    """
    kind = values.get("kind", "serve")
    kind = kind if kind in KIND_WORDS else "serve"
    parts = "".join(
        f"<fieldset><legend>{escape(title)}</legend><div class=grid>{''.join(_field(field, values) for field in fields if field.name not in IN_A_FILE)}</div></fieldset>"
        for title, fields in fields_of(kind)
    )
    said = f'<p class="fault" role="alert">{escape(fault)}</p>' if fault else ""
    downloads = "".join(
        f'<button formaction="download/plan.{ending}">{words} (.{ending})</button> '
        for ending, words in DOWNLOADS.items()
    )
    link = _link(values) if is_planned else ""
    buttons = f'<p class="buttons"><button class="main">Plan</button> {downloads if is_planned else ""}</p>'
    body = f"{parts}{_assumptions(values)}{_yaml(values)}"
    if is_planned:
        body = f"<details><summary>Change the workload</summary>{body}</details>"
    return (
        f'<form class="workload" method="post" action="plan" aria-label="Workload" novalidate>{kinds(kind)}{said}'
        f'<input type="hidden" name="kind" value="{kind}">{body}{buttons}{link}{_models()}</form>'
    )


def _link(values: Mapping[str, str]) -> str:
    """Return a link that opens the form with this question in it; too long a question has none."""
    query = urlencode({name: value for name, value in values.items() if value.strip()})
    if len(query) > LONGEST_LINK:
        return ""
    return f'<p><a href="./?{escape(query, quote=True)}">Link to this question</a></p>'


def kinds(chosen: str) -> str:
    """Return links to the forms of all kinds of work."""
    links = " ".join(
        f'<a href="./?kind={kind}"{" aria-current=page" if kind == chosen else ""}>{escape(words)}</a>'
        for kind, words in KIND_WORDS.items()
    )
    return f'<nav class="kinds" aria-label="Kind of work">{links}</nav>'


def _field(field: Field, values: Mapping[str, str]) -> str:
    name = escape(field.name, quote=True)
    value = values.get(field.name, "")
    need = " required" if field.is_required else ""
    choices = ("true", "false") if field.kind == "flag" else () if field.is_list else field.choices
    if choices:
        options = "".join(
            f'<option{" selected" if value == choice else ""} value="{escape(choice, quote=True)}">{escape(FLAGS.get(choice, choice).replace("_", " "))}</option>'
            for choice in (*(() if field.is_required else ("",)), *choices)
        )
        control = f'<select id="{name}" name="{name}"{need}>{options}</select>'
    else:
        listed = ' list="models"' if field.name == "model" else ""
        example = f"e.g. {TYPED[field.key]}" if field.key in TYPED else ""
        mode = ' inputmode="decimal"' if field.kind == "number" else ""
        control = f'<input id="{name}" name="{name}" value="{escape(value, quote=True)}" maxlength="300" autocomplete="off" placeholder="{escape(example, quote=True)}"{mode}{listed}{need}>'
    return f'<div title="{escape(field.about, quote=True)}"><label for="{name}">{escape(label(field.key))}</label>{control}</div>'


def _assumptions(values: Mapping[str, str]) -> str:
    rows = []
    for name in ASSUMPTIONS:
        assumption = default_assumptions().rows[name]
        key = escape(f"set.{name}", quote=True)
        typed = escape(values.get(f"set.{name}", ""), quote=True)
        rows.append(
            f'<div><label for="{key}">{escape(assumption_label(name))} <small>({escape(assumption.unit)})</small></label>'
            f'<input id="{key}" name="{key}" value="{typed}" placeholder="{assumption.value:g}" inputmode="decimal" maxlength="40"></div>'
        )
    more = escape(values.get("more", ""))
    return (
        f"<details><summary>Assumptions</summary><fieldset><legend>Empty: the default</legend><div class=grid>{''.join(rows)}</div>"
        '<label for="more">Any other assumption, NAME=VALUE, one a line (gpuplan assumptions lists them)</label>'
        f'<textarea id="more" name="more" rows="3" maxlength="4000">{more}</textarea></fieldset></details>'
    )


def _yaml(values: Mapping[str, str]) -> str:
    text = escape(values.get("yaml", ""))
    opened = " open" if text else ""
    return (
        f"<details{opened}><summary>Paste a workload file instead</summary><fieldset><legend>YAML; it is used instead of the fields above, and can also say what you own already (have) and your discounts</legend>"
        f'<label for="yaml">Workload file</label><textarea id="yaml" name="yaml" rows="10" maxlength="40000" spellcheck="false">{text}</textarea>'
        "</fieldset></details>"
    )


@cache
def _models() -> str:
    return f'<datalist id="models">{"".join(f"<option>{escape(name)}</option>" for name in known_models())}</datalist>'
