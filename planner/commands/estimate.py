"""``gpuplan estimate``: speed and memory on one given machine; no money."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from planner.commands.options import belief_options, beliefs_of, calibration_of, calibration_option
from pricing.console import Output, Talk, common_options, output_options

if TYPE_CHECKING:
    from planner.supply.machines import Refusal
    from planner.supply.scaling import ScalePoint
    from pricing.accelerators import Accelerator

__all__ = ["estimate"]

MOST_IN_A_BOX = 8
"""More accelerators than this are several boxes, joined by the network of their maker's reference design."""
MOST_MACHINES_ON_A_CURVE = 64
FORMATS = ("bf16", "fp16", "fp8", "int8", "fp4")


@click.command()
@click.argument("workload", metavar="WORKLOAD")
@click.option("--on", "on", required=True, metavar="GPU[:COUNT]", help="The machine: h100-sxm:8, 2xL40S, RTX 4090.")
@click.option("--curve", is_flag=True, help="Also time and accelerator hours on 1, 2, 4 ... machines, the knee marked.")
@click.option("--second-opinion", is_flag=True, help="Also ask aiconfigurator, where installed; takes up to a minute.")
@belief_options
@calibration_option
@output_options("table", "json")
@common_options
def estimate(
    workload: str,
    on: str,
    settings: tuple[str, ...],
    assumptions_file: str | None,
    calibration_files: tuple[str, ...],
    *,
    curve: bool,
    second_opinion: bool,
    output: Output,
    talk: Talk,
) -> None:
    """Say how fast a workload runs on one given machine, what limits it, and what fills the memory."""
    from planner.commands.tables import show_text
    from planner.demand.models import resolve_model
    from planner.demand.workload import Workload
    from planner.errors import NothingFitsError
    from planner.inputs import read_document, validated
    from planner.options.servers import own_machine
    from planner.report.estimate import estimate_record, estimate_tables
    from planner.report.values import json_text
    from planner.supply.fleet import estimate as estimated
    from planner.supply.machines import Refusal as Refused
    from planner.supply.scaling import fewest_that_suffice, relief, scaling_curve
    from pricing.accelerators import resolve

    beliefs = beliefs_of(settings, assumptions_file)
    calibration = calibration_of(calibration_files, beliefs)
    work = validated(read_document(workload), Workload)
    accelerator, count = resolve(on)
    architecture = None if work.model is None else resolve_model(work.model)
    total = max(1, round(count or 1))
    machine = own_machine(accelerator, min(total, max(accelerator.scale_up_count, MOST_IN_A_BOX)))
    answer = estimated(work, architecture, machine, total, beliefs, calibration=calibration)
    if isinstance(answer, Refused):
        raise NothingFitsError(
            answer.reason if accelerator.name in answer.reason else f"{total} x {accelerator.name}: {answer.reason}",
            where="--on",
            hint=_way_out(answer, accelerator),
        )
    notes = list(calibration.notes()) if calibration else []
    gains: Mapping[str, float] = {}
    points: Sequence[ScalePoint] = ()
    if architecture is not None:
        gains = relief(work, architecture, machine, total, beliefs, calibration=calibration)
        enough = fewest_that_suffice(work, architecture, machine, total, beliefs, calibration=calibration)
        if enough is not None and enough < total:
            notes.append(f"over-provisioned: {enough:,} of these {total:,} do the stated work within all its limits")
        if curve:
            most = max(math.ceil(total / machine.accelerator_count), MOST_MACHINES_ON_A_CURVE)
            points = scaling_curve(work, architecture, machine, beliefs, most_machines=most, calibration=calibration)
            notes += [] if points else ["no curve: only a job that ends takes less time on more machines"]
    shown = replace(answer, notes=(*notes, *answer.notes))
    opinion = None
    if second_opinion:
        from planner.second_opinion.beside import second_opinion as ask

        talk.say("asking aiconfigurator ...")
        opinion = ask(work, architecture, answer)
    record = estimate_record(work, shown, relief=gains, curve=points, opinion=opinion)
    if output.format == "json":
        output.write(json_text(record))
    else:
        show_text(output, estimate_tables(record))


def _way_out(refusal: Refusal, accelerator: Accelerator) -> str:
    if refusal.stage == "precision":
        formats = [name for name in FORMATS if getattr(accelerator, f"{name}_dense_tflop_per_s")]
        return f"{accelerator.name} computes in {', '.join(formats)}; weights of int4 (precision: int4) work on any GPU"
    return "try more accelerators, or a smaller number format (precision: [fp8, int4])"
