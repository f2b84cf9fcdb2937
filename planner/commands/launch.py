"""``gpuplan launch``: the verdict as something that can be run."""

from __future__ import annotations

from pathlib import Path

import click

from planner.commands.ask import AskCommand
from planner.commands.completion import kinds_and_files
from planner.commands.options import (
    Filters,
    PriceSource,
    Settings,
    assumption_options,
    calibration_of,
    calibration_option,
    filter_options,
    horizon_option,
    store_options,
)
from pricing.console import CommandLineError, Talk, common_options, write_output

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
    from planner.commands.planning import planned_record, works_of, written_plan
    from planner.launch.text import launch_text

    record = written_plan(sources[0]) if len(sources) == 1 else None
    if record is None:
        works = works_of(click.get_current_context(), sources, filters.stated(), horizon)
        if len(works) != 1:
            raise CommandLineError("one plan is launched at a time", where=sources[1], hint="name a single workload")
        assumptions = settings.assumptions()
        calibration = calibration_of(calibration_files, assumptions)
        record = planned_record(works[0], prices, talk, assumptions, calibration)
    write_output(launch_text(record, target, option_id), path)
    if path is not None:
        talk.say(f"written: read {path} before you run it")
