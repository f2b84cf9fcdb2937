"""``gpuplan gpus``: what is known of accelerators, and who says so."""

from __future__ import annotations

from dataclasses import asdict

import click

from planner.commands.tables import show_rows
from planner.figures import count
from planner.report.table import Table, headings, table_of
from pricing.accelerator_rows import Accelerator
from pricing.accelerators import accelerators, resolve_all
from pricing.console import Output, Talk, common_options, output_options


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
