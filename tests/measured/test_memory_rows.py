"""Memory rows: told on the high side, sensible for frameworks never seen, and lower with every technique that saves."""

from __future__ import annotations

import csv
from importlib import resources

import numpy as np
import pytest
from fit.memory import margin_ratio
from fit.solve import design, fit

from planner.measured.memory.predict import device_bytes, file_bytes, fits_device
from planner.measured.memory.presets import GENERAL, preset_of, quantised_bytes, states_per_parameter
from planner.measured.rows import Row, shipped_rows
from planner.measured.verify import verify_rows
from planner.supply.calibration import default_calibration

MINE: Row = {
    "id": "a", "kind": "peak_memory", "model": "llama-3.1-8b", "method": "full-ft", "precision": "bf16", "optimizer": "AdamW",
    "seq_len": "4096", "micro_batch": "1", "n_gpus": "8", "gpu": "H100-SXM", "sharding": "zero3", "recompute": "none",
    "value": "60", "unit": "GB", "memory_metric": "max allocated",
}  # fmt: skip


def _told(**changed: str) -> float:
    [item] = verify_rows("memory", [{**MINE, **changed}], default_calibration()).detail
    assert item.predicted is not None, item.reason
    return item.predicted


def _scores(split: str) -> dict[str, float]:
    with resources.files("planner").joinpath("facts", "accuracy.csv").open(encoding="utf-8") as handle:
        found = next(row for row in csv.DictReader(handle) if (row["class"], row["split"]) == ("memory", split))
    return {name: float(found[name]) for name in found if name.endswith("_share")}


def test_rows_left_out_meet_the_goals_and_whole_tables_left_out_the_median() -> None:
    group, block = _scores("by group"), _scores("by block")
    assert group["median_abs_relative_error_share"] <= 0.10
    assert group["below_by_5_percent_share"] < 0.05
    assert group["fit_told_rightly_share"] >= 0.95
    assert block["median_abs_relative_error_share"] <= 0.10
    assert block["fit_told_rightly_share"] >= 0.95


def test_few_shipped_peaks_are_told_too_low() -> None:
    report = verify_rows("memory", shipped_rows("memory"), default_calibration())
    errors = [item.relative_error_share for item in report.detail if item.metric == "peak_memory"]
    low = [error for error in errors if error is not None and error < -0.05]
    assert len(low) <= 0.05 * len(errors)
    assert report.refused == 0


def test_a_table_of_another_name_is_predicted_much_the_same() -> None:
    rows = [row for row in shipped_rows("memory") if row["kind"] == "peak_memory"]
    renamed = [{**row, "block": "somebody"} for row in rows]
    calibration = default_calibration()
    known = {item.id: item.predicted for item in verify_rows("memory", rows, calibration).detail}
    report = verify_rows("memory", renamed, calibration)
    ratios = [item.predicted / (known[item.id] or 0.0) for item in report.detail if item.predicted]
    assert len(ratios) == len(rows)
    assert np.median(np.abs(np.log(ratios))) < 0.05
    assert report.median_abs_relative_error_share is not None
    assert report.median_abs_relative_error_share < 0.10


def test_rows_of_a_framework_that_nobody_knows_are_predicted_and_not_refused() -> None:
    rows = [row for row in shipped_rows("memory") if row["kind"] in {"peak_memory", "oom"}]
    strange = [{**row, "block": "mine", "source": "my lab", "notes": ""} for row in rows]
    report = verify_rows("memory", strange, default_calibration())
    assert report.refused == 0
    assert report.median_abs_relative_error_share is not None
    assert report.median_abs_relative_error_share < 0.25
    assert report.verdict_right_share is not None
    assert report.verdict_right_share > 0.9


def test_a_method_that_nobody_listed_leaves_a_frozen_base() -> None:
    assert _told(method="vera", sharding="none", n_gpus="1") < 0.6 * _told(sharding="none", n_gpus="1")
    assert _told(method="full-finetuning") == _told(method="full-ft")


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"recompute": "full"}, {"recompute": "selective"}),
        ({"recompute": "selective"}, {"recompute": "none"}),
        ({"n_gpus": "16"}, {"n_gpus": "8"}),
        ({"sharding": "zero3"}, {"sharding": "zero2"}),
        ({"sharding": "zero2"}, {"sharding": "zero1"}),
        ({"sharding": "zero1"}, {"sharding": "none"}),
        ({"optimizer": "AdamW 8-bit"}, {"optimizer": "AdamW"}),
        ({"notes": "chunked cross entropy"}, {}),
        ({"notes": "compile"}, {}),
        ({"seq_len": "2048"}, {"seq_len": "4096"}),
        ({"micro_batch": "1"}, {"micro_batch": "2"}),
        ({"cp": "2"}, {"cp": "1"}),
        ({"method": "qlora", "sharding": "none"}, {"method": "lora", "sharding": "none"}),
        ({"memory_metric": "max allocated"}, {"memory_metric": "nvidia-smi"}),
    ],
)
def test_what_saves_memory_is_told_so(less: dict[str, str], more: dict[str, str]) -> None:
    assert _told(**less) < _told(**more)


def test_experts_have_fewer_twins_to_share_their_optimizer_with() -> None:
    one = {"model": "mixtral-8x7b", "sharding": "zero1", "n_gpus": "64", "dp": "64", "recompute": "full"}
    spread = _told(**one, notes="EP8")
    assert spread < _told(**one)
    # 64 accelerators over 8 groups of experts: the states of an expert have 8 twins, not 64.
    assert spread > 1e-9 * (2 + 2 + 12 / 8) * 45.1e9 / 8


def test_the_framework_is_read_from_block_source_or_notes() -> None:
    assert preset_of({"block": "x", "source": "Lightning-AI/litgpt README"})[0] == "litgpt"
    assert preset_of({"block": "torchtune-ladder"})[0] == "torchtune"
    assert preset_of({"block": "x", "source": "NVIDIA-NeMo/Megatron-Bridge"})[0] == "megatron-bridge"
    assert preset_of({"block": "x"}) == ("", GENERAL)


def test_what_a_row_states_comes_before_its_preset() -> None:
    assert states_per_parameter({"precision": "fp32"}, GENERAL) == (4.0, 4.0, 8.0)
    assert states_per_parameter({"precision": "bf16-true"}, GENERAL) == (2.0, 2.0, 4.0)
    assert states_per_parameter({"precision": "bf16", "optimizer": "AdamW 8-bit"}, GENERAL) == (2.0, 2.0, 2.0)
    assert states_per_parameter({"notes": "paged optimizer in backward"}, GENERAL) == (2.0, 0.0, 0.3)


def test_a_device_whose_name_two_sizes_share_is_the_larger() -> None:
    assert device_bytes({"gpu": "A100"}) > device_bytes({"gpu": "A100-SXM4-40GB"})


def test_a_run_that_failed_is_judged_by_what_it_had() -> None:
    failed: Row = {**MINE, "kind": "oom", "gpu": "A10G", "value": "24", "unit": "GB"}
    assert not fits_device(failed, 30e9)
    assert fits_device(failed, 12e9)


def test_file_formats_have_their_published_bits() -> None:
    assert quantised_bytes("nf4") == 0.5625
    assert quantised_bytes("bnb.nf4-dq") == 0.516
    assert quantised_bytes("bf16x") is None
    row: Row = {"id": "a", "model": "llama-3-70b", "quantization": "Q8_0"}
    assert file_bytes(row) == pytest.approx(69.83 * 2**30, rel=0.01)


def test_the_margin_is_the_least_that_leaves_one_in_25_too_low() -> None:
    assert margin_ratio(np.zeros(100)) == 1.0
    assert margin_ratio(np.log(np.r_[[0.5] * 4, [0.94] * 46, [1.0] * 50])) == pytest.approx(1.04)
    assert margin_ratio(np.log(np.full(10, 0.5))) == pytest.approx(1.10)


def test_a_fit_that_fears_the_low_side_leans_high() -> None:
    tags = [{"size": ("*",)}] * 9
    of = design(tags, {"size": 1.0}, lambda *_: 10.0)
    seen = np.exp(np.linspace(-0.4, 0.4, 9))[None, :]
    weights = np.ones_like(seen)

    def predict(constants: dict[str, np.ndarray]) -> np.ndarray:
        return constants["size"][None, :]

    even = fit(of, predict, seen, weights).values()["size", "*"]  # type: ignore[arg-type]
    leaning = fit(of, predict, seen, weights, low_weight_ratio=6.0).values()["size", "*"]  # type: ignore[arg-type]
    assert even == pytest.approx(1.0, abs=0.02)
    assert even * 1.05 < leaning < 1.5
