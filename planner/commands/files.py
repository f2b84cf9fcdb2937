"""``gpuplan init`` and ``schema``: a workload file to start from, and the JSON Schema of the files."""

from __future__ import annotations

from importlib import import_module
from importlib.resources import files
from pathlib import Path

import click

from planner.report.values import json_text
from pricing.commands.console import CommandLineError, Output, Talk, common_options, output_options, write_output

KINDS = tuple("serve pretrain finetune batch embed diffusion transcribe video gpu_hours scenario demand".split())
READER_OF = {"scenario": "breakeven", "demand": "mix"}
"""The command that reads a kind of file; `plan` reads all others."""


@click.command()
@click.argument("kind", type=click.Choice(KINDS), default="serve")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Read the workload from what you have: a vllm or SGLang command line, a Kubernetes manifest, a SkyPilot task, "
    "`terraform show -json`, an sbatch script, a configuration of axolotl, torchtune, accelerate or DeepSpeed; - for standard input.",
)
@click.option("-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@common_options
def init(kind: str, source: str | None, path: Path | None, *, force: bool, talk: Talk) -> None:
    """Print a commented workload of a KIND (or a scenario for breakeven, a demand for mix), or write it to a file.

    With --from the workload is read from a file that you have; what the file does not say is left open and named.
    """
    if path is not None and path.exists() and not force:
        raise CommandLineError("there is a file already", where=str(path), hint="choose another name, or say --force")
    if source is not None:
        _write_draft(source, path, talk)
        return
    write_output(files("planner").joinpath(f"templates/{kind}.yaml").read_text(encoding="utf-8"), path)
    if path is not None:
        talk.say(f"edit {path}, then: gpuplan {READER_OF.get(kind, 'plan')} {path}")


def _write_draft(source: str, path: Path | None, talk: Talk) -> None:
    """Write what a file of another tool says of a workload."""
    from planner.inputs.reading import read_text
    from planner.intake.draft import draft_text
    from planner.intake.reading import draft_of

    ctx = click.get_current_context()
    if ctx.get_parameter_source("kind") is click.core.ParameterSource.COMMANDLINE:
        raise CommandLineError(
            "the file says which kind of work it is", where="KIND", hint="leave KIND out with --from"
        )
    draft = draft_of(*read_text(source))
    write_output(draft_text(draft, source), path)
    if path is not None:
        wanted = ", ".join(draft.missing)
        talk.say(f"fill in {wanted}, then: gpuplan plan {path}" if wanted else f"now: gpuplan plan {path}")


MODELS = {
    "workload": ("planner.demand.workload", "Workload"),
    "scenario": ("planner.scenario.schema", "Scenario"),
    "demand": ("planner.mix.request", "MixRequest"),
    "plan": ("planner.report.schema.plan", "PlanRecord"),
}
"""What each file is read into, imported when it is asked for."""


@click.command()
@click.argument("name", type=click.Choice(list(MODELS)))
@output_options("json")
@common_options
def schema(name: str, *, output: Output, talk: Talk) -> None:
    """Print the JSON Schema of a file, with which editors check and complete as you type."""
    del talk
    from pydantic import TypeAdapter

    module, model = MODELS[name]
    document = TypeAdapter(getattr(import_module(module), model)).json_schema()
    output.write(json_text({"$schema": "https://json-schema.org/draft/2020-12/schema", **document}))
