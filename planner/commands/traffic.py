"""``gpuplan traffic``: a request log as traffic to plan for, and the same requests replayed on a fleet."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from planner.commands.options import NumberRange, assumption_options, assumptions_of, day_of, store_options
from pricing.console import CommandLineError, Output, Talk, common_options, output_options, write_output

if TYPE_CHECKING:
    from planner.assumptions import Assumptions
    from planner.demand.workload import Workload
    from planner.report.traffic import ReplayedFleet
    from planner.report.values import Record
    from planner.traffic.request_log import RequestLog

__all__ = ["traffic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the options say of a replay."""

    source: str
    option_id: str
    percentile: float
    routing: Literal["least_loaded", "round_robin"]


@click.command()
@click.argument("logs", metavar="LOG...", nargs=-1, required=True)
@click.option("--replay", metavar="WORKLOAD|PLAN.json", help="Replay the log on the fleet of a plan.")
@click.option("--option", "option_id", default="", metavar="ID", help="Replay it on this option of the plan, not on the verdict's.")  # fmt: skip
@click.option("--percentile", type=NumberRange(min=1, max=99.9), metavar="P", help="Of the requests that have to keep the limits; the workload's own, else 95.")  # fmt: skip
@click.option("--routing", type=click.Choice(("least-loaded", "round-robin")), default="least-loaded", show_default=True, help="Which replica takes a request.")  # fmt: skip
@click.option("--timezone", default="UTC", metavar="ZONE", help="Of times that state none, and of the hours of the week: Europe/Berlin.")  # fmt: skip
@click.option("--time-unit", type=click.Choice(("s", "ms")), help="Of times that count from the start of the log.")
@click.option("--model", metavar="MODEL", help="The model, for --to-workload.")
@click.option("--to-workload", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a workload as `gpuplan plan` reads it.")  # fmt: skip
@assumption_options
@store_options
@output_options("table", "json", "md")
@common_options
def traffic(
    logs: tuple[str, ...],
    replay: str | None,
    option_id: str,
    percentile: float | None,
    routing: str,
    timezone: str,
    time_unit: str | None,
    model: str | None,
    to_workload: Path | None,
    settings: tuple[str, ...],
    assumptions_file: str | None,
    store_uri: str | None,
    as_of: datetime | None,
    max_age_days: int | None,
    *,
    output: Output,
    talk: Talk,
) -> None:
    """Say what traffic a request log holds, and how a fleet would have served it.

    LOG is CSV, JSON lines (both also gzipped) or Parquet with a time, the prompt's tokens and the answer's: an access log with
    usage, SageMaker's captures, or the traces of Azure, BurstGPT, Mooncake and Bailian as they are. Several files are one log.
    """
    import tempfile

    from planner.commands.tables import show_text
    from planner.report.traffic import fault_text, traffic_record, traffic_tables
    from planner.report.values import json_text
    from planner.traffic.request_log import read_log
    from planner.traffic.summary import summarized

    if to_workload and not model:
        raise CommandLineError("a workload needs a model", where="--to-workload", hint="--model llama-3.1-70b")
    if option_id and not replay:
        raise CommandLineError("an option belongs to a plan", where="--option", hint="--replay PLAN.json")
    units = {"s": 1.0, "ms": 1e-3}
    with tempfile.TemporaryDirectory(prefix="gpuplan-traffic-") as folder:
        log = read_log(logs, Path(folder), timezone=timezone, unit_s=units[time_unit] if time_unit else None)
    for fault in log.faults:
        talk.warn(fault_text(fault))
    summary = summarized(log)
    fleet = None
    if replay:
        asked = _Asked(
            source=replay, option_id=option_id, percentile=percentile or 0.0,
            routing="round_robin" if routing == "round-robin" else "least_loaded",
        )  # fmt: skip
        assumptions = assumptions_of(settings, assumptions_file)
        record = _plan_record(replay, assumptions, store_uri, as_of, max_age_days, talk)
        fleet = _replayed(log, record, asked, assumptions)
    if to_workload and model:
        _write_workload(to_workload, model, summary, talk)
    if output.format == "json":
        output.write(json_text(traffic_record(summary, fleet)))
    else:
        show_text(output, traffic_tables(summary, fleet))


def _plan_record(
    source: str, assumptions: Assumptions, store_uri: str | None, as_of: datetime | None, max_age_days: int | None, talk: Talk
) -> Record:  # fmt: skip
    """Return the plan that a file holds, or that is made of the workload that it holds."""
    from planner.commands.planning import planned
    from planner.commands.prices import catalog_of
    from planner.demand.loading import load_workload
    from planner.inputs import read_text
    from planner.report.record import plan_record, read_record
    from planner.report.values import json_text

    with suppress(ValueError):
        text, name = read_text(source) if source.endswith(".json") else ("", "")
        if text and "verdict" in json.loads(text):
            return read_record(text, name)
    catalog = catalog_of(store_uri, as_of, max_age_days, talk)
    plan = planned(load_workload(source), catalog, assumptions, day_of(as_of))
    return read_record(json_text(plan_record(plan)), source)


def _replayed(log: RequestLog, record: Record, asked: _Asked, assumptions: Assumptions) -> ReplayedFleet:
    """Return how the plan's fleet serves the log."""
    from planner.demand.defaults import with_limits
    from planner.demand.models import resolve_model
    from planner.demand.workload import Serve, Workload
    from planner.errors import InputError
    from planner.report.traffic import ReplayedFleet
    from planner.supply.calibration import default_calibration
    from planner.supply.machines import Layout
    from planner.traffic.percentiles import Limits
    from planner.traffic.replay import replayed

    work: Workload = with_limits(Workload.model_validate(record["workload"]), assumptions)
    serve = work.work
    if not isinstance(serve, Serve) or work.model is None:
        raise InputError(f"a plan of kind {work.kind} has no requests to serve", where=asked.source, hint="replay a plan of kind serve")  # fmt: skip
    option = _chosen(record, asked)
    limits = Limits(
        ttft_ms=serve.ttft_limit_ms or float("inf"), tpot_ms=serve.tpot_limit_ms or float("inf"),
        percentile=asked.percentile or 95.0,
    )  # fmt: skip
    layout = Layout(**{**option["layout"], "techniques": tuple(option["layout"]["techniques"])})
    replay = replayed(
        log.requests, _machine(option), layout, resolve_model(work.model), limits, assumptions, default_calibration(),
        routing=asked.routing,
    )  # fmt: skip
    used = option["accelerators_used_count"]
    each_usd = option["cost"]["usd_per_month"] / used if used and option["cost"]["usd_per_month"] else None
    return ReplayedFleet(
        option_id=option["id"], accelerator=option["accelerator"], accelerator_count=layout.tensor * layout.pipeline * layout.data,
        limits=limits, replay=replay, usd_per_accelerator_month=each_usd,
    )  # fmt: skip


def _chosen(record: Record, asked: _Asked) -> Record:
    """Return the option that is meant: the stated one, else the verdict's, else the cheapest one that has GPUs."""
    from planner.errors import InputError

    with_gpus = [each for each in record["options"] if each["layout"] and each["accelerator"]]
    wanted = [asked.option_id] if asked.option_id else [record["verdict"]["option_id"]]
    wanted += [] if asked.option_id else [each["id"] for each in with_gpus if each["choosable"]]
    option: Record | None = next((each for name in wanted for each in with_gpus if each["id"] == name), None)
    if option is None:
        told = (
            f"there is no option {asked.option_id!r} with GPUs"
            if asked.option_id
            else "no option has GPUs to replay on"
        )
        names = ", ".join(each["id"] for each in with_gpus[:5])
        raise InputError(told, where=asked.source, hint=f"--option one of: {names}" if names else "plan a larger rate")
    return option


def _machine(option: Record) -> Any:  # noqa: ANN401  a Machine, imported when it is needed
    """Return the machine of a plan's option."""
    from planner.options.servers import own_machine
    from planner.supply.machines import Machine
    from pricing.accelerators import resolve
    from pricing.instances import machine_type

    if option["instance_type"] and (found := machine_type(option["instance_type"])):
        accelerator, count, network, speed = found
        if accelerator.name == option["accelerator"]:
            return Machine(accelerator=accelerator, accelerator_count=count, network=network, network_gb_per_s_each_way=speed)  # fmt: skip
    return own_machine(resolve(option["accelerator"])[0], option["accelerator_count"])


def _write_workload(path: Path, model: str, summary: Any, talk: Talk) -> None:  # noqa: ANN401  a TrafficSummary
    import yaml

    from planner.traffic.summary import serve_section

    content = {"kind": "serve", "model": model, "serve": serve_section(summary)}
    write_output(yaml.safe_dump(content, sort_keys=False), path)
    talk.say(f"wrote a workload: gpuplan plan {path}")
