"""Scores: the errors of predictions, row by row and in groups, as values that a report shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from planner.measured.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """One figure of one row.

    Attributes
    ----------
    id, block, metric : str
        The row, its table, and the column (or the sort of memory row) that is compared.
    expected, predicted : float or None
        In the row's own unit; None where nothing is predicted.
    low, high : float or None
        The stated 80 % band.
    relative_error_share : float or None
        ``predicted / expected - 1``.
    sort : str
        Class of rows whose errors are of one kind.
    primary : bool
        Whether the figure counts in the file's medians: one per row does.
    verdict_right : bool or None
        For memory: whether "fits" or "does not fit" was said rightly.
    reason : str
        Why nothing is predicted or scored.
    """

    id: str
    block: str
    metric: str
    expected: float | None
    predicted: float | None
    low: float | None = None
    high: float | None = None
    relative_error_share: float | None = None
    sort: str = ""
    primary: bool = True
    verdict_right: bool | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReport:
    """Errors of one task and metric, and how many rows of it were refused."""

    task: str
    metric: str
    rows: int
    predicted: int
    refused: int
    median_abs_relative_error_share: float | None
    in_band_share: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockReport:
    """Errors of one block, or of one class and metric."""

    name: str
    metric: str
    count: int
    median_abs_relative_error_share: float
    mean_abs_relative_error_share: float
    p90_abs_relative_error_share: float
    bias_share: float
    within_25_percent_share: float
    within_band_share: float
    worst_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """What came of one file; shares are of primary figures of scored rows."""

    file: str
    kind: str
    rows: int
    predicted: int
    refused: int
    not_scored: int
    median_abs_relative_error_share: float | None
    p90_abs_relative_error_share: float | None
    bias_share: float | None
    within_band_share: float | None
    verdict_right_share: float | None
    by_block: tuple[BlockReport, ...]
    by_class: tuple[BlockReport, ...]
    groups: tuple[GroupReport, ...]
    detail: tuple[Detail, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """All files."""

    files: tuple[FileReport, ...]

    def record(self) -> dict[str, object]:
        """Return the report as plain values: the JSON of ``gpuplan verify --format json``."""
        groups = [_plain(group) for item in self.files for group in item.groups]
        return {"schema_version": 1, "files": [_plain(item) for item in self.files], "groups": groups}


def _plain(item: object) -> object:
    """Return a dataclass as a dictionary, tuples as lists; the keys are the field names."""
    fields = getattr(item, "__dataclass_fields__", None)
    if fields is not None:
        return {name: _plain(getattr(item, name)) for name in fields}
    return [_plain(entry) for entry in item] if isinstance(item, tuple) else item


def file_report(
    kind: str, file: str, rows: Sequence[Row], scored: Sequence[Row], details: Sequence[Detail]
) -> FileReport:
    """Return what came of the rows of one file: medians over primary figures, blocks and classes over all."""
    order = {row["id"]: place for place, row in enumerate(rows)}
    ordered = sorted(details, key=lambda item: order[item.id])
    counted = [item for item in ordered if item.primary and item.relative_error_share is not None]
    errors = np.asarray([abs(item.relative_error_share or 0.0) for item in counted])
    refused = [item for item in ordered if item.predicted is None and item.primary]
    untold = {item.id for item in ordered if item.predicted is None and not item.primary}
    set_aside = [
        Detail(id=row["id"], block=row.get("block", ""), metric="", expected=None, predicted=None, primary=False, reason="quality C: kept for the record, not scored")
        for row in rows
        if row.get("quality", "") == "C"
    ]  # fmt: skip
    verdicts = [item.verdict_right for item in ordered if item.verdict_right is not None]
    bands = [
        item.low <= item.expected <= item.high
        for item in counted
        if item.low is not None and item.high is not None and item.expected is not None
    ]
    return FileReport(
        file=file,
        kind=kind,
        rows=len(rows),
        predicted=len({item.id for item in ordered if item.predicted is not None}),
        refused=len({item.id for item in refused}),
        not_scored=len(rows) - len(scored) + len(untold),
        median_abs_relative_error_share=float(np.median(errors)) if errors.size else None,
        p90_abs_relative_error_share=float(np.quantile(errors, 0.9)) if errors.size else None,
        bias_share=float(np.median([item.relative_error_share or 0.0 for item in counted])) if errors.size else None,
        within_band_share=float(np.mean(bands)) if bands else None,
        verdict_right_share=float(np.mean(verdicts)) if verdicts else None,
        by_block=_grouped(ordered, lambda item: item.block),
        by_class=_grouped(ordered, lambda item: item.sort),
        groups=groups_of(ordered, {row["id"]: row.get("task", "") or kind for row in rows}),
        detail=(*ordered, *set_aside),
    )


def groups_of(details: Sequence[Detail], tasks: Mapping[str, str]) -> tuple[GroupReport, ...]:
    """Return the errors of each task and metric; `tasks` says what each row is of."""
    groups: dict[tuple[str, str], list[Detail]] = {}
    for item in details:
        groups.setdefault((tasks.get(item.id, ""), item.metric), []).append(item)
    reports = []
    for (task, metric), items in sorted(groups.items()):
        scored = [item for item in items if item.relative_error_share is not None]
        errors = [abs(item.relative_error_share or 0.0) for item in scored]
        inside = [(item.low or 0.0) <= (item.expected or 0.0) <= (item.high or math.inf) for item in scored]
        reports.append(
            GroupReport(
                task=task, metric=metric, rows=len(items), predicted=len(scored), refused=sum(item.predicted is None for item in items),
                median_abs_relative_error_share=float(np.median(errors)) if errors else None,
                in_band_share=float(np.mean(inside)) if inside else None,
            )
        )  # fmt: skip
    return tuple(reports)


def _grouped(details: Sequence[Detail], key: Callable[[Detail], str]) -> tuple[BlockReport, ...]:
    groups: dict[tuple[str, str], list[Detail]] = {}
    for item in details:
        if item.relative_error_share is not None:
            groups.setdefault((key(item), item.metric), []).append(item)
    reports = []
    for (name, metric), items in sorted(groups.items()):
        errors = np.asarray([item.relative_error_share for item in items], dtype=float)
        sizes = np.abs(errors)
        inside = [(item.low or 0.0) <= (item.expected or 0.0) <= (item.high or math.inf) for item in items]
        reports.append(
            BlockReport(
                name=name, metric=metric, count=len(items), median_abs_relative_error_share=float(np.median(sizes)),
                mean_abs_relative_error_share=float(sizes.mean()), p90_abs_relative_error_share=float(np.quantile(sizes, 0.9)),
                bias_share=float(np.median(errors)), within_25_percent_share=float(np.mean(sizes < 0.25)),
                within_band_share=float(np.mean(inside)), worst_id=items[int(np.argmax(sizes))].id,
            )
        )  # fmt: skip
    return tuple(reports)
