"""``gpuplan models``: the models known by name."""

from __future__ import annotations

from typing import Any

import click

from pricing.console import Output, Talk, common_options, output_options

__all__ = ["models"]


@click.command()
@click.argument("part", required=False)
@output_options("table", "json", "csv", "md")
@common_options
def models(part: str | None, *, output: Output, talk: Talk) -> None:
    """List the models whose name contains PART; any other is told by its config.json or its numbers."""
    from planner.commands.tables import show_rows
    from planner.demand.memory import kv_bytes_per_token, weight_bytes
    from planner.demand.models import known_model, known_models
    from planner.demand.parameters import active_parameter_count, parameter_count
    from planner.errors import InputError
    from planner.figures import bytes_text, count, significant
    from planner.report.table import Column, Table

    del talk
    names = [name for name in known_models() if not part or part.lower() in name]
    if not names:
        raise InputError(f"no known model has {part!r} in its name", hint="`gpuplan models` lists them all")
    rows: list[dict[str, Any]] = []
    for name in names:
        architecture = known_model(name)
        generates = architecture.kind == "decoder"
        rows.append(
            {
                "name": name,
                "kind": architecture.kind,
                "parameter_count": parameter_count(architecture),
                "active_parameter_count": active_parameter_count(architecture),
                "weight_bytes_bf16": weight_bytes(architecture, "bf16"),
                "kv_cache_bytes_per_token_bf16": float(kv_bytes_per_token(architecture, "bf16")) if generates else None,
                "max_context_tokens": architecture.max_context_tokens or None,
            }
        )
    table = Table(
        "",
        (
            Column("name"),
            Column("kind"),
            Column("parameters", "1e9", is_number=True),
            Column("active", "1e9", is_number=True),
            Column("weights", "bf16", is_number=True),
            Column("context", "tokens", is_number=True),
        ),
        tuple(
            (
                str(row["name"]),
                str(row["kind"]),
                f"{significant(row['parameter_count'] / 1e9):g}",
                f"{significant(row['active_parameter_count'] / 1e9):g}",
                bytes_text(row["weight_bytes_bf16"]),
                count(row["max_context_tokens"]),
            )
            for row in rows
        ),
        "`model:` also takes a path to a Hugging Face config.json, or the numbers themselves",
    )
    show_rows(output, rows, "models", [table])
