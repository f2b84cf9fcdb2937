"""``gpuplan schema``: JSON Schema of the files, for editors and scripts."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from planner.report.values import json_text
from pricing.console import Output, Talk, common_options, output_options

MODELS = {
    "workload": ("planner.demand.workload", "Workload"),
    "scenario": ("planner.costs.scenario", "Scenario"),
    "demand": ("planner.mix.request", "MixRequest"),
    "plan": ("planner.report.schema", "PlanRecord"),
}
"""What each file is read into, imported when it is asked for."""


@click.command()
@click.argument("name", type=click.Choice(list(MODELS)))
@output_options("json")
@common_options
def schema(name: str, *, output: Output, talk: Talk) -> None:
    """Print the JSON Schema of a file, with which editors check and complete as you type."""
    del talk
    module, model = MODELS[name]
    document: dict[str, Any] = getattr(import_module(module), model).model_json_schema()
    output.write(json_text({"$schema": "https://json-schema.org/draft/2020-12/schema", **document}))
