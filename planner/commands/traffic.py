"""``gpuplan traffic``: a request log as traffic to plan for, and the same requests replayed on a fleet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.assumptions import Assumptions
from planner.commands.options import NumberRange, PriceSource, Settings, assumption_options, store_options
from planner.commands.output import show_text
from planner.errors import InputError
from planner.report.values import csv_text, json_text
from pricing.commands.console import (
    CommandLineError,
    Output,
    Talk,
    common_options,
    grouped,
    output_options,
    write_output,
)
from pricing.facts.accelerators import resolve
from pricing.facts.instances import machine_type

if TYPE_CHECKING:
    from planner.demand.architecture import Architecture
    from planner.demand.workload import Workload
    from planner.report.schema.option import OptionRecord
    from planner.report.schema.plan import PlanRecord
    from planner.report.traffic.fleet import ReplayedFleet
    from planner.supply.machines import Machine
    from planner.traffic.replay import Target
    from planner.traffic.request_log import RequestLog
    from planner.traffic.summary import TrafficSummary


LIMITS = ("ttft_limit_ms", "tpot_limit_ms", "total_limit_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the options say of a replay; the workload says the rest."""

    option_id: str
    percentile: float | None
    routing: str
    least_count: int | None
    most_count: int | None
    target_per_s: float | None
    start_minutes: float | None
    ttft_limit_ms: float | None
    tpot_limit_ms: float | None
    total_limit_ms: float | None

    @property
    def limits(self) -> dict[str, float]:
        """The limits as keys of a workload, those that are stated."""
        return {key: limit for key in LIMITS if (limit := getattr(self, key))}


_replay_options = grouped(
    "asked",
    _Asked,
    click.option("--option", "option_id", default="", metavar="ID", help="Replay it on this option of the plan instead of the verdict's."),
    click.option("--percentile", type=NumberRange(min=1, max=99.9), metavar="P", help="Percentage of the requests that have to meet the limits; the workload's own, else 95."),
    click.option("--routing", type=click.Choice(("least-loaded", "round-robin")), default="least-loaded", show_default=True, help="Which replica takes a request."),
    click.option("--min-replicas", "least_count", type=click.IntRange(0, 512), help="Fewest replicas with autoscaling, 0 to scale to zero; the workload's own by default, else 1."),
    click.option("--max-replicas", "most_count", type=click.IntRange(1, 512), help="Most replicas with autoscaling; the workload's own by default, else as many as the fixed fleet has."),
    click.option("--target-requests-per-s", "target_per_s", type=NumberRange(min=0.000001), metavar="RATE", help="Requests per second for each replica with autoscaling; the workload's own by default, else the highest that meets the limits."),
    click.option("--start-minutes", type=NumberRange(min=0, max=600), metavar="MINUTES", help="Time until a new replica serves; the workload's own by default, else from the model's size and where it runs."),
    click.option("--ttft-limit-ms", "--ttft", type=NumberRange(min=0.001), metavar="MS", help="Limit on the time to first token; the workload's own by default."),
    click.option("--tpot-limit-ms", "--tpot", type=NumberRange(min=0.001), metavar="MS", help="Limit on the time per output token."),
    click.option("--total-limit-ms", "--total", type=NumberRange(min=0.001), metavar="MS", help="Limit on the time to the last token."),
)  # fmt: skip


@click.command()
@click.argument("logs", metavar="LOG...", nargs=-1, required=True)
@click.option("--replay", metavar="WORKLOAD|PLAN.json", help="Replay the log on the fleet of a plan.")
@_replay_options
@click.option("--timezone", default="UTC", metavar="ZONE", help="Time zone of times that state none, and of the hours of the week: Europe/Berlin.")  # fmt: skip
@click.option("--time-unit", type=click.Choice(("s", "ms")), help="Unit of times that count from the start of the log.")
@click.option(
    "--model",
    metavar="MODEL",
    help="The model: without --replay and with a limit, the log's own workload is planned and replayed.",
)
@click.option("--to-workload", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a workload as `gpuplan plan` reads it.")  # fmt: skip
@assumption_options
@store_options
@output_options("table", "json", "csv", "md", "html")
@common_options
def traffic(
    logs: tuple[str, ...],
    replay: str | None,
    asked: _Asked,
    timezone: str,
    time_unit: str | None,
    model: str | None,
    to_workload: Path | None,
    settings: Settings,
    prices: PriceSource,
    *,
    output: Output,
    talk: Talk,
) -> None:
    """Summarize the traffic in a request log, and replay it on a fleet.

    LOG is CSV, JSON lines (both also gzipped) or Parquet with a time, the prompt's tokens and the answer's: an access log with
    usage, SageMaker's captures, or the traces of Azure, BurstGPT, Mooncake and Bailian as they are. Several files are one log.
    """
    import tempfile

    from planner.report.traffic.page import hourly_rows, traffic_page
    from planner.report.traffic.tables import fault_text, traffic_record, traffic_tables
    from planner.traffic.request_log import read_log
    from planner.traffic.summary import serve_section, summarized

    if to_workload and not model:
        raise CommandLineError("a workload needs a model", where="--to-workload", hint="--model llama-3.1-70b")
    if asked.most_count is not None and (asked.least_count or 0) > asked.most_count:
        raise CommandLineError(f"at least {asked.least_count} and at most {asked.most_count} replicas", where="--min-replicas", hint="a number up to --max-replicas")  # fmt: skip
    if asked.option_id and not replay:
        raise CommandLineError("an option belongs to a plan", where="--option", hint="--replay PLAN.json")
    units = {"s": 1.0, "ms": 1e-3}
    with tempfile.TemporaryDirectory(prefix="gpuplan-traffic-") as folder:
        log = read_log(logs, Path(folder), timezone=timezone, unit_s=units[time_unit] if time_unit else None)
    for fault in log.faults:
        talk.warn(fault_text(fault))
    summary = summarized(log)
    fleet = None
    if replay or (model and asked.limits):
        assumptions = settings.assumptions()
        serve = serve_section(summary) | asked.limits
        serve |= {"limit_percentile": asked.percentile} if asked.percentile else {}
        own = {"kind": "serve", "model": model, "serve": serve}
        record = _plan_record(replay or own, assumptions, prices, talk)
        fleet = _replayed(log, record, asked, replay or "the log's own workload", assumptions)
    if to_workload and model:
        _write_workload(to_workload, model, summary, talk)
    match output.format:
        case "json":
            output.write(json_text(traffic_record(summary, fleet)))
        case "csv":
            rows = hourly_rows(log, fleet)
            output.write(csv_text(list(rows[0]), rows))
        case "html":
            output.write(traffic_page(log, summary, fleet))
        case _:
            show_text(output, traffic_tables(summary, fleet))


def _plan_record(source: str | dict[str, Any], assumptions: Assumptions, prices: PriceSource, talk: Talk) -> PlanRecord:
    """Return the plan that a file holds, or that is made of the workload that it holds or that is given."""
    from planner.commands.plan import planned_record, written_plan
    from planner.demand.models import load_workload
    from planner.demand.workload import Workload

    if isinstance(source, dict):
        return planned_record(Workload.model_validate(source), prices, talk, assumptions)
    return written_plan(source) or planned_record(load_workload(source), prices, talk, assumptions)


def _replayed(
    log: RequestLog, record: PlanRecord, asked: _Asked, source: str, assumptions: Assumptions
) -> ReplayedFleet:
    """Return how the plan's fleet serves the log."""
    from planner.demand.defaults import with_limits
    from planner.demand.models import resolve_model
    from planner.demand.workload import Serve, Workload
    from planner.report.traffic.fleet import ReplayedFleet
    from planner.supply.calibration import default_calibration
    from planner.traffic.percentiles import Limits
    from planner.traffic.replay import Fit, replayed

    work: Workload = with_limits(Workload.model_validate(record["workload"]), assumptions)
    serve = work.work
    if not isinstance(serve, Serve) or work.model is None:
        raise InputError(f"a plan of kind {work.kind} has no requests to serve", where=source, hint="replay a plan of kind serve")  # fmt: skip
    stated = serve.limit_percentile if isinstance(serve.limit_percentile, float) else 95.0
    wanted = {key.removesuffix("_limit_ms"): getattr(asked, key) or getattr(serve, key) for key in LIMITS}
    limits = Limits(
        **{f"{name}_ms": limit or math.inf for name, limit in wanted.items()}, percentile=asked.percentile or stated
    )
    least_count = next((count for count in (asked.least_count, serve.min_replicas) if count is not None), 1)
    start_minutes = serve.start_minutes if asked.start_minutes is None else asked.start_minutes
    arch = resolve_model(work.model)
    options = _chosen(record, asked.option_id, source)
    targets = [_target(option, arch, assumptions, start_minutes) for option in options]
    replay = replayed(
        Fit(requests=log.requests, arch=arch, assumptions=assumptions, calibration=default_calibration()), targets, limits,
        routing="round_robin" if asked.routing == "round-robin" else "least_loaded", least_count=least_count,
        most_count=asked.most_count or serve.max_replicas, target_per_s=asked.target_per_s or serve.target_requests_per_s,
    )  # fmt: skip
    return ReplayedFleet(
        target=targets[0], limits=limits, replay=replay, hours_per_month=assumptions["money.hours_per_month"]
    )


def _target(option: OptionRecord, arch: Architecture, assumptions: Assumptions, minutes: float | None) -> Target:
    """Return the machines of a plan's option, and how long a replica takes to start on them."""
    from planner.supply.machines import Layout
    from planner.traffic.autoscaling import start_minutes
    from planner.traffic.replay import Target

    stated, accelerator = option["layout"], option["accelerator"]
    assert stated is not None
    assert accelerator is not None
    sizes: dict[str, Any] = {**stated, "techniques": tuple(stated["techniques"])}
    layout = Layout(**sizes)
    paid_hours, usd = option["paid_hours_per_month"], option["cost"]["usd_per_month"]
    if minutes is None:
        minutes = start_minutes(arch, layout.precision, assumptions, is_rented=option["kind"] == "rent")
    return Target(
        option_id=option["id"], accelerator=accelerator, machine=_machine(option, accelerator), layout=layout,
        usd_per_machine_hour=usd / paid_hours if paid_hours and usd else None,
        is_paid_by_hour=option["kind"] == "rent" and option["purchase_option"] in ("on_demand", "spot"), start_minutes=minutes,
    )  # fmt: skip


MOST_TARGETS = 3
"""Options on which the fewest accelerators are searched, where none is stated: the cheapest one of each accelerator."""


def _chosen(record: PlanRecord, option_id: str, source: str) -> list[OptionRecord]:
    """Return the option that is meant (the stated one, else the verdict's, else the cheapest that has GPUs), and its rivals."""
    with_gpus = [option for option in record["options"] if option["layout"] and option["accelerator"]]
    by_id = {option["id"]: option for option in with_gpus}
    usual = [record["verdict"]["option_id"], *(option["id"] for option in with_gpus if option["choosable"])]
    chosen = next((by_id[name] for name in ([option_id] if option_id else usual) if name in by_id), None)
    if chosen is None:
        fault = f"there is no option {option_id!r} with GPUs" if option_id else "no option has GPUs to replay on"
        names = ", ".join(list(by_id)[:5])
        raise InputError(fault, where=source, hint=f"--option one of: {names}" if names else "plan a larger rate")
    if option_id:
        return [chosen]
    by_accelerator = {chosen["accelerator"]: chosen}
    for option in with_gpus:
        if option["choosable"] and option["kind"] == chosen["kind"]:
            by_accelerator.setdefault(option["accelerator"], option)
    return list(by_accelerator.values())[:MOST_TARGETS]


def _machine(option: OptionRecord, name: str) -> Machine:
    """Return the machine of a plan's option."""
    from planner.options.servers import own_machine
    from planner.supply.machines import Machine

    if option["instance_type"] and (of_cloud := machine_type(option["instance_type"])):
        accelerator, count, network, speed = of_cloud
        if accelerator.name == name:
            return Machine(accelerator=accelerator, accelerator_count=count, network=network, network_gb_per_s_each_way=speed)  # fmt: skip
    return own_machine(resolve(name)[0], int(option["accelerator_count"]))


def _write_workload(path: Path, model: str, summary: TrafficSummary, talk: Talk) -> None:
    import yaml

    from planner.traffic.summary import serve_section

    content = {"kind": "serve", "model": model, "serve": serve_section(summary)}
    write_output(yaml.safe_dump(content, sort_keys=False), path)
    talk.say(f"wrote a workload: gpuplan plan {path}")
