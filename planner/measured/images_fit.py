"""How image generation is fitted: its constants, where each may differ, and how far."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from planner.measured.fit import design
from planner.measured.images import IMAGE_CONSTANTS, image_table, predict_images
from planner.measured.problem import Problem, problem_of, tag_rows
from planner.measured.rows import Row

__all__ = ["image_problem"]

FloatArray = NDArray[np.float64]


def image_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of image generation."""
    table, _ = image_table([row for row in rows if row.get("kind") == "diffusion" and row.get("quality") != "C"])
    starts = {"flop_share": 0.4, "knee_tflop": 0.2, "step_s": 0.012}

    def spreads(name: str, tag: str) -> float:
        if name == "knee_tflop":
            return 0.05
        if tag == "*":
            return 0.4
        return 0.4 if tag == "@fp32_vector" else 0.3 if tag.startswith("@") else 0.2

    tags = tag_rows(
        table.scopes,
        table.tags,
        list(starts),
        {"flop_share"},
        lambda name, tag: name == "flop_share" or tag == "@compiled",
        lambda *_: False,
    )
    of = design(tags, starts, spreads)
    prefixes = {name: f"image.{name}" for name in IMAGE_CONSTANTS}
    return problem_of(
        "images",
        table.rows,
        of,
        lambda c: predict_images(table, dict(c))[None, :],
        table.observed[None, :],
        (1.0,),
        prefixes,
    )
