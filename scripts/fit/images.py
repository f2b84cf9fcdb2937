"""How image generation is fitted: its constants, where each may differ, and how far.

The starting values are general knowledge, not these rows: a large matrix product reaches 80 to 90 % of what a chip sustains,
a PyTorch kernel takes its host some 5 to 10 microseconds and the accelerator a few (a block has about a hundred and thirty),
a compiler's fusion saves about 40 % of the traffic of norms and activations, 8 bit brings 1.3 to 1.5 times, not twice.
A table that is left out is judged by these and by the other tables.
"""

from __future__ import annotations

from collections.abc import Sequence

from fit.problem import Problem, problem_of, tag_rows
from fit.solve import design
from planner.measured.classes import plain_row, sort_of
from planner.measured.images import image_table, is_clip, predict_images
from planner.measured.rows import Row
from planner.supply.throughput.images import IMAGE_CONSTANTS

_STARTS = {
    "flop_share": 0.8,
    "traffic_bytes_per_flop": 0.006,
    "block_s": 1.2e-4,
    "host_block_s": 8e-4,
    "serial_share": 0.05,
    "pace_ratio": 1.0,
}
_SPREADS = {
    "flop_share": 0.15,
    "traffic_bytes_per_flop": 0.5,
    "block_s": 0.4,
    "host_block_s": 0.4,
    "serial_share": 0.7,
    "pace_ratio": 0.001,
}
_TAG_STARTS = {
    ("traffic_bytes_per_flop", "@compiled"): 0.6,
    ("flop_share", "@fp8"): 0.7,
    ("flop_share", "@fp8_eager"): 0.5,
    ("flop_share", "@neuron"): 0.6,
}
_TAGS = {
    "flop_share": {"@fp8", "@fp8_eager", "@weight_only", "@lightx2v", "@fp32", "@fp32_vector", "@neuron", "@server"},
    "traffic_bytes_per_flop": {"@compiled", "@tensorrt"},
}
_TAG_SPREADS = {"@fp32": 0.3, "@fp32_vector": 0.3, "@neuron": 0.3, "@server": 0.1}


def image_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of image generation."""
    return _problem("images", rows)


def video_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of video generation: the same formula, over all latent frames of a clip at once."""
    return _problem("video", rows)


def _problem(name: str, rows: Sequence[Row]) -> Problem:
    plain = [plain_row(row) if sort_of(row) == "images" else row for row in rows]
    scored = [row for row in plain if row.get("kind") == "diffusion" and row.get("quality") != "C"]
    is_video = name == "video"
    table, _ = image_table([row for row in scored if is_clip(row) == is_video])

    def spreads(constant: str, tag: str) -> float:
        if tag == "*":
            return _SPREADS[constant]
        return _TAG_SPREADS.get(tag, 0.2) if tag.startswith("@") else 0.15

    tags = tag_rows(
        table.scopes,
        table.tags,
        list(_STARTS),
        {"flop_share", "traffic_bytes_per_flop", "serial_share"},
        lambda constant, tag: tag in _TAGS.get(constant, set()),
        lambda *_: False,
    )
    return problem_of(
        name,
        table.rows,
        design(tags, _STARTS, spreads, _TAG_STARTS),
        lambda constants: predict_images(table, constants)[None, :],
        table.observed[None, :],
        (1.0,),
        {constant: f"{'video' if is_video else 'image'}.{constant}" for constant in IMAGE_CONSTANTS},
    )
