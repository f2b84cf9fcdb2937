"""``gpuplan verify``: this program's predictions against measured rows."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.commands.options import calibration_of, calibration_option
from pricing.console import Output, Talk, common_options, output_options

if TYPE_CHECKING:
    from planner.measured.verify import BlockReport, FileReport
    from planner.report.table import Table


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
    from planner.commands.tables import show_rows
    from planner.measured.verify import verify as verified
    from planner.report.notes import note_texts

    calibration = calibration_of(calibration_files)
    for note in note_texts(calibration.notes()) if calibration else ():
        talk.say(note)
    report = verified(files, calibration=calibration)
    rows = [{"file": one.file, **asdict(detail)} for one in report.files for detail in one.detail]
    tables = [_summary(report.files)]
    for one in report.files:
        tables += [
            _blocks(f"{one.file} by class", one.by_class),
            _blocks(f"{one.file} by block", one.by_block),
            _worst(one),
        ]
    show_rows(output, rows, "rows", [table for table in tables if table.rows], report.record())


def _summary(files: tuple[FileReport, ...]) -> Table:
    from planner.figures import percent
    from planner.report.table import Table, headings

    return Table(
        "Predicted against measured",
        headings(
            "file | rows: | predicted: | refused: | median [error]: | p90 [error]: | bias: | in band [80 %]: | "
            "fit predicted [rightly]:"
        ),
        tuple(
            (
                f"{one.file} ({one.kind})",
                f"{one.rows:,}",
                f"{one.predicted:,}",
                f"{one.refused:,}",
                percent(one.median_abs_relative_error_share),
                percent(one.p90_abs_relative_error_share),
                percent(one.bias_share),
                percent(one.within_band_share),
                percent(one.verdict_right_share),
            )
            for one in files
        ),
        "rows marked C by their source are kept and not scored",
    )


def _blocks(title: str, blocks: tuple[BlockReport, ...]) -> Table:
    from planner.figures import percent
    from planner.report.table import Table, headings

    return Table(
        title,
        headings("block | figure | rows: | median [error]: | mean [error]: | within [25 %]: | in band: | worst row"),
        tuple(
            (
                one.name,
                one.metric,
                f"{one.count:,}",
                percent(one.median_abs_relative_error_share),
                percent(one.mean_abs_relative_error_share),
                percent(one.within_25_percent_share),
                percent(one.within_band_share),
                one.worst_id,
            )
            for one in blocks
        ),
    )


def _worst(one: FileReport) -> Table:
    from planner.figures import percent, significant
    from planner.report.table import Table, headings

    scored = [detail for detail in one.detail if detail.relative_error_share is not None and detail.primary]
    scored.sort(key=lambda detail: -abs(detail.relative_error_share or 0.0))
    refused = [detail for detail in one.detail if detail.predicted is None and detail.reason and detail.primary]
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
        f"{one.file}: the worst rows, and what was refused",
        headings("row | block | figure | measured: | predicted: | error, or why"),
        tuple(rows),
        f"{len(refused):,} refused in all" if len(refused) > WORST else "",
    )
