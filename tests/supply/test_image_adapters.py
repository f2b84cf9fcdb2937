"""Training adapters of image and video models: time, memory, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner.assumptions import default_assumptions
from planner.cli import main
from planner.demand.models import known_model
from planner.demand.workload import Workload
from planner.measured.rows import shipped_rows
from planner.measured.verify import verify_rows
from planner.options.servers import own_machine
from planner.supply.calibration import default_calibration
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet, Refusal
from pricing.facts.accelerators import accelerators


def _estimate(
    model: str, gpu: str = "H100-SXM", count: int = 1, precision: str = "", **work: object
) -> Fleet | Refusal:
    content = {"kind": "finetune", "model": model, "finetune": {"steps": 1000, **work}}
    asked = Workload.model_validate(content | ({"precision": precision} if precision else {}))
    machine = own_machine(accelerators()[gpu], count)
    return estimate(asked, known_model(model), machine, count, default_assumptions())


def _fleet(model: str, gpu: str = "H100-SXM", count: int = 1, precision: str = "", **work: object) -> Fleet:
    found = _estimate(model, gpu, count, precision, **work)
    assert isinstance(found, Fleet)
    return found


def _gib(fleet: Fleet) -> float:
    assert fleet.memory is not None
    return fleet.memory.total_bytes / 2**30


def test_checkpointing_takes_half_more_time_and_far_less_memory() -> None:
    with_it, without = _fleet("sdxl"), _fleet("sdxl", checkpointing=False)
    assert with_it.performance.step_s == pytest.approx(1.5 * (without.performance.step_s or 0.0))
    assert _gib(without) - _gib(with_it) > 5.0


def test_narrow_frozen_weights_fit_a_smaller_card_and_take_more_time() -> None:
    refused = _estimate("flux.1-dev", "RTX 4090")
    assert isinstance(refused, Refusal)
    assert refused.stage == "memory"
    narrow, wide = _fleet("flux.1-dev", "RTX 4090", method="qlora"), _fleet("flux.1-dev", method="lora")
    assert _gib(narrow) < 16.0 < _gib(wide)
    assert (_fleet("flux.1-dev", precision="int8").performance.step_s or 0.0) > (wide.performance.step_s or 0.0)


def test_what_is_not_cached_stays_on_the_gpu() -> None:
    flux = known_model("flux.1-dev").diffusion
    assert flux is not None
    more = _gib(_fleet("flux.1-dev", cached=False)) - _gib(_fleet("flux.1-dev"))
    assert more == pytest.approx(2.0 * (flux.text_encoder_parameter_count + flux.decoder_parameter_count) / 2**30)


def test_several_gpus_see_as_many_images_in_less_time() -> None:
    one, four = _fleet("sdxl", batch=2), _fleet("sdxl", count=4, batch=2)
    assert (one.busy_hours_per_run or 0.0) == pytest.approx(4.0 * (four.busy_hours_per_run or 0.0))


def test_frames_of_a_clip_count_and_an_image_has_one(capsys: pytest.CaptureFixture[str]) -> None:
    clip = _fleet("wan2.1-t2v-1.3b", frames=81, width=832, height=480)
    image = _fleet("wan2.1-t2v-1.3b", width=832, height=480)
    assert (clip.performance.step_s or 0.0) > 5.0 * (image.performance.step_s or 0.0)
    assert main(["estimate", "finetune", "--model", "sdxl", "--steps", "10", "--frames", "5", "--on", "l4"]) == 2
    assert "one frame" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--model flux.1-dev --tokens 1M", "state steps in place of tokens_m"),
        ("--model llama-3.1-8b --steps 100", "state tokens_m in place of steps"),
        ("--model flux.1-dev --steps 100 --tokens 1M", "leave one of them out"),
        ("--model flux.1-dev --steps 100", "method: qlora"),
    ],
)
def test_a_question_that_cannot_be_is_answered_with_the_way_out(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["estimate", "finetune", *words.split(), "--on", "rtx-4090"]) in {2, 3}
    assert told in capsys.readouterr().err


def test_where_no_band_of_memory_can_be_stood_by_the_answer_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    for model, is_said in (("sana-1.6b", True), ("sdxl", False)):
        assert main(["estimate", "finetune", "--model", model, "--steps", "10", "--on", "l40s", "-f", "json"]) == 0
        notes = " ".join(json.loads(capsys.readouterr().out)["notes"])
        assert ("no band can be stood by" in notes) is is_said


def test_a_plan_is_made_for_it(tmp_path: Path) -> None:
    target = tmp_path / "plan.json"
    assert (
        main(["plan", "finetune", "--model", "sdxl", "--steps", "3000", "--as-of", "2026-11-26", "-o", str(target)])
        == 0
    )
    plan = json.loads(target.read_text(encoding="utf-8"))
    assert plan["requirements"]["unit"] == "trained_images"
    assert plan["verdict"]["choice"] in {"rent", "free"}


def test_measured_rows_lie_in_the_band_that_is_stated() -> None:
    rows = [row for row in shipped_rows("kinds") if row["kind"] == "lora-diffusion"]
    details = verify_rows("kinds", rows, default_calibration(), file="rows").detail
    steps = [item for item in details if item.metric == "step_time_s" and item.predicted is not None]
    scored = [item for item in steps if item.relative_error_share is not None]
    errors = sorted(abs(item.relative_error_share or 0.0) for item in scored)
    inside = [item for item in scored if (item.low or 0.0) <= (item.expected or 0.0) <= (item.high or 0.0)]
    assert len(scored) > 80
    assert errors[len(errors) // 2] < 0.25
    assert 0.75 <= len(inside) / len(scored) <= 0.88
    reasons = {item.reason for item in details if item.predicted is None}
    assert any("lies in host memory" in reason for reason in reasons)
    assert any("all weights" in reason for reason in reasons)
