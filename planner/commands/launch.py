"""``gpuplan launch``: the verdict as something that can be run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from planner.commands.ask import AskCommand
from planner.commands.completion import kinds_and_files
from planner.commands.options import (
    Filters,
    PriceSource,
    Settings,
    assumption_options,
    calibration_option,
    filter_options,
    horizon_option,
    store_options,
)
from planner.report.values import Record
from pricing.console import Talk, common_options, write_output

TARGETS = ("vllm", "sglang", "kubernetes", "terraform", "skypilot", "dstack")


@click.command(cls=AskCommand)
@click.argument("sources", metavar="PLAN.json|WORKLOAD|KIND", nargs=-1, required=True, shell_complete=kinds_and_files)
@click.option("--to", "target", type=click.Choice(TARGETS), required=True, help="What to launch it with.")
@click.option("--option", "option_id", metavar="ID", help="Launch this option of the plan instead of its verdict.")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@horizon_option("Months to compare; taken from the workload where it is not given.")
@filter_options
@assumption_options
@calibration_option
@store_options
@common_options
def launch(
    sources: tuple[str, ...],
    target: str,
    option_id: str | None,
    path: Path | None,
    horizon: int | None,
    filters: Filters,
    settings: Settings,
    calibration_files: tuple[str, ...],
    prices: PriceSource,
    talk: Talk,
) -> None:
    """Write the verdict of a plan as an engine's command line, a manifest, infrastructure code or a task.

    PLAN.json is a saved plan (`gpuplan plan ... -o plan.json`); a WORKLOAD or a KIND with its options is planned first.
    Nothing is started, and nothing is bought: you read the file and run it.
    """
    from planner.launch.text import launch_text

    record = _written_plan(sources)
    if record is None:
        from planner.commands.options import calibration_of
        from planner.commands.planning import planned, works_of
        from planner.commands.prices import catalog_of
        from planner.report.record import plan_record
        from planner.report.values import plain
        from planner.supply.candidates import places_told_apart
        from pricing.console import CommandLineError

        works = works_of(click.get_current_context(), sources, filters.stated(), horizon)
        if len(works) != 1:
            raise CommandLineError("one plan is launched at a time", where=sources[1], hint="name a single workload")
        assumptions = settings.assumptions()
        catalog = catalog_of(prices, talk, places_told_apart([works[0].constraints]))
        calibration = calibration_of(calibration_files, assumptions)
        record = plain(plan_record(planned(works[0], catalog, assumptions, prices.day, calibration)))
    write_output(launch_text(record, target, option_id), path)
    if path is not None:
        talk.say(f"written: read {path} before you run it")


def _written_plan(sources: tuple[str, ...]) -> Record | None:
    """Return the plan of a file that holds one; None for a workload."""
    if len(sources) != 1 or not sources[0].endswith(".json") or not Path(sources[0]).is_file():
        return None
    from planner.inputs import read_text
    from planner.report.record import read_record

    text, name = read_text(sources[0])
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None  # the reader of workloads says what is wrong
    is_plan = isinstance(content, dict) and ("verdict" in content or "plans" in content)
    return read_record(text, name) if is_plan else None
