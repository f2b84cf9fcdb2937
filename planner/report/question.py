"""The question of a plan: every value in force in words, which of them are defaults, and the command that asks it again."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from planner.assumptions import CHOICES, default_assumptions, value_text
from planner.demand.fields import Field, fields_of
from planner.demand.have import SITES
from planner.demand.work import Finetune
from planner.demand.workload import Workload, type_of_kind
from planner.options.energy import own_place
from planner.report.figures import count, percent
from planner.report.live import financing_of_plan
from planner.report.words import KIND_WORDS, label, unit_of

if TYPE_CHECKING:
    from planner.report.schema.plan import Default, PlanRecord


PHRASES = {
    "requests_per_s": "{} requests/s",
    "peak_requests_per_s": "peak {} requests/s",
    "input_tokens": "{} input tokens",
    "output_tokens": "{} output tokens",
    "traffic": "lengths vary as in {} traffic",
    "limit_percentile": "limits met by {} % of requests",
    "arrival_cv": "arrivals vary by {} of their mean",
    "tokens_per_document": "{} tokens per document",
    "tokens_b": "{} billion tokens",
    "tokens_m": "{} million tokens",
    "epochs": "{} epochs",
    "requests": "{} requests",
    "documents": "{} documents",
    "documents_per_request": "{} documents per request",
    "concurrency": "{} users in a closed loop",
    "max_num_seqs": "at most {} requests at once in a replica",
    "images_per_request": "{} images per request",
    "images_per_day": "{} images/day",
    "audio_hours": "{} hours of audio",
    "clips_per_day": "{} clips/day",
    "gpu": "{}",
    "count": "{} GPUs at the same time",
    "gpu_count": "on {} GPUs",
    "hours_per_month": "{} hours a month",
    "countries": "in {}",
    "regions": "in {}",
    "providers": "from {}",
    "gpus": "on {}",
    "profile": "{} demand",
    "steps": "{} steps",
    "runs_per_month": "{} runs a month",
    "global_batch_tokens_m": "global batch of {} million tokens",
    "place": "owned servers in {}",
    "spare_replicas": "{} spare replicas",
    "min_replicas": "at least {} replicas",
    "max_replicas": "at most {} replicas",
    "target_requests_per_s": "at most {} requests/s per replica",
    "start_minutes": "{} minutes to start a replica",
    "drafted_tokens": "{} speculative tokens",
    "prefix_cache_hit_share": "{} prefix cache hits",
}
"""How a key is said in one phrase with its value; others as their label and the value."""
SAYS_NOTHING: tuple[Any, ...] = ("", False, "any", [], {}, None)
"""Defaults of constraints that constrain nothing."""


def _flat(workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a workload by the dotted places of their keys; the model's numbers and other parts stay whole."""
    sections = {*type_of_kind, "constraints", "own"}
    flat: dict[str, Any] = {}
    for key, value in workload.items():
        if key in sections and isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        elif key != "kind":
            flat[key] = value
    return flat


def defaults_of(stated: Workload, filled: Workload) -> list[Default]:
    """Return the values in force that nobody stated.

    Parameters
    ----------
    stated : Workload
        As the user wrote it.
    filled : Workload
        With what was filled in for what is not stated.
    """
    typed = _flat(stated.model_dump(mode="json", exclude_unset=True))
    in_force = _flat(filled.model_dump(mode="json", exclude_none=True))
    if filled.own.site is None:
        in_force.pop("own.country", None)  # the place itself names it
    if isinstance(filled.work, Finetune) and filled.work.trains == "full":
        in_force.pop("finetune.rank", None)  # there is no adapter
    in_force["own.place" if filled.own.site is None else "own.country"] = own_place(filled)
    return [
        {"key": key, "value": value}
        for key, value in in_force.items()
        if key not in typed and not (key.startswith("constraints.") and value in SAYS_NOTHING) and not _is_empty(value)
    ]


def _is_empty(value: object) -> bool:
    """Tell whether a value holds nothing, in none of its parts."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else None
    return parts is not None and all(part is None or _is_empty(part) for part in parts)


def _value_text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return count(value)
        case list() | tuple():
            return " or ".join(map(_value_text, value))
        case dict():
            return ", ".join(f"{label(key).lower()} {_value_text(item)}" for key, item in value.items())
        case _:
            return str(value).replace("_", " ") if str(value).islower() and " " not in str(value) else str(value)


def _have_phrase(have: Mapping[str, Any]) -> str:
    """Say what is paid for already."""
    said = [
        f"{part['count']:,} {part['gpu']} owned, {_value_text(part.get('place') or 'colocation')}"
        for part in have.get("owned") or ()
    ]
    said += [
        f"{part.get('count') or 1:,} {part['instance_type']} at {part['provider']} committed to until {part['until']}"
        for part in have.get("committed") or ()
    ]
    said += [
        f"a credit of {part['usd']:,.0f} USD at {part['provider']} until {part['expires']}"
        for part in have.get("credits") or ()
    ]
    said += [
        f"a quote of {part['provider']} for {part['gpu']}, "
        f"{part.get('price_per_gpu_hour') or part.get('price_per_server'):,.6g} {part.get('currency') or 'USD'} per {'GPU-hour' if part.get('price_per_gpu_hour') else 'server'}, until {part['expires']}"
        for part in have.get("quotes") or ()
    ]
    return f"with {'; '.join(said)}"


def _lengths_phrase(name: str, lengths: Mapping[str, Any]) -> str:
    """Say how many tokens requests have, by their mean or by quantiles."""
    stated = {key: count(value) for key, value in lengths.items() if value is not None}
    if "mean" in stated:
        spread = f" (coefficient of variation {stated['cv']})" if "cv" in stated else ""
        return f"{PHRASES[name].format(stated['mean'])} on average{spread}"
    return PHRASES[name].format(" / ".join(stated.values())) + f" ({' / '.join(stated)})"


def _phrase(key: str, value: Any) -> str:  # noqa: ANN401 - a YAML value
    if key == "have":
        return _have_phrase(value)
    name = key.rpartition(".")[2]
    if name in {"input_tokens", "output_tokens"} and isinstance(value, Mapping):
        return _lengths_phrase(name, value)
    if name == "limit_percentile" and not isinstance(value, int | float):
        return "limits met on average"
    if name == "min_replicas" and not value:
        return "scaled to zero when idle"
    text = str(value) if name in {"gpu", "model"} else _value_text(value)
    if name in PHRASES:
        phrase = PHRASES[name].format("no" if value == 0 else percent(value) if name.endswith("_share") else text)
        return re.sub(r"^1 ((?:spare |input |output |speculative )?\w+)s\b", r"1 \1", phrase)
    unit = unit_of(name)
    words = label(name).partition(" (")[0]
    words = words if words[:2].isupper() else words[:1].lower() + words[1:]
    if isinstance(value, bool) or value == 0:
        return words if value else f"no {words}" if not isinstance(value, bool) else f"not {words}"
    if text == "1" and unit in {"days", "months"}:
        unit = unit[:-1]
    return f"{words} {text}{f' {unit}' if unit and not unit.startswith('/') else ''}"


def title_of(workload: Workload, model: str) -> str:
    """Return what was asked, in one line: the kind of work, the model, and what is stated of the work.

    Examples
    --------
    >>> work = {"kind": "gpu_hours", "gpu_hours": {"gpu": "h100-sxm", "count": 8, "hours_per_month": 438}}
    >>> title_of(Workload.model_validate(work), "")
    'GPU hours: h100-sxm, 8 GPUs at the same time, 438 hours a month'
    """
    name = workload.model if isinstance(workload.model, str) else model
    stated = workload.work.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    head = f"{KIND_WORDS.get(workload.kind, workload.kind)} {name}".strip()
    return f"{head}: {', '.join(_phrase(key, value) for key, value in stated.items())}"


def question_of(record: PlanRecord) -> tuple[str, str]:
    """Return the question of a plan with all that is stated, and the defaults in force.

    Parameters
    ----------
    record : PlanRecord
        The plan.
    """
    defaults = {row["key"]: row["value"] for row in record.get("defaults") or ()}
    more = [
        _phrase(key, value)
        for key, value in _flat(record["workload"]).items()
        if key not in defaults
        and key.partition(".")[0] not in type_of_kind
        and not key.startswith("model")
        and value not in SAYS_NOTHING
        and not _is_empty(value)
        and not (key == "own.country" and (record["workload"].get("own") or {}).get("place") not in SITES)
        and "defaults" in record
    ]
    if "serve.traffic" in defaults:  # it says how lengths vary
        defaults = {key: _mean_alone(value) for key, value in defaults.items()}
    question = ", ".join([record["title"], *more, *_money_phrases(record)])
    return question, ", ".join(_phrase(key, value) for key, value in defaults.items())


def _mean_alone(value: object) -> object:
    return value["mean"] if isinstance(value, Mapping) and value.get("mean") and "cv" in value else value


def command_of(workload: Workload, settings: Mapping[str, float], planned_on: date) -> str:
    """Return the command that asks the same question again, of the same day.

    Parameters
    ----------
    workload : Workload
        As stated.
    settings : mapping of str to float
        Assumptions that the user has set.
    planned_on : date
        The day.

    Examples
    --------
    >>> work = {"kind": "gpu_hours", "gpu_hours": {"gpu": "h100-sxm", "count": 8}, "horizon_months": 24}
    >>> command_of(Workload.model_validate(work), {"rent.pue_ratio": 1.2}, date(2026, 11, 26))
    'gpuplan plan gpu_hours --gpu h100-sxm --count 8 --horizon 24 --set rent.pue_ratio=1.2 --as-of 2026-11-26'
    """
    stated = _flat(workload.model_dump(mode="json", exclude_unset=True, exclude_none=True))
    words = ["gpuplan", "plan", workload.kind]
    fields_by_name = {field.name: field for _, fields in fields_of(workload.kind) for field in fields}
    for key, value in sorted(stated.items(), key=lambda item: item[0] != "model"):
        if key in fields_by_name:
            words += _option_words(fields_by_name[key], value)
    words += [word for name, value in settings.items() for word in ("--set", f"{name}={_setting(name, value)}")]
    return shlex.join([*words, "--as-of", planned_on.isoformat()])


def _setting(name: str, value: float) -> str:
    """Return the value of an assumption as it is set: a word where it has words."""
    unit = default_assumptions().rows[name].unit
    return value_text(value, unit) if CHOICES in unit else f"{value:.12g}"


def _money_phrases(record: PlanRecord) -> list[str]:
    """Say how hardware is paid and what tax is counted, where it is not cash before tax."""
    row = {
        assumption["name"]: value_text(assumption["value"], assumption["unit"]) for assumption in record["assumptions"]
    }
    financing = financing_of_plan(record)
    said = []
    if financing.kind != "cash":
        rate = 100.0 * float(row.get("money.loan_rate_share_per_year", "0"))
        months = float(row.get("money.loan_months", "0"))
        over = f" in {months:g} months" if months else " over the hardware's life"
        how = "leased" if financing.kind == "lease" else f"paid by a loan{over}"
        said.append(f"owned hardware {how} at {rate:g} % a year")
    if financing.depreciation:
        years = "" if financing.depreciation in {"macrs5", "bonus"} else f" over {financing.years} years"
        method = METHODS[financing.depreciation]
        said.append(f"costs after {percent(float(row['money.tax_share']))} tax")
        if financing.kind != "lease":
            said[-1] += f" (hardware written off {method}{years})"
    return said


METHODS = {
    "straight_line": "in equal parts",
    "declining_balance": "by declining balance",
    "sum_of_years": "by the sum of the years' digits",
    "macrs5": "by MACRS, 5-year property",
    "bonus": "in the first year",
}


def _option_words(field: Field, value: Any) -> Iterator[str]:  # noqa: ANN401 - a YAML value
    if isinstance(value, bool):
        yield field.option if value else f"--no-{field.option[2:]}"
        return
    if field.is_list and len(value) and field.short_option in {"--provider", "--region", "--country"}:
        for name in value:  # these take one name name
            yield from (field.short_option, str(name))
        return
    yield field.short_option
    match value:
        case int() | float():
            letter = {"_b": "B", "_m": "M"}.get(field.key[-2:], "") if field.short_option == "--tokens" else ""
            yield f"{value:.12g}{letter}"
        case list() | tuple():
            yield ",".join(map(str, value))
        case dict():
            yield json.dumps(value)
        case _:
            yield str(value)
