"""The plan as a record: plain values under keys that carry units; JSON, and what every other form is made from."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING

from planner import __version__
from planner.costs.carbon import grid_intensity
from planner.demand.volume import volume
from planner.errors import InputError
from planner.options.option import Option
from planner.plan import Plan
from planner.report.because import reasons_for
from planner.report.headline import headline
from planner.report.notes import note_text, note_texts
from planner.report.option_words import items_usd
from planner.report.question import command_of, defaults_of, title_of
from planner.report.remarks import remark_text
from planner.report.values import SCHEMA_VERSION, Record, plain
from planner.report.wording import dropped_text, reason_text
from planner.supply.machines import Fleet, Range
from planner.traffic.confirm import Confirmed
from planner.traffic.percentiles import CURVE_PERCENTILES, Limits, Percentiles, Service
from planner.verdict.alternatives import alternatives_of, startable_of
from planner.verdict.remarks import RemarkCode
from pricing.clock import HOURS_PER_MONTH
from pricing.facts.price_history import price_history

if TYPE_CHECKING:
    from planner.report.schema.option import LatencyCurve, TimeName
    from planner.report.schema.plan import PlanRecord


def _typical(value: Range | None) -> float | None:
    return None if value is None else value.typical


def performance_record(fleet: Fleet | None) -> Record | None:
    """Return the figures of speed, typical values and their ranges."""
    if fleet is None:
        return None
    speed = fleet.performance
    return {
        "tokens_per_s": speed.tokens_per_s,
        "ttft_ms": _typical(speed.ttft_ms),
        "tpot_ms": _typical(speed.tpot_ms),
        "step_s": speed.step_s,
        "mfu_share": speed.mfu_share,
        "bound": speed.bound,
        "basis": speed.basis,
        "evidence": note_text(speed.evidence) if speed.evidence else "",
        "rate_per_s": speed.rate_per_s,
        "rate_unit": speed.rate_unit,
        "ttft_range_ms": speed.ttft_ms,
        "tpot_range_ms": speed.tpot_ms,
    }


ONLY_MARKET_PRICES = "no seller's own price is known; what such APIs cost is told with --full"
NONE_OF_THIS_SORT = "none that does this work within the constraints"


def latency_curves(service: Service, limits: Limits) -> list[LatencyCurve]:
    """Return the times within which so many percent of the requests are, of the times that have a limit."""
    times: tuple[tuple[TimeName, Percentiles, float], ...] = (("TTFT", service.ttft_ms, limits.ttft_ms), ("TPOT", service.tpot_ms, limits.tpot_ms), ("total time", service.total_ms, limits.total_ms))  # fmt: skip
    return [
        {"what": what, "limit_ms": limit_ms, "percentiles": list(CURVE_PERCENTILES), "ms": list(waits.curve)}
        for what, waits, limit_ms in times
        if math.isfinite(limit_ms) and waits.curve
    ]


def _percentiles(confirmed: Confirmed | None) -> Record:
    """Return the percentiles of a simulated fleet; nulls of one that was not."""
    service = confirmed.service if confirmed else None
    return {
        **{
            f"{name}_{quantile}_ms": getattr(getattr(service, f"{name}_ms", None), quantile, None)
            for name in ("ttft", "tpot", "total")
            for quantile in ("p50", "p90", "p95", "p99")
        },
        **{
            f"over_{name}_limit_share": getattr(service, f"over_{name}_share", None)
            for name in ("ttft", "tpot", "total")
        },
        "latency_curves": latency_curves(confirmed.service, confirmed.limits) if confirmed else [],
        "limit_percentile": confirmed.limits.percentile if confirmed else None,
        "limits_hold": getattr(service, "holds", None),
        "simulated_replica_count": getattr(confirmed, "replica_count", None),
        "limits_replica_count": getattr(confirmed, "needed_count", None),
        "limits_p99_replica_count": getattr(confirmed, "strictest_count", None),
    }


def _option(option: Option, plan: Plan) -> Record:
    fleet = option.fleet
    speed = performance_record(fleet)
    low, high = plan.cost_ranges.get(option.id, (None, None))

    def figures(names: str) -> Record:
        return {name: getattr(option, name) for name in names.split()}

    memory = fleet.memory if fleet else None
    return {
        **figures("id kind provider region instance_type accelerator accelerator_count instance_count"),
        **figures("spare_instance_count accelerators_total_count"),
        "accelerators_used_count": fleet.accelerators_used if fleet else 0,
        **figures("purchase_option price_usd_per_hour paid_hours_per_month hours_per_run"),
        **figures("utilisation_share needed_share"),
        "layout": fleet.layout if fleet else None,
        "memory": memory
        and {
            "parts_bytes": dict(memory.parts),
            "total_bytes": memory.total_bytes,
            "capacity_bytes": memory.capacity_bytes,
        },
        "performance": speed | _percentiles(plan.confirmed.get(option.id)) if speed else None,
        "cost": {
            **figures("present_value_usd total_usd usd_per_month"),
            "low_usd_per_month": None if low is None else option.usd_per_month * low,
            "high_usd_per_month": None if high is None else option.usd_per_month * high,
            **figures("spare_usd_per_month stages"),
            **figures("usd_per_useful_gpu_hour usd_per_million_tokens usd_per_thousand_images"),
        },
        **figures("kwh_per_month co2e_kg_per_month"),
        "grid": grid_intensity(option.grid_place) if option.grid_place else None,
        "priced_on": option.priced_on,
        "price_age_days": (plan.planned_on - option.priced_on).days,
        "tier": option.tier or None,
        **figures("capex_usd source rest_share rest_id choosable"),
        "reason_not_chosen": reason_text(option.not_recommended[0]) if option.not_recommended else "",
        "not_recommended": [{"code": reason.code, "text": reason_text(reason)} for reason in option.not_recommended],
        "notes": note_texts((*option.notes, *(fleet.notes if fleet else ()))),
        "book": option.book,
    }


def plan_record(plan: Plan, *, top: int | None = None) -> PlanRecord:
    """Return a plan as a record, in JSON's own types.

    Parameters
    ----------
    plan : Plan
        The plan.
    top : int, optional
        How many options to keep; those that the verdict, the break-evens and the next steps name are always kept.
    """
    named = {
        plan.verdict.option_id,
        *(name for pair in plan.break_evens for name in (pair.rent_id, pair.buy_id)),
        *(option.id for option in alternatives_of(plan.options).values() if option),
        *(name for name in (plan.verdict.outdated_id, plan.chosen.rest_id) if name),
        *(name for turn in plan.turns for name in (turn.option_id, turn.then) if name),
    }
    work, said = volume(plan.workload, HOURS_PER_MONTH), reasons_for(plan)
    startable = startable_of(plan.options)
    kept = [o for i, o in enumerate(plan.options) if top is None or i < top or o.id in named or o is startable]
    record: PlanRecord = plain(
        {
            "schema_version": SCHEMA_VERSION,
            "program": f"gpuplan {__version__}",
            "planned_on": plan.planned_on,
            "title": title_of(plan.workload, plan.model),
            "workload": plan.workload.model_dump(mode="json", exclude_none=True),
            "defaults": defaults_of(plan.workload, plan.in_force),
            "currency": {"code": plan.workload.currency, "usd_per_unit": plan.usd_per_unit}
            if plan.usd_per_unit
            else None,
            "horizon_months": plan.horizon_months,
            "runs_once": work.is_job and not work.runs_per_month,
            "model": plan.model,
            "requirements": _requirements(plan),
            "verdict": {
                **_verdict(plan),
                "headline": headline(plan),
                "because": [reason.text for reason in said],
                "reasons": [reason._asdict() for reason in said],
            },
            "options": [_option(option, plan) for option in kept],
            "options_found_count": len(plan.options),
            "break_evens": plan.break_evens,
            "timelines": [
                {
                    "option_id": option.id,
                    "usd_by_month": option.timeline.by_month_usd(),
                    "components_usd": items_usd(option.timeline),
                }
                for option in plan.options
                if option.id in named
            ],
            "sensitivity": plan.uncertainty.sensitivity,
            "risk": plan.uncertainty.risk,
            "assumptions": [
                {key: value for key, value in asdict(row).items() if key not in {"least", "most"}}
                for row in plan.assumptions
            ],
            "funnel": plan.funnel,
            "dropped": plan.dropped,
            "notes": (*([f"left out: {dropped_text(plan.dropped)}"] if plan.dropped else []), *note_texts(plan.notes)),
            "price_history": _price_history(sorted(kept, key=lambda option: option.id not in named)),
            "provenance": plan.provenance,
        }
    )
    return record


HISTORIES_KEPT = 4
"""Lines that one chart can show."""


def _price_history(options: Sequence[Option]) -> list[Record]:
    """Return what the first few of these have cost over time, of those where someone wrote it down."""
    histories = {(*key[:3], key[3].value): points for key, points in price_history().items()}
    named = (
        (option.id, histories.get((option.provider, option.instance_type, option.region, option.purchase_option)))
        for option in options
    )
    return [
        {
            "option_id": name,
            "points": [{"day": point.observed_on, "usd_per_hour": point.price_usd_per_hour} for point in points],
        }
        for name, points in islice(((name, points) for name, points in named if points), HISTORIES_KEPT)
    ]


def _verdict(plan: Plan) -> Record:
    """Return the verdict; what was passed over with its reason in words."""
    passed_over = [
        {"option_id": name, "code": reason.code, "text": reason_text(reason)}
        for name, reason in plan.verdict.passed_over
    ]
    best = alternatives_of(plan.options)
    if best["have"] is None:
        del best["have"]  # nothing is missing where nothing was stated
    missing = {name: NONE_OF_THIS_SORT for name, option in best.items() if option is None}
    if "api" in missing and any(remark.code is RemarkCode.HOSTED for remark in plan.remarks):
        missing["api"] = ONLY_MARKET_PRICES
    return {
        **asdict(plan.verdict),
        "passed_over": passed_over,
        "turns_at": plan.turns,
        "command": command_of(
            plan.workload, {row.name: row.value for row in plan.assumptions if row.overridden}, plan.planned_on
        ),
        "remarks": [{**asdict(remark), "text": remark_text(remark)} for remark in plan.remarks],
        **asdict(plan.variants),
        "alternatives": {**{name: option and option.id for name, option in best.items()}, "reason": missing},
    }


def _requirements(plan: Plan) -> Record:
    """Return what the work takes; bytes of weights and cache in the formats of the verdict's own layout."""
    needs = asdict(plan.requirements)
    by_format, per_token = needs.pop("weight_bytes"), needs.pop("kv_cache_bytes_per_token")
    chosen = next((option for option in plan.options if option.id == plan.verdict.option_id), None)
    layout = chosen.fleet.layout if chosen and chosen.fleet else None
    precision = layout.precision if layout else "bf16"
    cache = (layout.kv_precision if layout else "") or "bf16"
    per_request = (
        plan.requirements.kv_cache_bytes_per_request * per_token.get(cache, 0.0) / (per_token.get("bf16") or 1.0)
    )
    in_flight = layout.micro_batch * layout.data if layout and per_token else 0
    return {
        **needs,
        "notes": note_texts(plan.requirements.notes),
        "weight_bytes": by_format.get(precision),
        "weight_bytes_by_precision": by_format,
        "kv_cache_bytes": per_request * max(in_flight, 1) if per_token else 0.0,
        "kv_cache_bytes_per_token": per_token,
        "requests_in_flight": in_flight,
    }


def read_record(text: str, where: str) -> PlanRecord:
    """Return a plan's record from its JSON text, for another form without planning again.

    Raises
    ------
    InputError
        The text is no JSON, no plan, several plans, or a plan of a newer program.
    """
    records = read_records(text, where)
    if len(records) != 1:
        raise InputError(
            f"one plan is wanted, this file holds {len(records)}",
            where=where,
            hint="plan each workload into a file of its own",
        )
    return records[0]


def read_records(text: str, where: str) -> list[PlanRecord]:
    """Return the plans of a JSON text: one, or several under ``plans`` as `gpuplan plan A B -o plans.json` writes them.

    Raises
    ------
    InputError
        The text is no JSON, no plan, or a plan of a newer program.
    """
    from planner.report.schema.plan import check_record

    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "brackets are nested too deeply" if isinstance(error, RecursionError) else str(error)
        fault = f"not valid JSON: {reason}" if text.strip() else "the file is empty"
        raise InputError(fault, where=where, hint="`gpuplan plan WORKLOAD -o plan.json` writes one") from None
    listed = content.get("plans") if isinstance(content, dict) else None
    records = listed if isinstance(listed, list) and listed else [content]
    for number, record in enumerate(records):
        place = f"{where}, plan {number + 1}" if len(records) > 1 else where
        if not isinstance(record, dict) or "verdict" not in record or "options" not in record:
            raise InputError("this is not a plan", where=place, hint="`gpuplan plan WORKLOAD -o plan.json` writes one")
        if record.get("schema_version") != SCHEMA_VERSION:
            raise InputError(
                f"a plan of schema version {record.get('schema_version')}, this program reads {SCHEMA_VERSION}",
                where=place,
            )
        check_record(json.dumps(record), place)
    return records
