"""``gpuplan schema``: JSON Schema of the files, for editors and scripts."""

from __future__ import annotations

import click

from planner.report.values import json_text
from pricing.console import Output, Talk, common_options, output_options


@click.command()
@click.argument("name", type=click.Choice(["workload", "scenario", "demand", "plan"]))
@output_options("json")
@common_options
def schema(name: str, *, output: Output, talk: Talk) -> None:
    """Print the JSON Schema of a file, with which editors check and complete as you type."""
    from planner.report.schema import plan_schema

    del talk
    match name:
        case "workload":
            from planner.demand.workload import Workload

            document = Workload.model_json_schema()
        case "scenario":
            from planner.costs.scenario import Scenario

            document = Scenario.model_json_schema()
        case "demand":
            from planner.mix.request import MixRequest

            document = MixRequest.model_json_schema()
        case _:
            document = plan_schema()
    output.write(json_text({"$schema": "https://json-schema.org/draft/2020-12/schema", **document}))
