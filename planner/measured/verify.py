"""Verify: this program's predictions against measured rows, with the error shown and refusals counted.

`verify` reads tables in the columns of the shipped measured rows (the user's own, or published ones). Rows of quality C are
kept for the record and not scored. `recalibrate` turns a user's own rows into constants that hold for the user's own machines.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.errors import InputError
from planner.measured.classes import band_name, plain_row, row_class, sort_of
from planner.measured.encoders import encode_table, predict_encoding, predict_speech, speech_table
from planner.measured.images import image_table, is_clip, predict_images
from planner.measured.memory.predict import (
    MEMORY_CONSTANTS,
    exact_count,
    expected_bytes,
    file_bytes,
    fits_device,
    memory_table,
    predict_memory,
)
from planner.measured.rows import Row, accelerator_of, number, read_rows
from planner.measured.scores import Detail, FileReport, VerifyReport, file_report
from planner.measured.serving.predict import METRICS, predict_serving, serving_table
from planner.measured.serving.predict import constants_of_rows as serving_constants
from planner.measured.serving.rows import is_overloaded
from planner.measured.training.predict import constants_of_rows as training_constants
from planner.measured.training.predict import predict_training, training_table
from planner.measured.training.steps import (
    predict_image_training,
    predict_rewards,
    predict_tuning,
    stated_images_per_s,
    trains_images,
)
from planner.supply.calibration import OWN_ROWS, STACK_TAGS, Calibration, default_calibration, spread
from planner.supply.throughput.encoders import ENCODE_CONSTANTS, SPEECH_CONSTANTS
from planner.supply.throughput.image_training import TUNED_SORT
from planner.supply.throughput.images import IMAGE_CONSTANTS
from planner.supply.training.fleet import ROLLOUT_SPREAD_LOG
from pricing.errors import GpuplanError
from pricing.facts.accelerators import card_of

_HALF_80_PERCENT = 1.2816


def verify(
    paths: Sequence[Path], assumptions: Assumptions | None = None, *, calibration: Calibration | None = None
) -> VerifyReport:
    """Return predictions for the measured rows of some files.

    Parameters
    ----------
    paths : sequence of Path
        Tables in the columns of measured training, inference or memory rows.
    assumptions : Assumptions, optional
        Not used by steady-state rows; kept so that every command takes the same.
    calibration : Calibration, optional
        Fitted constants; the shipped ones by default.

    Raises
    ------
    InputError
        Where a file cannot be read or has other columns.
    """
    del assumptions
    used = calibration or default_calibration()
    reports = []
    for path in paths:
        kind, rows = read_rows(path)
        reports.append(verify_rows(kind, rows, used, file=str(path)))
    return VerifyReport(files=tuple(reports))


def verify_rows(kind: str, rows: Sequence[Row], calibration: Calibration, *, file: str = "") -> FileReport:
    """Return the report on rows of one sort."""
    named = [row if row.get("id") else {**row, "id": str(index + 1)} for index, row in enumerate(rows)]
    scored = [row for row in named if row.get("quality", "") != "C"]
    details: list[Detail] = []
    match kind:
        case "training":
            details = _training(scored, calibration)
        case "inference":
            images = [row for row in scored if row.get("kind", "") == "diffusion"]
            others = [row for row in scored if row.get("kind", "") in {"asr", "embedding"}]
            text = [row for row in scored if row.get("kind", "") not in {"diffusion", "asr", "embedding"}]
            details = _serving(text, calibration) + _images(images, calibration) + _kinds(others, calibration)
        case "kinds":
            details = _kinds(scored, calibration)
        case _:
            details = _memory(scored, calibration)
    return file_report(kind, file, named, scored, details)


def _detail(
    row: Row,
    metric: str,
    expected: float,
    predicted: float,
    sort: str,
    calibration: Calibration,
    *,
    primary: bool = True,
    spread_log: float | None = None,
) -> Detail:
    stated = calibration.rows.get((f"band.{sort}", "*"))
    factor = math.exp(_HALF_80_PERCENT * (spread_log or (stated.value if stated else 0.35)))
    return Detail(
        id=row["id"], block=row.get("block", ""), metric=metric, expected=expected, predicted=predicted, low=predicted / factor,
        high=predicted * factor, relative_error_share=predicted / expected - 1.0 if expected else None, sort=sort, primary=primary,
    )  # fmt: skip


def _unpredicted(row: Row, metric: str, reason: str, *, primary: bool = True) -> Detail:
    return Detail(
        id=row["id"], block=row.get("block", ""), metric=metric, expected=None, predicted=None, primary=primary, reason=reason
    )  # fmt: skip


def _refused(rows: Iterable[Row], refusals: Mapping[str, str], metric: str) -> list[Detail]:
    return [_unpredicted(row, metric, refusals[row["id"]]) for row in rows if row["id"] in refusals]


def _training(rows: Sequence[Row], calibration: Calibration) -> list[Detail]:
    metric = "tokens_per_s_per_gpu"
    pictures, rows = [row for row in rows if trains_images(row)], [row for row in rows if not trains_images(row)]
    with_target = [row for row in rows if number(row, metric) > 0]
    table, refusals = training_table(with_target)
    details = _image_training(pictures, calibration) + _refused(with_target, refusals, metric)
    reason = f"{metric} is not stated: nothing to compare"
    details += [_unpredicted(row, metric, reason, primary=False) for row in rows if not number(row, metric) > 0]
    if table.rows:
        predicted = predict_training(table, *training_constants(table, calibration))
        for row, machine, value in zip(table.rows, table.machines, predicted, strict=True):
            around = spread(calibration, band_name("training", row), "train.matmul_share", machine)
            sort = row_class("training", row)
            details.append(
                _detail(row, metric, number(row, metric), float(value), sort, calibration, spread_log=around)
            )
    return details


def _image_training(rows: Sequence[Row], calibration: Calibration) -> list[Detail]:
    stated = [row for row in rows if stated_images_per_s(row) > 0]
    predicted, refusals = predict_image_training(stated, calibration)
    return _refused(rows, {**{row["id"]: "images per second are not stated" for row in rows if row not in stated}, **refusals}, "images_per_s") + [
        _detail(row, "images_per_s", stated_images_per_s(row), predicted[row["id"]], "train.image", calibration)
        for row in stated
        if row["id"] in predicted
    ]  # fmt: skip


def _serving(rows: Sequence[Row], calibration: Calibration) -> list[Detail]:
    table, refusals = serving_table(rows)
    details = _refused(rows, refusals, "out_tok_s_total")
    if not table.rows:
        return details
    with np.errstate(all="ignore"):
        predicted = predict_serving(table, serving_constants(table, calibration))
    for index, row in enumerate(table.rows):
        primary = True
        for place, metric in enumerate(METRICS):
            expected, value = number(row, metric), float(predicted[metric][index])
            if metric in {"ttft_ms", "tpot_ms"} and (table.sort[index] == "queue" or is_overloaded(row)):
                continue  # a burst's times tell of its length, not of the server
            if not expected > 0 or not math.isfinite(value):
                continue
            sort, stated = row_class("serving", row, place), band_name("serving", row, place)
            around = calibration.value(f"band.{stated}")
            details.append(_detail(row, metric, expected, value, sort, calibration, primary=primary, spread_log=around))
            primary = False
        if primary:
            reason = "no figure of this row is one that is predicted for its load"
            details.append(_unpredicted(row, row.get("metric", ""), reason))
    return details


def _kinds(rows: Sequence[Row], calibration: Calibration) -> list[Detail]:
    """Return what the formula of each row's own kind says of its metric; a row of a metric that none predicts is refused."""
    details: list[Detail] = []
    by_sort: dict[str, list[Row]] = {}
    for row in rows:
        sort = sort_of(row) if number(row, "value") > 0 else ""
        by_sort.setdefault(sort, []).append(plain_row(row) if sort else row)
    for row in by_sort.get("", []):
        reason = f"no formula predicts {row.get('metric', '')!r} of {row.get('task', '') or row.get('kind', '')!r}"
        details.append(_unpredicted(row, row.get("metric", ""), reason))
    for row in by_sort.get("serving", []):
        details += _one_metric(row, _serving([row], calibration))
    for sort in ("images", "encode", "speech", "rewards", "tuning"):
        predicted, refusals = _predictions(sort, by_sort.get(sort, []), calibration)
        for row in by_sort.get(sort, []):
            metric = row.get("metric", "")
            if row["id"] in refusals:
                details.append(_unpredicted(row, metric, refusals[row["id"]]))
            else:
                name, spread_log = _class_and_spread(sort, row, calibration)
                value = predicted[row["id"]]
                details.append(
                    _detail(row, metric, number(row, "value"), value, name, calibration, spread_log=spread_log)
                )
    return details


def _class_and_spread(sort: str, row: Row, calibration: Calibration) -> tuple[str, float]:
    """Return the class of a row of one of many kinds, and the spread around its prediction."""
    if sort == "rewards":
        return sort, ROLLOUT_SPREAD_LOG
    if sort == "tuning":
        return TUNED_SORT, calibration.value(f"band.{TUNED_SORT}")
    problem = "video" if sort == "images" and is_clip(row) else sort
    return row_class(problem, row), calibration.value(f"band.{band_name(problem, row)}")


_FORMULAS: Mapping[str, tuple[Callable[..., Any], Callable[..., FloatArray], Sequence[str]]] = {
    "encode": (encode_table, predict_encoding, ENCODE_CONSTANTS),
    "speech": (speech_table, predict_speech, SPEECH_CONSTANTS),
    "images": (image_table, predict_images, IMAGE_CONSTANTS),
}
"""What reads the rows of a kind as columns, what predicts them, and the names of its constants."""


_ROW_BY_ROW = {"rewards": predict_rewards, "tuning": predict_tuning}


def _predictions(sort: str, rows: Sequence[Row], calibration: Calibration) -> tuple[dict[str, float], dict[str, str]]:
    """Return predictions in each row's own unit by its id, and why the others have none."""
    if sort in _ROW_BY_ROW:
        return _ROW_BY_ROW[sort](rows, calibration)
    read, predict, names = _FORMULAS[sort]
    table, refusals = read(rows)
    with np.errstate(all="ignore"):
        values = predict(table, table.constants(calibration, names))
    if sort != "images":
        return {row["id"]: float(value) for row, value in zip(table.rows, values, strict=True)}, refusals
    # The formula gives a rate in the unit that it reads; a row in seconds takes the inverse ratio.
    return {
        row["id"]: number(row, "value") * (float(seen / value) if row["metric"].endswith("_s") and "per_s" not in row["metric"] else float(value / seen))
        for row, seen, value in zip(table.rows, table.observed, values, strict=True)
    }, refusals  # fmt: skip


def _one_metric(row: Row, details: Sequence[Detail]) -> list[Detail]:
    """Return the prediction for the metric that a row states."""
    metric = row.get("metric", "")
    column = "tpot_ms" if metric == "decode_tok_s" else metric
    for item in details:
        if item.predicted is None:
            return [replace(item, metric=metric)]
        if item.metric == column and item.low and item.high:
            if metric != "decode_tok_s":
                return [replace(item, primary=True)]
            live = 1000.0 * number(row, "concurrency", default=1.0)
            speed, expected = live / item.predicted, number(row, "value")
            return [replace(item, metric=metric, primary=True, expected=expected, predicted=speed, low=live / item.high, high=live / item.low, relative_error_share=speed / expected - 1.0)]  # fmt: skip
    return [_unpredicted(row, metric, f"{metric} is not predicted for such a load")]


def _images(rows: Sequence[Row], calibration: Calibration) -> list[Detail]:
    table, refusals = image_table(rows)
    details = _refused(rows, refusals, "images_per_s")
    if table.rows:
        predicted = predict_images(table, table.constants(calibration, IMAGE_CONSTANTS))
        for row, expected, value in zip(table.rows, table.observed, predicted, strict=True):
            metric = "steps_per_s" if "steps_per_s" in row.get("metric", "") else "images_per_s"
            details.append(_detail(row, metric, float(expected), float(value), "image", calibration))
    return details


def _memory(rows: Sequence[Row], calibration: Calibration) -> list[Detail]:
    details = [_unpredicted(row, "value", "value must be above 0") for row in rows if not number(row, "value") > 0]
    rows = [row for row in rows if number(row, "value") > 0]
    peaks = [row for row in rows if row.get("kind", "peak_memory") in {"peak_memory", "oom", ""}]
    for row in rows:
        kind = row.get("kind", "")
        if kind not in {"param_count", "weights_size"}:
            continue
        try:
            value = exact_count(row) if kind == "param_count" else file_bytes(row)
        except GpuplanError as error:
            details.append(_unpredicted(row, kind, error.message))
            continue
        unit = expected_bytes(row) / number(row, "value")
        details.append(_detail(row, kind, number(row, "value"), value / unit, "memory", calibration))
    table, refusals = memory_table(peaks)
    details += _refused(peaks, refusals, "peak_memory")
    if not table.rows:
        return details
    constants = {
        name: np.asarray([calibration.value_at(f"memory.{name}", ("*",), tags) for tags in table.tags], dtype=float)
        for name in MEMORY_CONSTANTS
    }
    for row, value in zip(table.rows, predict_memory(table, constants), strict=True):
        unit = expected_bytes(row) / number(row, "value")
        failed = row.get("kind") == "oom"
        fits = fits_device(row, float(value))
        metric, expected = "oom" if failed else "peak_memory", number(row, "value")
        detail = _detail(row, metric, expected, float(value) / unit, "memory", calibration, primary=not failed)
        # A failed run has no peak to compare with, only a bound.
        error_share = None if failed else detail.relative_error_share
        details.append(replace(detail, relative_error_share=error_share, verdict_right=fits != failed))
    return details


def recalibrate(paths: Sequence[Path], assumptions: Assumptions | None = None) -> Calibration:
    """Return constants that meet the user's own measured rows on the accelerators that they name.

    For each accelerator the median ratio of measured to predicted time becomes its pace.

    Parameters
    ----------
    paths : sequence of Path
        Tables of the user's own rows.
    assumptions : Assumptions, optional
        For sizing: the general assumption that users make images slower than published tables (``perf.serving_practice_share``)
        is cancelled on these accelerators, since the rows are the user's. Without it the constants are those of `verify`.

    Raises
    ------
    InputError
        Where a file cannot be read, or none of its rows can be predicted.
    """
    used = default_calibration()
    ratios: dict[tuple[str, str], list[float]] = {}
    for path in paths:
        kind, rows = read_rows(path)
        if kind == "memory":
            continue
        # A machine that the user measured has the pace of his rows, whatever a stack's ratios say.
        report = verify_rows(kind, rows, used.without(STACK_TAGS), file=str(path))
        gpu_of = {row.get("id", "") or str(index + 1): row.get("gpu", "") for index, row in enumerate(rows)}
        for item in report.detail:
            chip = accelerator_of(gpu_of.get(item.id, ""))
            if chip is None or not item.primary or not item.predicted or not item.expected:
                continue
            work = "train" if kind == "training" else "image" if item.sort == "image" else "serve"
            slower = item.expected / item.predicted if item.metric.endswith("_ms") else item.predicted / item.expected
            if 0 < slower < math.inf:
                ratios.setdefault((f"{work}.pace_ratio", card_of(chip.name)), []).append(slower)
    where = ", ".join(str(path) for path in paths)
    if not ratios:
        raise InputError("none of these rows can be predicted, so nothing is calibrated", where=where)
    new = {}
    for (name, scope), values in ratios.items():
        practice = assumptions["perf.serving_practice_share"] if assumptions and name.startswith("image") else 1.0
        base = used.constant(name, (scope,))
        new[name, scope] = replace(
            base, scope=scope, value=base.value * float(np.median(values)) * practice, row_count=len(values), blocks=OWN_ROWS,
            stack="", source=where,
        )  # fmt: skip
    return used.with_rows(new)
