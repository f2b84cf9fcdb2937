"""``gpuplan init``: a commented workload file to start from."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import click

from pricing.console import CommandLineError, Talk, common_options, write_output

__all__ = ["KINDS", "init"]

KINDS = ("serve", "pretrain", "finetune", "batch", "embed", "diffusion", "gpu_hours", "scenario", "demand")
READER_OF = {"scenario": "breakeven", "demand": "mix"}
"""The command that reads a kind of file; `plan` reads all others."""


@click.command()
@click.argument("kind", type=click.Choice(KINDS), default="serve")
@click.option("-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@common_options
def init(kind: str, path: Path | None, *, force: bool, talk: Talk) -> None:
    """Print a commented workload of a KIND (or a scenario for breakeven, a demand for mix), or write it to a file."""
    if path is not None and path.exists() and not force:
        raise CommandLineError("there is a file already", where=str(path), hint="choose another name, or say --force")
    write_output(files("planner").joinpath(f"templates/{kind}.yaml").read_text(encoding="utf-8"), path)
    if path is not None:
        talk.say(f"edit {path}, then: gpuplan {READER_OF.get(kind, 'plan')} {path}")
