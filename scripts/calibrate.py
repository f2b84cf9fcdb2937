#!/usr/bin/env python3
"""Fit planner/facts/calibration.csv anew from the measured rows that the package ships, and print the honest score.

    scripts/calibrate.py                  fit, cross-validate, write calibration.csv and accuracy.csv
    scripts/calibrate.py --only memory    one table alone; the constants and scores of the others stay
    scripts/calibrate.py --check          fit and cross-validate only

Run by hand, in the checkout's environment (.venv/bin/python scripts/calibrate.py). Only the third layer is fitted: shares of
peaks, fixed times and presets. Parameters, FLOP and bytes are exact, and the formulas stand in planner/supply.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fit.images import image_problem, video_problem
from fit.kinds import encode_problem, speech_problem
from fit.memory import margin_ratio, memory_problem
from fit.problem import Problem, Score, cross_validate, residuals, solve
from fit.serving import serving_problem, stacks_problem
from fit.solve import Fitted, log_constants
from fit.training import training_problem

from planner.measured.classes import UNMEASURED, family_of, row_class
from planner.measured.memory.predict import fits_device, memory_table
from planner.measured.rows import shipped_rows
from planner.measured.serving.predict import METRICS

ROOT = Path(__file__).resolve().parents[1]

FITTED_ON = "2026-11-27"
UNITS = {
    "_s": "s",
    "_share": "share",
    "_ratio": "ratio",
    "_bytes": "bytes",
    "_knee": "elements or tokens",
    "_per_flop": "bytes per FLOP",
}
STARTS = ROOT / "planner" / "facts" / "calibration_starts.csv"
TABLE = ROOT / "planner" / "facts" / "calibration.csv"
ACCURACY = ROOT / "planner" / "facts" / "accuracy.csv"
ALL = {"training": "train.all", "serving": "serve.all"}
SINGLE = frozenset({"encode", "speech", "video", "cpu", "serve.default", "serve.default.ttft", "serve.submission"})
"""Classes of few tables: another row of a known table has the band of groups left out, what is planned that of whole tables."""
SPEED_METRICS = 2
"""Throughput and time per token, the first two metrics of serving, count together; training has one."""
FEWEST_ROWS = 4
"""Of which a spread is told."""
SOURCE = "scripts/calibrate on measured rows ({})"
PROBLEMS = {
    "images": (image_problem, "inference"),
    "memory": (memory_problem, "memory"),
    "training": (training_problem, "training"),
    "serving": (serving_problem, "inference"),
    "stacks": (stacks_problem, "inference kinds"),
    "encode": (encode_problem, "kinds"),
    "speech": (speech_problem, "kinds"),
    "video": (video_problem, "kinds"),
}


def unit_of(name: str) -> str:
    return next((unit for ending, unit in UNITS.items() if name.endswith(ending)), "")


def rows_of(problem: Problem, fitted: Fitted) -> list[dict[str, object]]:
    """Turn the fitted parts into constants by scope: composed from general to particular; tags stay ratios."""
    values = fitted.values()
    out: list[dict[str, object]] = []
    for name in problem.design.names:
        matrix = problem.design.matrices[name]
        for place, (owner, tag) in enumerate(problem.design.nodes):
            if owner != name:
                continue
            mine = matrix[:, place] > 0
            if (not mine.any() and tag != "*") or (problem.is_of_ratios and not tag.startswith("@")):
                continue
            if tag.startswith("@"):
                value, unit = values[name, tag], "ratio"
                if abs(math.log(value)) < 0.005:
                    continue  # says nothing
            else:
                # A row with this scope has all of its more general ones; their parts add up.
                example = matrix[np.flatnonzero(mine)[0]] if mine.any() else np.zeros(len(problem.design.nodes))
                chain = [
                    node
                    for index, node in enumerate(problem.design.nodes)
                    if example[index] > 0 and not node[1].startswith("@")
                ]
                cut = chain[: chain.index((name, tag)) + 1] if (name, tag) in chain else [(name, "*")]
                value, unit = math.prod(values[node] for node in cut), unit_of(name)
            blocks = Counter(block for block, flag in zip(problem.blocks, mine, strict=True) if flag)
            engines = Counter(row.get("framework", "") for row, flag in zip(problem.rows, mine, strict=True) if flag)
            out.append({
                "name": problem.prefixes[name],
                "scope": tag,
                "value": f"{value:.6g}",
                "unit": unit,
                "row_count": int(mine.sum()),
                "blocks": " ".join(block for block, _ in blocks.most_common(4)),
                "stack": "; ".join(engine for engine, _ in engines.most_common(3) if engine),
                "fitted_on": FITTED_ON,
                "source": SOURCE.format(problem.name),
            })  # fmt: skip
    return out


def bands(problem: Problem, left_out: np.ndarray) -> dict[str, tuple[float, int]]:
    """Return per class the spread whose 80 % band holds 80 % of the rows left out, and the number of rows."""
    found: dict[str, list[float]] = {}
    for metric in range(left_out.shape[0]):
        for index, row in enumerate(problem.rows):
            if problem.weights[metric, index] > 0 and np.isfinite(left_out[metric, index]):
                found.setdefault(row_class(problem.name, row, metric), []).append(abs(float(left_out[metric, index])))
    return {name: (spread_of(values), len(values)) for name, values in found.items() if len(values) >= FEWEST_ROWS}


def spread_of(sizes: Sequence[float]) -> float:
    """Return the standard deviation of a normal distribution whose central 80 % holds 80 % of the residuals."""
    return float(np.quantile(sizes, 0.8)) / 1.2816


def strangers(problem: Problem, keys: Sequence[str]) -> list[bool]:
    """Return for each row whether no row of its family stays in the fit when its group or block (`keys`) is left out."""
    families = [family_of(row, problem.name) for row in problem.rows]
    where: dict[tuple[str, ...], set[str]] = {}
    for family, key in zip(families, keys, strict=True):
        where.setdefault(family, set()).add(key)
    return [not where[family] - {key} for family, key in zip(families, keys, strict=True)]


def family_bands(problem: Problem, score: Score) -> dict[str, tuple[float, int]]:
    """Return the spreads of rows whose software was fitted on such chips elsewhere, and of strangers.

    Both ways of leaving out count. A row is a stranger where no row that stayed in the fit was of its family; strangers are
    never better known than the others.
    """
    known: dict[str, list[float]] = {}
    strange: dict[str, list[float]] = {}
    for keys, found in ((problem.groups, score.by_group), (problem.blocks, score.by_block)):
        is_stranger = strangers(problem, keys)
        for metric, index in zip(*np.nonzero((problem.weights > 0) & np.isfinite(found)), strict=True):
            side = strange if is_stranger[index] else known
            sort = row_class(problem.name, problem.rows[index], int(metric))
            side.setdefault(sort, []).append(abs(float(found[metric, index])))
    out: dict[str, tuple[float, int]] = {}
    for name in sorted({*known, *strange}):
        sides = [side[name] for side in (known, strange) if len(side.get(name, ())) >= FEWEST_ROWS]
        near, far = sides[0], sides[-1]
        out[name] = spread_of(near), len(near)
        out[f"{name}{UNMEASURED}"] = max(spread_of(near), spread_of(far)), len(far)
    return out


def reserve_ratio(problem: Problem, fitted: Fitted, by_group: np.ndarray) -> tuple[float, int]:
    """Return by how much activations and logits must be raised so that nine of ten left-out peaks stay below.

    States are arithmetic; what varies between runs is the rest, and a fit is judged by its upper end.
    """
    table, _ = memory_table(problem.rows)
    constants = log_constants(problem.design, fitted.theta)
    fixed = (table.lasting_bytes + table.gradient_bytes) * constants["state_ratio"] + constants["overhead_bytes"]
    ran = peaks(problem) & np.isfinite(by_group[0])
    observed = problem.observed[0]
    varying = np.maximum(observed * np.exp(by_group[0]) - fixed, 0.02 * observed)
    ratios = np.maximum(observed - fixed, 0.0) / varying
    return max(1.0, float(np.quantile(ratios[ran], 0.9))), int(ran.sum())


def peaks(problem: Problem) -> np.ndarray:
    """Return which rows measured a peak; the others failed, and tell a bound."""
    return np.asarray([row.get("kind") != "oom" for row in problem.rows])


def scores(
    problem: Problem, split: str, found: np.ndarray, spreads: Mapping[str, tuple[float, int]], keys: Sequence[str] = ()
) -> list[dict[str, object]]:
    """Return the errors of each class of rows, and how many lie inside their stated band: what docs/accuracy.md states.

    `keys` are the groups or blocks that were left out together; none in sample.
    """
    classes: dict[str, list[tuple[str, float, bool]]] = {}
    is_stranger = strangers(problem, keys) if keys else [False] * len(problem.rows)
    for metric in range(found.shape[0]):
        for index, row in enumerate(problem.rows):
            if problem.weights[metric, index] > 0 and np.isfinite(found[metric, index]):
                sort, error = row_class(problem.name, row, metric), float(found[metric, index])
                far = split == "by block" if sort in SINGLE else is_stranger[index]
                spread, _ = spreads.get(f"{sort}{UNMEASURED}" * far or sort) or spreads.get(sort, (0.0, 0))
                one = (problem.blocks[index], math.exp(error) - 1, abs(error) <= 1.2816 * spread)
                classes.setdefault(sort, []).append(one)
                if problem.name in ALL and metric < SPEED_METRICS:
                    classes.setdefault(ALL[problem.name], []).append(one)
                if problem.name == "serving" and METRICS[metric] == "tpot_ms":
                    classes.setdefault("serve.tpot", []).append(one)
    out: list[dict[str, object]] = []
    for name, values in sorted(classes.items()):
        errors = np.asarray([error for _, error, _ in values])
        sizes, blocks = np.abs(errors), np.asarray([block for block, _, _ in values])
        over_blocks = float(np.mean([np.mean(sizes[blocks == block]) for block in set(blocks.tolist())]))
        out.append({
            "class": name, "split": split, "row_count": len(values),
            "median_abs_relative_error_share": f"{np.median(sizes):.4f}", "mean_abs_relative_error_share": f"{np.mean(sizes):.4f}",
            "mean_over_blocks_share": f"{over_blocks:.4f}",
            "bias_share": f"{np.median(errors):.4f}", "within_25_percent_share": f"{np.mean(sizes < 0.25):.4f}",
            "within_30_percent_share": f"{np.mean(sizes < 0.30):.4f}", "below_by_5_percent_share": f"{np.mean(errors < -0.05):.4f}",
            "fit_told_rightly_share": f"{fit_told_rightly(problem, found):.4f}" if problem.name == "memory" else "",
            "in_band_share": f"{np.mean([held for _, _, held in values]):.4f}", "scored_on": FITTED_ON,
        })  # fmt: skip
        print(
            f"{problem.name:9s} {split:9s} {name:16s} n {len(values):4d}  median {np.median(sizes):6.1%}  mean {np.mean(sizes):6.1%}  "
            f"within 25 % {np.mean(sizes < 0.25):5.1%}  below by 5 % {np.mean(errors < -0.05):5.1%}  in band {out[-1]['in_band_share']}  "
            f"fit {out[-1]['fit_told_rightly_share']}"
        )
    return out


def fit_told_rightly(problem: Problem, found: np.ndarray) -> float:
    """Return the share of memory rows of which it was said rightly whether they fit their device."""
    told = [
        fits_device(row, float(seen * math.exp(error))) != (row.get("kind") == "oom")
        for row, seen, error in zip(problem.rows, problem.observed[0], found[0], strict=True)
    ]
    return sum(told) / len(told)


def write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a table of facts."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def row_of(name: str, value: float, unit: str, count: int) -> dict[str, object]:
    """Return a constant that comes from rows left out."""
    return {
        "name": name, "scope": "*", "value": f"{value:.4g}", "unit": unit, "row_count": count, "blocks": "", "stack": "",
        "fitted_on": FITTED_ON, "source": "scripts/calibrate: residuals of groups left out",
    }  # fmt: skip


def read(path: Path) -> list[dict[str, object]]:
    """Return the rows of a table of facts; none where it is not there yet."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def main() -> int:
    parser = argparse.ArgumentParser(description="Fit the calibration anew, and score it on rows left out.")
    parser.add_argument("--check", action="store_true", help="fit and score, write nothing")
    parser.add_argument(
        "--only", choices=tuple(PROBLEMS), action="append", help="fit these tables alone, keep the rest"
    )
    asked = parser.parse_args()
    wanted = asked.only or list(PROBLEMS)
    np.seterr(all="ignore")
    fresh = set(wanted) == set(PROBLEMS)
    stale = {SOURCE.format(name) for name in wanted}
    rows: list[dict[str, object]] = []
    found: list[dict[str, object]] = []
    for name in wanted:
        make, table = PROBLEMS[name]
        problem = make([row for kind in table.split() for row in shipped_rows(kind)])
        fitted, score = solve(problem), cross_validate(problem)
        inside = residuals(problem, fitted.theta)
        if name == "memory":
            value, count = reserve_ratio(problem, fitted, score.by_group)
            print(f"memory reserve {value:.3f}  ({count} rows left out)")
            rows.append(row_of("memory.reserve_ratio", value, "ratio", count))
            margin = margin_ratio(score.by_group[0][peaks(problem)])
            print(f"memory margin {margin:.2f}  ({count} rows left out)")
            rows.append(row_of("memory.margin_ratio", margin, "ratio", count))
            more = math.log(margin)
            inside, score = inside + more, Score(by_group=score.by_group + more, by_block=score.by_block + more)
        # Few tables state images, and a user's own is a stranger to all of them: its band is that of whole tables left out.
        left_out = score.by_block if name == "images" else score.by_group
        spreads = family_bands(problem, score) if name in ALL else bands(problem, left_out)
        near, far = bands(problem, score.by_group), bands(problem, score.by_block)
        for sort in SINGLE & near.keys() & far.keys():
            spreads |= {sort: near[sort], f"{sort}{UNMEASURED}": max(near[sort], far[sort])}
        scored = [
            *scores(problem, "in sample", inside, spreads),
            *scores(problem, "by group", score.by_group, spreads, problem.groups),
            *scores(problem, "by block", score.by_block, spreads, problem.blocks),
        ]
        found += scored
        rows += rows_of(problem, fitted)
        for sort, (value, count) in sorted(spreads.items()):
            print(f"band {sort:20s} {value:.3f}  ({count} rows left out)")
            rows.append(row_of(f"band.{sort}", value, "natural logarithm", count))
    if not asked.check:
        # What is kept is read now, after the minutes of fitting: another table's fit may have been written meanwhile.
        classes = {one["class"] for one in found}
        kept = [] if fresh else [row for row in read(TABLE) if row["source"] not in stale]
        rows = read(STARTS) + kept + rows
        found = ([] if fresh else [one for one in read(ACCURACY) if one["class"] not in classes]) + found
        merged = {(str(row["name"]), str(row["scope"])): row for row in rows}
        columns = ["name", "scope", "value", "unit", "row_count", "blocks", "stack", "fitted_on", "source"]
        write(TABLE, columns, (merged[key] for key in sorted(merged)))
        order = {name: place for place, name in enumerate(("in sample", "by group", "by block"))}
        found.sort(key=lambda row: (str(row["class"]), order[str(row["split"])]))
        write(ACCURACY, list(found[0]), found)
        print(f"{len(merged)} constants written to {TABLE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
