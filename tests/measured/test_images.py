"""Measured images: each table's convention is read before its rows are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fit.images import image_problem
from fit.problem import cross_validate

from planner.assumptions import default_assumptions
from planner.errors import InputError
from planner.measured.images import image_table, predict_images
from planner.measured.rows import Row, shipped_rows
from planner.measured.verify import recalibrate, verify_rows
from planner.report.notes import note_texts
from planner.supply.calibration import default_calibration
from planner.supply.throughput.images import IMAGE_CONSTANTS

BASE = {
    "id": "a", "block": "mine", "kind": "diffusion", "model": "stable-diffusion-v1.5 512x512", "precision": "fp16", "gpu": "A100-80GB-SXM",
    "n_gpus": "1", "batch": "1", "load": "50 steps, CFG", "framework": "diffusers, torch.compile", "metric": "latency_s", "value": "2", "quality": "A",
}  # fmt: skip


def row(**changes: str) -> Row:
    return {**BASE, **changes}


def predicted(*rows: Row) -> np.ndarray:
    table, refusals = image_table(rows)
    assert not refusals
    return predict_images(table, table.constants(default_calibration(), IMAGE_CONSTANTS))


def test_a_latency_of_a_batch_and_images_per_second_are_one_convention() -> None:
    table, _ = image_table([row(batch="4"), row(batch="4", metric="images_per_s_total", value="2", images_per_s="2")])
    assert table.observed.tolist() == [2.0, 2.0]


def test_a_row_of_steps_has_no_decoding_and_counts_the_steps_of_its_batch() -> None:
    steps = {"metric": "steps_per_s", "value": "20", "load": "denoising steps per second, CFG"}
    one, four, whole = predicted(row(**steps), row(**steps, batch="4"), row(load="1 steps, CFG"))
    assert four < one < 4 * four  # a step of four images takes longer than of one, not four times as long
    assert whole < one  # an image of one step is also decoded


def test_accelerators_with_images_of_their_own_make_as_many_again_those_that_share_one_do_not() -> None:
    one, eight, shared = predicted(
        row(), row(n_gpus="8", metric="images_per_s_total", load="offline, 50 steps"), row(n_gpus="8")
    )
    (alone,) = predicted(row(metric="images_per_s_total", load="offline, 50 steps"))
    assert eight == pytest.approx(8 * alone)
    assert one < shared < 8 * one


def test_a_clip_of_more_frames_takes_longer_than_in_proportion_since_frames_attend_to_each_other() -> None:
    clip = {"model": "wan2.1-t2v-14b", "framework": "diffusers", "metric": "step_time_s", "value": "1"}
    short, long = predicted(
        row(**clip, load="832x480, 41 frames, 50 steps"), row(**clip, load="832x480, 81 frames, 50 steps")
    )
    assert 2 * long < short


def test_steps_that_a_cache_skips_are_not_guessed() -> None:
    _, refusals = image_table([row(framework="TeaCache")])
    assert "skipped by a cache" in refusals["a"]


def test_launching_kernel_by_kernel_is_slower_than_a_compiled_graph() -> None:
    eager, compiled, engine = predicted(row(framework="diffusers"), row(), row(framework="TensorRT"))
    assert eager < compiled <= engine * 1.2


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"gpu": "Abacus 3000"}, "Abacus 3000"),
        ({"model": "llama-3.1-8b"}, "makes no images"),
        ({"value": ""}, "speed"),
    ],
)
def test_a_row_that_says_too_little_is_refused_in_words(changes: dict[str, str], told: str) -> None:
    _, refusals = image_table([row(**changes)])
    assert told in refusals["a"]


@pytest.mark.slow
def test_a_table_left_out_is_predicted_from_the_others() -> None:
    problem = image_problem(shipped_rows("inference"))
    score = cross_validate(problem)
    by_group, by_block = (np.abs(np.expm1(found[0])) for found in (score.by_group, score.by_block))
    assert np.median(by_group) < 0.20
    assert np.median(by_block) < 0.25
    band = 1.2816 * default_calibration().value("band.image")
    assert 0.75 <= np.mean(np.abs(score.by_block[0]) <= band) <= 0.88
    assert 0.75 <= np.mean(np.abs(score.by_group[0]) <= band) <= 0.90


def test_ones_own_images_recalibrate_that_accelerator_alone(tmp_path: Path) -> None:
    slow = float(predicted(row())[0]) / 2
    own = tmp_path / "mine.csv"
    columns = [*BASE, "input_len", "output_len", "images_per_s"]
    values = {**BASE, "images_per_s": f"{slow:.6f}"}
    own.write_text(",".join(columns) + "\n" + ",".join(f'"{values.get(name, "")}"' for name in columns) + "\n")
    after = recalibrate([own])
    assert after.rows["image.pace_ratio", "A100-80GB-SXM"].value == pytest.approx(2.0, rel=1e-3)
    again = verify_rows("inference", [values], after)
    assert again.median_abs_relative_error_share == pytest.approx(0.0, abs=1e-3)
    other = verify_rows("inference", [{**values, "gpu": "H100-SXM"}], after)
    plain = verify_rows("inference", [{**values, "gpu": "H100-SXM"}], default_calibration())
    assert other.detail[0].predicted == plain.detail[0].predicted
    assert any("image generation on A100-80GB-SXM" in note for note in note_texts(after.notes()))
    # A plan also takes back its general assumption that users are slower than published tables: the rows are the user's.
    sized = recalibrate([own], default_assumptions())
    practice = default_assumptions()["perf.serving_practice_share"]
    assert sized.rows["image.pace_ratio", "A100-80GB-SXM"].value == pytest.approx(2.0 * practice, rel=1e-3)


def test_a_file_without_any_row_that_can_be_predicted_calibrates_nothing(tmp_path: Path) -> None:
    own = tmp_path / "mine.csv"
    own.write_text("id,kind,model,gpu,input_len,output_len,metric,value\na,diffusion,sdxl,Abacus,,,latency_s,3\n")
    with pytest.raises(InputError, match="nothing is calibrated"):
        recalibrate([own])
