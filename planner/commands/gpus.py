"""``gpuplan gpus``: what is known of accelerators, and who says so."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from pricing.console import Output, Talk, common_options, output_options

if TYPE_CHECKING:
    from planner.report.table import Table
    from pricing.accelerator_rows import Accelerator


@click.command()
@click.argument("name", required=False)
@output_options("table", "json", "csv", "md")
@common_options
def gpus(name: str | None, *, output: Output, talk: Talk) -> None:
    """List accelerators, or show everything about those that match NAME; all rates are dense."""
    from planner.commands.tables import show_rows
    from pricing.accelerators import accelerators, resolve_all

    del talk
    rows = list(resolve_all(name)) if name else list(accelerators().values())
    tables = [_detail(row) for row in rows] if name else [_table(rows)]
    show_rows(output, [asdict(row) for row in rows], "accelerators", tables)


def _table(rows: list[Accelerator]) -> Table:
    from planner.figures import count
    from planner.report.table import Table, headings

    return Table(
        "",
        headings(
            "name | memory [GiB]: | bandwidth [GB/s]: | bf16 [TFLOP/s]: | fp8 [TFLOP/s]: | link [GB/s]: | "
            "power [W]: | year: | class"
        ),
        tuple(
            (
                row.name,
                count(row.memory_gib),
                count(row.memory_bandwidth_gb_per_s),
                count(row.bf16_dense_tflop_per_s or row.fp16_dense_tflop_per_s),
                count(row.fp8_dense_tflop_per_s),
                count(row.scale_up_gb_per_s_both_ways) if row.scale_up_gb_per_s_both_ways else "-",
                count(row.tdp_w),
                str(row.launch_year),
                row.market_class,
            )
            for row in rows
        ),
        "dense rates (fp16 where there is no bf16); link: NVLink or the maker's own fabric, both ways. "
        "`gpuplan gpus NAME` shows sources and pitfalls",
    )


def _detail(row: Accelerator) -> Table:
    from planner.report.table import Table, headings

    facts = tuple((key.replace("_", " "), str(value)) for key, value in asdict(row).items() if value not in {None, ""})
    return Table(row.name, headings("fact | value"), facts)
