"""``gpuplan verify``: this program's predictions against measured rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.commands.options import calibration_of, calibration_option
from planner.commands.output import show_rows
from planner.report.figures import percent, significant
from planner.report.notes import note_texts
from planner.report.table import Table, headings, table_of
from pricing.commands.console import Output, Talk, common_options, output_options

if TYPE_CHECKING:
    from planner.measured.scores import BlockReport, FileReport


WORST = 10


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@calibration_option
@output_options("table", "json", "csv", "md")
@common_options
def verify(files: tuple[Path, ...], calibration_files: tuple[str, ...], *, output: Output, talk: Talk) -> None:
    """Predict the measured rows of FILE..., and show the errors.

    A file is CSV in the columns of planner/facts/measured_training.csv, measured_inference.csv, measured_memory.csv or measured_kinds.csv; your
    own rows need only the columns that they fill. A row that is not predicted says why and counts as refused.
    """
    from planner.measured.verify import verify as verified

    calibration = calibration_of(calibration_files)
    for note in note_texts(calibration.notes()) if calibration else ():
        talk.say(note)
    report = verified(files, calibration=calibration)
    rows = [{"file": file.file, **asdict(detail)} for file in report.files for detail in file.detail]
    tables = [_summary(report.files)]
    for file in report.files:
        tables += [
            _blocks(f"{file.file} by class", file.by_class),
            _blocks(f"{file.file} by block", file.by_block),
            _worst(file),
        ]
    show_rows(output, rows, "rows", [table for table in tables if table.rows], report.record())


def _summary(files: tuple[FileReport, ...]) -> Table:
    return table_of(
        "Predicted against measured",
        files,
        {
            "file": lambda report: f"{report.file} ({report.kind})",
            "rows:": lambda report: f"{report.rows:,}",
            "predicted:": lambda report: f"{report.predicted:,}",
            "refused:": lambda report: f"{report.refused:,}",
            "median [error]:": lambda report: percent(report.median_abs_relative_error_share),
            "p90 [error]:": lambda report: percent(report.p90_abs_relative_error_share),
            "bias:": lambda report: percent(report.bias_share),
            "in band [80 %]:": lambda report: percent(report.within_band_share),
            "fit predicted [rightly]:": lambda report: percent(report.verdict_right_share),
        },
        "rows marked C by their source are kept and not scored",
    )


def _blocks(title: str, blocks: tuple[BlockReport, ...]) -> Table:
    return table_of(
        title,
        blocks,
        {
            "block": lambda block: block.name,
            "figure": lambda block: block.metric,
            "rows:": lambda block: f"{block.count:,}",
            "median [error]:": lambda block: percent(block.median_abs_relative_error_share),
            "mean [error]:": lambda block: percent(block.mean_abs_relative_error_share),
            "within [25 %]:": lambda block: percent(block.within_25_percent_share),
            "in band:": lambda block: percent(block.within_band_share),
            "worst row": lambda block: block.worst_id,
        },
    )


def _worst(report: FileReport) -> Table:
    scored = [detail for detail in report.detail if detail.relative_error_share is not None and detail.primary]
    scored.sort(key=lambda detail: -abs(detail.relative_error_share or 0.0))
    refused = [detail for detail in report.detail if detail.predicted is None and detail.reason and detail.primary]
    rows = [
        (
            detail.id,
            detail.block,
            detail.metric,
            f"{significant(detail.expected or 0.0):,.6g}",
            f"{significant(detail.predicted or 0.0):,.6g}",
            percent(detail.relative_error_share),
        )
        for detail in scored[:WORST]
    ]
    rows += [(detail.id, detail.block, detail.metric, "", "refused", detail.reason) for detail in refused[:WORST]]
    return Table(
        f"{report.file}: the worst rows, and what was refused",
        headings("row | block | figure | measured: | predicted: | error, or why"),
        tuple(rows),
        f"{len(refused):,} refused in all" if len(refused) > WORST else "",
    )
