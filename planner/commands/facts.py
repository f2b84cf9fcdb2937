"""``gpuplan gpus``, ``models`` and ``assumptions``: what the program knows, and who says so."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from planner.commands.options import Settings, assumption_options
from planner.commands.output import assumptions_table, show_rows
from planner.errors import InputError
from planner.report.figures import bytes_text, count, significant
from planner.report.notes import note_texts
from planner.report.table import Table, headings, table_of
from pricing.commands.console import Output, Talk, common_options, output_options
from pricing.facts.accelerator_rows import Accelerator
from pricing.facts.accelerators import accelerators, resolve_all

if TYPE_CHECKING:
    from planner.demand.architecture import Architecture


@click.command()
@click.argument("name", required=False)
@output_options("table", "json", "csv", "md")
@common_options
def gpus(name: str | None, *, output: Output, talk: Talk) -> None:
    """List accelerators, or show everything about those that match NAME; all rates are dense."""
    del talk
    rows = list(resolve_all(name)) if name else list(accelerators().values())
    tables = [_detail(row) for row in rows] if name else [_table(rows)]
    show_rows(output, [asdict(row) for row in rows], "accelerators", tables)


def _table(rows: list[Accelerator]) -> Table:
    return table_of(
        "",
        rows,
        {
            "name": lambda row: row.name,
            "memory [GiB]:": lambda row: count(row.memory_gib),
            "bandwidth [GB/s]:": lambda row: count(row.memory_bandwidth_gb_per_s),
            "bf16 [TFLOP/s]:": lambda row: count(row.bf16_dense_tflop_per_s or row.fp16_dense_tflop_per_s),
            "fp8 [TFLOP/s]:": lambda row: count(row.fp8_dense_tflop_per_s),
            "link [GB/s]:": lambda row: count(row.scale_up_gb_per_s_both_ways or None),
            "power [W]:": lambda row: count(row.tdp_w),
            "year:": lambda row: str(row.launch_year),
            "class": lambda row: row.market_class,
        },
        "dense rates (fp16 where there is no bf16); link: NVLink or the maker's own fabric, both ways. "
        "`gpuplan gpus NAME` shows sources and pitfalls",
    )


def _detail(row: Accelerator) -> Table:
    facts = [(key.replace("_", " "), str(value)) for key, value in asdict(row).items() if value not in {None, ""}]
    return Table(row.name, headings("fact | value"), tuple(facts))


CONTEXT_TOKENS = 131_072


@click.command()
@click.argument("part", required=False, metavar="[PART|PATH]")
@click.option(
    "--context",
    "context_tokens",
    type=click.IntRange(1, 2_000_000_000),
    default=CONTEXT_TOKENS,
    show_default=True,
    help="Context over which the KV cache per token is averaged; models with sliding windows cache only part of it.",
)
@output_options("table", "json", "csv", "md")
@common_options
def models(part: str | None, *, context_tokens: int, output: Output, talk: Talk) -> None:
    """List the models whose name contains PART, or show the numbers of one by the PATH of its config.json."""
    from planner.demand.models import configuration_path, known_model, known_models, resolve_model

    del talk
    if part and configuration_path(part):
        architectures = {(model := resolve_model(part)).name: model}
    else:
        architectures = {name: known_model(name) for name in known_models() if not part or part.lower() in name}
        if not architectures and part:
            architectures = {(model := resolve_model(part)).name: model}
    if not architectures:
        raise InputError(f"no known model has {part!r} in its name", hint="`gpuplan models` lists them all")
    rows = [{"name": name, **_numbers(model, context_tokens)} for name, model in architectures.items()]
    table = table_of(
        "",
        rows,
        {
            "name": lambda row: row["name"],
            "kind": lambda row: row["kind"],
            "parameters [1e9]:": lambda row: f"{significant(row['parameter_count'] / 1e9):g}",
            "active [1e9]:": lambda row: f"{significant(row['active_parameter_count'] / 1e9):g}",
            "weights [bf16]:": lambda row: bytes_text(row["weight_bytes_bf16"]),
            "KV/token [bf16]:": lambda row: bytes_text(row["kv_cache_bytes_per_token_bf16"]),
            "context [tokens]:": lambda row: count(row["max_context_tokens"]),
        },
        " ".join(
            (
                "`model:` also takes a path to a Hugging Face config.json, or the numbers themselves",
                *(note for model in architectures.values() for note in note_texts(model.notes)),
            )
        ),
    )
    show_rows(output, rows, "models", [table])


def _numbers(architecture: Architecture, context_tokens: int) -> dict[str, Any]:
    """Return the facts shown about a model."""
    from planner.demand.memory import kv_bytes_per_token, weight_bytes
    from planner.demand.parameters import active_parameter_count, parameter_count

    generates = architecture.kind in {"decoder", "speech"}
    cache = float(kv_bytes_per_token(architecture, "bf16", context_tokens)) if generates else None
    return {
        "kind": architecture.kind,
        "parameter_count": parameter_count(architecture),
        "active_parameter_count": active_parameter_count(architecture),
        "weight_bytes_bf16": weight_bytes(architecture, "bf16"),
        "kv_cache_bytes_per_token_bf16": cache,
        "state_bytes_per_sequence": architecture.state_bytes_per_sequence,
        "native_precision": architecture.native_precision or None,
        "max_context_tokens": architecture.max_context_tokens or None,
    }


@click.command()
@click.argument("part", required=False)
@assumption_options
@output_options("table", "json", "csv", "md")
@common_options
def assumptions(part: str | None, settings: Settings, *, output: Output, talk: Talk) -> None:
    """List the assumptions whose name contains PART, with range, source and date."""
    del talk
    assumptions = settings.assumptions()
    rows = [row for row in assumptions.rows.values() if not part or part in row.name]
    if not rows:
        raise InputError(f"no assumption has {part!r} in its name", hint="`gpuplan assumptions` lists them all")
    table = assumptions_table("", sorted(rows, key=lambda row: row.name))
    show_rows(output, [asdict(row) for row in rows], "assumptions", [table])
