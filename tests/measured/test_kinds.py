"""Tables of many kinds of work: each row is predicted by the formula of its kind, each task and metric scored apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner.assumptions import default_assumptions
from planner.demand.models import known_model, suitable_model
from planner.demand.workload import Video, Workload
from planner.errors import InputError
from planner.measured.classes import band_name, plain_row
from planner.measured.encoders import encode_table, speech_table
from planner.measured.rows import Row, read_rows, shipped_rows
from planner.measured.scores import VerifyReport
from planner.measured.verify import verify, verify_rows
from planner.supply.calibration import default_calibration
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet, Machine
from pricing.facts.accelerators import accelerators

HEADER = "id,kind,task,model,params_b,precision,gpu,n_gpus,engine,batch,concurrency,input_len,output_len,width,height,frames,steps,audio_seconds,metric,value,unit,quality,notes"


def _report(tmp_path: Path, *lines: str) -> VerifyReport:
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    return verify([path])


def test_each_task_and_metric_is_scored_apart_in_the_units_of_its_rows(tmp_path: Path) -> None:
    report = _report(
        tmp_path,
        "1,embedding,encoder-forward,bert-large,0.335,fp16,A30,1,TensorRT demoBERT,32,,128,,,,,,,latency_ms,29.14,ms a batch,A,",
        "2,asr,transcribe-long,whisper-large-v2,1.54,fp16,A30,1,WhisperS2T + CTranslate2,56,,,,,,,,13104,latency_s,107.58,s,A,",
        "3,video,t2v,wan2.2-t2v-a14b,14,bf16,A100-80GB-SXM,8,Wan2.2 official,1,,,,1280,720,81,40,,latency_s,386.7,s,B,",
        "4,llm,dense-chat,llama-3.1-8b,8,bf16,A100-80GB-SXM,1,vLLM,,1,128,128,,,,,,decode_tok_s,75,tok/s,B,",
        "5,rl,weight-sync,qwen2.5-7b,7,bf16,H100-SXM,8,NeMo-RL,512,,,,,,,,,weight_sync_s,50,s,A,",
        "6,embedding,embed,bge-m3,0.57,fp16,RTX 4090,1,ollama,1,,,,,,,,,latency_s,30,s,C,",
    )  # fmt: skip
    groups = {(group.task, group.metric): group for group in report.files[0].groups}
    for key in (
        ("encoder-forward", "latency_ms"),
        ("transcribe-long", "latency_s"),
        ("t2v", "latency_s"),
        ("dense-chat", "decode_tok_s"),
    ):
        error = groups[key].median_abs_relative_error_share
        assert error is not None
        assert error < 0.5
    assert groups["weight-sync", "weight_sync_s"].refused == 1
    assert report.files[0].not_scored == 1
    told = json.loads(json.dumps(report.record()))
    assert {
        "task",
        "metric",
        "rows",
        "predicted",
        "refused",
        "median_abs_relative_error_share",
        "in_band_share",
    } <= set(told["groups"][0])


def test_twice_the_time_is_twice_the_error_whether_a_row_states_seconds_or_a_rate() -> None:
    clip: Row = {
        "id": "1", "kind": "video", "task": "t2v", "model": "wan2.1-t2v-14b", "precision": "bf16", "gpu": "H20", "n_gpus": "1", "engine": "diffusers", "batch": "1",
        "width": "1280", "height": "720", "frames": "81", "steps": "50", "metric": "latency_s", "value": "6935.5", "unit": "s", "quality": "A",
    }  # fmt: skip
    (one,) = verify_rows("kinds", [clip], default_calibration()).detail
    (two,) = verify_rows("kinds", [{**clip, "value": "13871"}], default_calibration()).detail
    assert one.predicted == pytest.approx(two.predicted)
    assert one.expected == 6935.5


def test_the_length_of_a_text_and_of_the_audio_is_not_guessed() -> None:
    rerank: Row = {
        "id": "a",
        "kind": "embedding",
        "task": "rerank",
        "model": "qwen3-reranker-0.6b",
        "gpu": "H100-SXM",
        "metric": "latency_ms",
        "value": "4",
    }
    clips: Row = {
        "id": "b",
        "kind": "asr",
        "task": "transcribe-short",
        "model": "whisper-large-v3",
        "gpu": "H100-SXM",
        "metric": "latency_s",
        "value": "4",
    }
    assert "length of a text" in encode_table([plain_row(rerank)])[1]["a"]
    assert "how much audio" in speech_table([plain_row(clips)])[1]["b"]


def test_shipped_rows_of_the_kinds_are_predicted_within_a_quarter_at_the_median() -> None:
    rows = [row for row in shipped_rows("kinds") if row["kind"] in {"embedding", "asr", "video"}]
    report = verify_rows("kinds", rows, default_calibration())
    errors = {item.name: item.median_abs_relative_error_share for item in report.by_class}
    assert set(errors) == {"encode", "speech", "video"}
    assert max(errors.values()) < 0.25


def test_a_table_of_kinds_is_told_by_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(
        HEADER + "\n1,asr,t,whisper-base,,fp16,T4,1,openai-whisper,1,,,,,,,,60,latency_s,3,s,A,\n", encoding="utf-8"
    )
    assert read_rows(path)[0] == "kinds"


def test_recordings_and_clips_are_sized_like_other_work() -> None:
    heard = Workload.model_validate(
        {"kind": "transcribe", "model": "whisper-large-v3", "transcribe": {"audio_hours": 1000, "deadline_hours": 24}}
    )
    shown = Workload.model_validate(
        {"kind": "video", "model": "wan2.2-ti2v-5b", "video": {"clips_per_day": 100, "seconds_per_clip_limit": 1e6}}
    )
    machine = Machine(accelerator=accelerators()["A100-80GB-SXM"], accelerator_count=1)
    for work in (heard, shown):
        assert isinstance(work.model, str)
        arch = known_model(work.model)
        one, twice = (estimate(work, arch, machine, count, default_assumptions()) for count in (1, 2))
        assert isinstance(one, Fleet)
        assert isinstance(twice, Fleet)
        assert twice.performance.rate_per_s.typical == pytest.approx(2 * one.performance.rate_per_s.typical)
    whole = estimate(shown, known_model("wan2.2-ti2v-5b"), machine, 1, default_assumptions())
    assert isinstance(whole, Fleet)
    short = shown.model_copy(update={"video": Video(clips_per_day=100, seconds=2.5)})
    half = estimate(short, known_model("wan2.2-ti2v-5b"), machine, 1, default_assumptions())
    assert isinstance(half, Fleet)
    assert half.performance.rate_per_s.typical > 2 * whole.performance.rate_per_s.typical  # frames attend to each other


def test_a_model_of_images_makes_no_video_and_one_of_video_no_images() -> None:
    for kind, model, section in (
        ("video", "sdxl", {"clips_per_day": 1}),
        ("diffusion", "wan2.1-t2v-14b", {"images_per_day": 1}),
    ):
        work = Workload.model_validate({"kind": kind, "model": model, kind: section})
        with pytest.raises(InputError, match="cannot do work of kind"):
            suitable_model(work, known_model(model))


def test_a_row_with_a_draft_is_predicted_with_what_its_steps_yield() -> None:
    row = next(
        row for row in shipped_rows("kinds") if row["id"] == "k0970"
    )  # one request at a time, accept length 6 of 6
    with_draft, without = (
        verify_rows("kinds", [one], default_calibration()).detail[0].predicted
        for one in (row, {**row, "notes": "cold cache"})
    )
    assert with_draft is not None
    assert without is not None
    assert 3.5 < with_draft / without < 6.0
    assert with_draft == pytest.approx(float(row["value"]), rel=0.35)


def test_a_step_of_training_on_rewards_takes_writing_learning_and_what_lies_between() -> None:
    rows = [row for row in shipped_rows("kinds") if row["task"] == "grpo" and row["model"] == "llama-3.1-8b"]
    report = verify_rows("kinds", [*rows, {**rows[0], "id": "x", "notes": "GRPO, 1-step off"}], default_calibration())
    for item in report.detail[:-1]:
        assert item.relative_error_share is not None
        assert abs(item.relative_error_share) < 0.3
    assert "beside the training" in report.detail[-1].reason


def test_texts_of_an_engine_that_no_table_measured_have_the_band_of_strangers() -> None:
    rows = [
        {"framework": engine} for engine in ("TensorRT demoBERT", "infinity (another backend)", "our own engine", "")
    ]
    assert [band_name("encode", row) for row in rows] == ["encode", "encode", "encode.stranger", "encode.stranger"]
    assert default_calibration().value("band.encode.stranger") > default_calibration().value("band.encode")


def test_a_recipe_for_one_box_and_one_aim_counts_as_tuned() -> None:
    row = {"kind": "llm", "engine": "SGLang", "metric": "out_tok_s_total", "value": "100", "concurrency": "16"}
    notes = ("low-latency recipe; random tokens", "balanced, MTP", "80 requests, throughput balanced by hand")
    assert [plain_row({**row, "notes": note})["stack"] for note in notes] == ["tuned", "tuned", "default"]


def test_images_with_quantized_weights_or_shared_cards_are_predicted_and_lie_in_their_wider_band() -> None:
    rows = [row for row in shipped_rows("kinds") if row["kind"] == "image"]
    scored = [
        item
        for item in verify_rows("kinds", rows, default_calibration(), file="rows").detail
        if item.relative_error_share is not None
    ]
    errors = sorted(abs(item.relative_error_share or 0.0) for item in scored)
    inside = [item for item in scored if (item.low or 0.0) <= (item.expected or 0.0) <= (item.high or 0.0)]
    assert errors[len(errors) // 2] < 0.15
    assert 0.75 <= len(inside) / len(scored) <= 0.88
    near = {"framework": "diffusers, torch.compile", "precision": "bf16", "n_gpus": "1", "metric": "latency_s"}
    assert band_name("images", near) == "image"
    for changed in ({"precision": "int8 weights"}, {"n_gpus": "4"}, {"framework": "home-made"}):
        assert band_name("images", near | changed) == "image.stranger"


def test_pictures_in_a_prompt_cost_tokens_and_the_time_of_their_preparation() -> None:
    (row,) = (
        row for row in shipped_rows("kinds") if row["id"] == "k0962"
    )  # VisionArena on four A100, of vLLM's recipe page
    rows = [row, {**row, "images_per_request": ""}, {**row, "notes": row["notes"] + "; 4096 vision tokens a request"}]
    one, blind, large = (
        item.predicted or 0.0 for item in verify_rows("kinds", rows, default_calibration(), file="x").detail
    )
    assert one == pytest.approx(float(row["value"]), rel=0.2)
    assert large < 0.5 * one < 0.2 * blind
