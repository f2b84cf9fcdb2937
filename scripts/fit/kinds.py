"""How encoders and speech to text are fitted: their constants, where each may differ, and how far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fit.problem import Problem, problem_of, tag_rows
from fit.solve import design
from planner.measured import encoders
from planner.measured.classes import plain_row, sort_of
from planner.measured.rows import Row

_ENCODE = {
    "flop_share": (0.55, 0.25), "traffic_bytes_per_flop": (0.004, 0.5), "layer_s": (2e-5, 0.6), "request_s": (2e-6, 0.3), "round_trip_s": (2e-2, 0.5),
    "pace_ratio": (1.0, 0.001),
}  # fmt: skip
_SPEECH = {"flop_share": (0.5, 0.3), "layer_s": (5e-4, 0.6), "host_s": (1e-2, 0.7), "pace_ratio": (1.0, 0.001)}
_ENCODE_TAGS: Mapping[str, set[str]] = {
    "flop_share": {"@neuron", "@mlperf", "@server", "@int8", "@fp8", "@eager"},
    "layer_s": {"@neuron", "@eager"},
    "request_s": {"@served", "@eager"},
}
_SPEECH_TAGS: Mapping[str, set[str]] = {
    "layer_s": {"@trtllm", "@whispers2t", "@whisperx", "@ctranslate2", "@openai", "@vllm", "@onnx", "@beam"},
    "host_s": {"@nemo", "@trtllm", "@whispers2t", "@whisperx", "@ctranslate2", "@openai", "@vllm", "@transformers_long", "@nemo_long", "@beam"},
}  # fmt: skip
_TAG_STARTS = {
    ("request_s", "@served"): 500.0,
    ("request_s", "@eager"): 100.0,
    ("layer_s", "@eager"): 5.0,
    ("layer_s", "@trtllm"): 0.1,
    ("layer_s", "@ctranslate2"): 0.3,
    ("host_s", "@nemo"): 0.1,
}


def _fit(
    name: str, rows: Sequence[Row], starts: Mapping[str, tuple[float, float]], tags: Mapping[str, set[str]]
) -> Problem:
    mine = [plain_row(row) for row in rows if sort_of(row) == name and row.get("quality") != "C"]
    read, formula = {
        "encode": (encoders.encode_table, encoders.predict_encoding),
        "speech": (encoders.speech_table, encoders.predict_speech),
    }[name]
    table, _ = read(mine)

    def predict(constants: Mapping[str, np.ndarray]) -> np.ndarray:
        return formula(table, constants)[None, :]

    def spread(constant: str, tag: str) -> float:
        return starts[constant][1] if tag == "*" else 0.6 if tag.startswith("@") else 0.15

    machine = {"flop_share"}
    rows_of_tags = tag_rows(
        table.scopes,
        table.tags,
        list(starts),
        machine,
        lambda constant, tag: tag in tags.get(constant, set()),
        lambda _, tag: tag == "@int8",
    )
    of = design(rows_of_tags, {constant: start for constant, (start, _) in starts.items()}, spread, _TAG_STARTS)
    return problem_of(
        name,
        table.rows,
        of,
        predict,
        table.observed[None, :],
        (1.0,),
        {constant: f"{name}.{constant}" for constant in starts},
    )


def encode_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of encoders: embedding, reranking, classifying."""
    return _fit("encode", rows, _ENCODE, _ENCODE_TAGS)


def speech_problem(rows: Sequence[Row]) -> Problem:
    """Return the fit of speech to text."""
    return _fit("speech", rows, _SPEECH, _SPEECH_TAGS)
