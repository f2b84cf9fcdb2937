"""``gpuplan estimate``: speed and memory on one given machine; no money."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from planner.commands.ask import AskCommand, asked_workload, kind_of, workload_of_file
from planner.commands.options import (
    Settings,
    assumption_options,
    calibration_of,
    calibration_option,
    completing,
    kinds_and_files,
)
from planner.commands.output import show_text
from planner.errors import NothingFitsError
from planner.notes import Note, NoteCode
from planner.report.notes import note_text
from pricing.commands.console import Output, Talk, common_options, output_options
from pricing.facts.accelerator_names import split_count
from pricing.facts.accelerator_rows import Accelerator
from pricing.facts.accelerators import resolve
from pricing.facts.instances import machine_type

if TYPE_CHECKING:
    from planner.demand.workload import Workload
    from planner.supply.machines import Machine, Refusal
    from planner.supply.scaling import ScalePoint


MOST_IN_A_BOX = 8
"""More accelerators than this are several boxes, joined by the network of their maker's reference design."""
MOST_MACHINES_ON_A_CURVE = 64
_HOST_OVER_GPU_MEMORY = 2.0
"""Default host memory: servers have two to three times the memory of their GPUs (DGX A100: 2 TB and 640 GB)."""
FORMATS = ("bf16", "fp16", "fp8", "int8", "fp4")


@click.command(cls=AskCommand, with_constraints=False)
@click.argument("workload", metavar="KIND|WORKLOAD", shell_complete=kinds_and_files)
@click.option(
    "--on",
    "on",
    required=True,
    metavar="GPU[:COUNT]|TYPE[:COUNT]",
    shell_complete=completing("gpus"),
    help="The machine: h100-sxm:8, 2xL40S, RTX 4090, h100-sxm/3g.40gb (a MIG slice), p5.48xlarge:2 (machines of a cloud).",
)
@click.option(
    "--curve", is_flag=True, help="Also show time and accelerator hours on 1, 2, 4 ... machines, with the knee marked."
)
@assumption_options
@calibration_option
@output_options("table", "json")
@common_options
def estimate(
    workload: str,
    on: str,
    settings: Settings,
    calibration_files: tuple[str, ...],
    *,
    curve: bool,
    output: Output,
    talk: Talk,
) -> None:
    """Show how fast a workload runs on one given machine, what limits it, and what fills the memory.

    KIND is a kind of work, whose keys are options; WORKLOAD is a file, or - for standard input.
    """
    del talk
    from planner.demand.models import resolve_model
    from planner.report.estimate import estimate_record, estimate_tables
    from planner.supply.fleet import estimate as estimated
    from planner.supply.machines import Refusal as Refused
    from planner.supply.scaling import fewest_that_suffice, relief, scaling_curve

    assumptions = settings.assumptions()
    calibration = calibration_of(calibration_files, assumptions)
    ctx = click.get_current_context()
    work = workload_of_file(workload) if kind_of(ctx) is None else asked_workload(ctx, (workload,), {})
    machine, total = _machine(on)
    accelerator = machine.accelerator
    assert accelerator is not None
    architecture = None if work.model is None else resolve_model(work.model)
    answer = estimated(work, architecture, machine, total, assumptions, calibration=calibration)
    if isinstance(answer, Refused):
        reason = note_text(answer.reason)
        raise NothingFitsError(
            reason if accelerator.name in reason else f"{total} x {accelerator.name}: {reason}",
            where="--on",
            hint=_way_out(answer, accelerator, work),
        )
    notes = list(calibration.notes()) if calibration else []
    gains: Mapping[str, float] = {}
    points: Sequence[ScalePoint] = ()
    if architecture is not None:
        gains = relief(work, architecture, machine, total, assumptions, calibration=calibration)
        # A job without a deadline has no limit that fewer accelerators could break.
        if not work.ends or math.isfinite(work.deadline_hours):
            enough = fewest_that_suffice(work, architecture, machine, total, assumptions, calibration=calibration)
            notes += [Note(NoteCode.OVER_PROVISIONED, (enough, total))] if enough is not None and enough < total else []
        if curve:
            most = max(math.ceil(total / machine.accelerator_count), MOST_MACHINES_ON_A_CURVE)
            points = scaling_curve(
                work, architecture, machine, assumptions, most_machines=most, calibration=calibration
            )
            notes += [] if points else [Note(NoteCode.NO_CURVE)]
    shown = replace(answer, notes=(*notes, *answer.notes))
    part = "training" if work.kind in {"pretrain", "finetune"} else "engine"
    usable_share = assumptions[f"perf.{part}_memory_share"]
    record = estimate_record(work, shown, relief=gains, curve=points, usable_share=usable_share)
    show_text(output, estimate_tables(record), record)


def _machine(on: str) -> tuple[Machine, int]:
    """Return the machine that is meant, and how many accelerators: a cloud's machine type, or so many of one's own."""
    from planner.options.servers import own_machine
    from planner.supply.machines import Machine

    # The name of a machine type may end as a count does (u-p6e-gb200x72).
    name, count = (on, None) if machine_type(on) else split_count(on)
    if of_cloud := machine_type(name):
        accelerator, in_one, network, speed = of_cloud
        machine = Machine(accelerator=accelerator, accelerator_count=in_one, network=network, network_gb_per_s_each_way=speed)  # fmt: skip
        return machine, max(1, round(in_one * (count or 1)))
    accelerator, _ = resolve(name)
    total = max(1, round(count or 1))
    machine = own_machine(accelerator, min(total, max(accelerator.scale_up_count, MOST_IN_A_BOX)))
    memory_gib = _HOST_OVER_GPU_MEMORY * machine.accelerator_count * accelerator.memory_gib
    return replace(machine, memory_gib=memory_gib), total


def _way_out(refusal: Refusal, accelerator: Accelerator, work: Workload) -> str:
    from planner.report.option_words import memory_remedies

    if refusal.stage == "precision":
        formats = [name for name in FORMATS if getattr(accelerator, f"{name}_dense_tflop_per_s")]
        return f"{accelerator.name} computes in {', '.join(formats)}; int4 weights (precision: int4) work on any GPU"
    remedies = memory_remedies(work)
    if refusal.reason.code is NoteCode.SERVING_MEMORY:
        remedies.append("an engine that may use more of the memory (--set perf.engine_memory_share=0.97)")
    return "try " + ", or ".join(remedies)
