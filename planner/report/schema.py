"""The schema of a plan's JSON: what a script may rely on."""

from __future__ import annotations

from typing import Any

from planner.options.option import OptionKind
from planner.report.values import SCHEMA_VERSION

__all__ = ["plan_schema"]

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
DATE: Schema = {"type": "string", "format": "date"}
NUMBER: Schema = {"type": "number"}
MAYBE: Schema = {"type": ["number", "null"]}
COUNT: Schema = {"type": "integer", "minimum": 0}
SHARE: Schema = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
MONEY: Schema = {"type": ["number", "null"], "minimum": 0}
TEXTS: Schema = {"type": "array", "items": TEXT}


def _object(properties: Schema, optional: Schema | None = None, **rest: Any) -> Schema:  # noqa: ANN401  further keywords of JSON Schema
    """Return an object with these keys required, and others that may be there; more keys may come in later versions."""
    return {"type": "object", "properties": properties | (optional or {}), "required": list(properties), **rest}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


RANGE = _object({"low": NUMBER, "typical": NUMBER, "high": NUMBER})
PERFORMANCE = _object(
    {
        "tokens_per_s": MAYBE,
        "ttft_ms": MAYBE,
        "tpot_ms": MAYBE,
        "step_s": MAYBE,
        "mfu_share": SHARE,
        "bound": TEXT,
        "basis": TEXT,
        "evidence": TEXT,
        "rate_per_s": RANGE,
        "rate_unit": TEXT,
        "ttft_range_ms": _maybe(RANGE),
        "tpot_range_ms": _maybe(RANGE),
    }
)
COST = _object(
    {
        "present_value_usd": MAYBE,
        "usd_per_month": MAYBE,
        "usd_per_useful_gpu_hour": MONEY,
        "usd_per_million_tokens": MONEY,
        "usd_per_thousand_images": MONEY,
    }
)
OPTION = _object(
    {
        "id": TEXT,
        "kind": {"enum": [kind.value for kind in OptionKind]},
        "provider": TEXT,
        "region": TEXT,
        "instance_type": TEXT,
        "accelerator": {"type": ["string", "null"], "description": "canonical name; null without one"},
        "accelerator_count": {"type": "number", "minimum": 0, "description": "in one instance"},
        "instance_count": {**COUNT, "description": "whole machines"},
        "accelerators_total_count": {"type": "number", "minimum": 0, "description": "in all instances together"},
        "purchase_option": TEXT,
        "price_usd_per_hour": {**MONEY, "description": "of one instance"},
        "paid_hours_per_month": {
            "type": "number",
            "minimum": 0,
            "description": "machine hours, all instances together",
        },
        "hours_per_run": {**MAYBE, "description": "clock hours of one run of a job"},
        "utilisation_share": {**SHARE, "description": "busy share of the paid hours"},
        "needed_share": {**SHARE, "description": "share of the clock hours in which the machines are needed"},
        "performance": _maybe(PERFORMANCE),
        "cost": COST,
        "kwh_per_month": MONEY,
        "co2e_kg_per_month": MONEY,
        "priced_on": DATE,
        "source": TEXT,
        "choosable": {"type": "boolean", "description": "whether the verdict may recommend it"},
        "reason_not_chosen": TEXT,
        "notes": TEXTS,
        "book": {"type": ["object", "null"], "description": "what the timeline was made from, besides the assumptions"},
    }
)
BREAK_EVEN = _object(
    {
        "rent_id": TEXT,
        "buy_id": TEXT,
        "month": {**MAYBE, "description": "from which on owning stays cheaper, in today's money; null means never"},
        "undiscounted_month": MAYBE,
        "utilisation_share": {**SHARE, "description": "above which owning is cheaper; null means at none"},
        "price_usd_per_hour": {**MONEY, "description": "rent of one instance at which both cost the same"},
        "saving_usd": NUMBER,
        "crossings": _list(_object({"at": NUMBER, "cheaper_after": {"enum": ["rent", "buy"]}})),
    }
)
ASSUMPTION = _object(
    {
        "name": TEXT,
        "value": NUMBER,
        "low": NUMBER,
        "high": NUMBER,
        "unit": TEXT,
        "source": TEXT,
        "as_of": TEXT,
        "weak": {"type": "boolean"},
        "overridden": {"type": "boolean"},
    }
)


FIGURES: Schema = {"type": "object", "additionalProperties": NUMBER}
SECOND_OPINION = _object(
    {
        "tool": TEXT,
        "version": TEXT,
        "engine": TEXT,
        "request_count": COUNT,
        "theirs": FIGURES,
        "ours": FIGURES,
        "ratio": FIGURES,
        "reason": TEXT,
        "warning": TEXT,
    },
    description="what another program says of the verdict's machines; there only where it was asked for",
)


def plan_schema() -> Schema:
    """Return the JSON Schema of what ``gpuplan plan --format json`` writes."""
    return {
        "title": "gpuplan plan",
        **_object(
            {
                "schema_version": {"const": SCHEMA_VERSION},
                "program": TEXT,
                "planned_on": DATE,
                "title": TEXT,
                "workload": {"type": "object"},
                "horizon_months": COUNT,
                "runs_once": {"type": "boolean", "description": "whether the work is a job that is run once"},
                "model": TEXT,
                "requirements": {"type": "object"},
                "verdict": _object(
                    {
                        "needs_gpu": {"type": "boolean"},
                        "choice": {"enum": [*(kind.value for kind in OptionKind), "none"]},
                        "option_id": TEXT,
                        "headline": TEXT,
                        "because": TEXTS,
                    }
                ),
                "options": _list(OPTION),
                "options_found_count": COUNT,
                "break_evens": _list(BREAK_EVEN),
                "timelines": _list(_object({"option_id": TEXT, "usd_by_month": _list(NUMBER)})),
                "sensitivity": {"type": "array"},
                "risk": {"type": ["object", "null"]},
                "assumptions": _list(ASSUMPTION),
                "funnel": _list(_object({"name": TEXT, "offer_count": COUNT})),
                "notes": TEXTS,
                "price_history": _list(
                    _object({"option_id": TEXT, "points": _list(_object({"day": DATE, "usd_per_hour": NUMBER}))})
                ),
                "provenance": _object({"snapshot": TEXT, "oldest_price_on": DATE, "newest_price_on": DATE}),
            },
            optional={"second_opinion": SECOND_OPINION},
        ),
    }
