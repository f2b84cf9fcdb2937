"""Verify: measured rows in, predictions with their errors out; the shipped rows hold the accuracy that the docs state."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planner.assumptions import default_assumptions
from planner.errors import InputError
from planner.measured.rows import accelerator_of, shipped_rows
from planner.measured.scores import FileReport
from planner.measured.verify import recalibrate, verify, verify_rows
from planner.options.servers import own_machine
from planner.report.notes import note_text
from planner.supply.calibration import default_calibration
from planner.supply.serving.stacks import practice_shares, stack_named
from pricing.facts.accelerators import resolve

HEADER = "id,block,kind,model,precision,gpu,n_gpus,tp,input_len,output_len,concurrency,load,framework,out_tok_s_total,ttft_ms,tpot_ms,quality\n"
ROW = "a1,mine,llm,llama-3.1-8b,bf16,H100-SXM,1,1,1000,500,32,closed loop at concurrency,vllm,2000,,,A\n"


def _report(kind: str) -> FileReport:
    return verify_rows(kind, shipped_rows(kind), default_calibration())


def _median(report: FileReport, sort: str, metric: str) -> float:
    return next(
        item for item in report.by_class if (item.name, item.metric) == (sort, metric)
    ).median_abs_relative_error_share


def test_shipped_training_rows_are_met_within_a_tenth() -> None:
    report = _report("training")
    assert report.refused == 0
    assert _median(report, "train.dense", "tokens_per_s_per_gpu") < 0.10
    assert report.median_abs_relative_error_share is not None
    assert report.median_abs_relative_error_share < 0.12


def test_shipped_serving_rows_are_met_within_the_stated_limits() -> None:
    report = _report("inference")
    assert report.refused <= 0.05 * report.rows
    assert _median(report, "serve.dense", "out_tok_s_total") < 0.10
    assert _median(report, "serve.moe", "out_tok_s_total") < 0.16
    assert _median(report, "cpu", "out_tok_s_total") < 0.10


def test_parameter_counts_of_the_shipped_rows_are_exact_and_most_fit_verdicts_right() -> None:
    report = _report("memory")
    counts = [item for item in report.detail if item.metric == "param_count"]
    assert counts
    assert all(item.relative_error_share == 0 for item in counts)
    assert report.verdict_right_share is not None
    assert report.verdict_right_share > 0.95
    told = [item for item in report.detail if item.metric == "oom"]
    assert sum(item.verdict_right is False for item in told) == 0


def test_a_row_of_quality_c_is_kept_and_not_scored() -> None:
    report = _report("training")
    kept = [item for item in report.detail if "quality C" in item.reason]
    assert kept
    assert all(item.predicted is None and not item.primary for item in kept)


def test_the_report_is_plain_json(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + ROW, encoding="utf-8")
    text = json.dumps(verify([path], default_assumptions()).record(), allow_nan=False)
    record = json.loads(text)["files"][0]
    assert {
        "file",
        "kind",
        "rows",
        "predicted",
        "refused",
        "median_abs_relative_error_share",
        "p90_abs_relative_error_share",
        "bias_share",
        "detail",
    } <= set(record)
    assert {"id", "metric", "expected", "predicted", "relative_error_share", "reason"} <= set(record["detail"][0])
    assert record["detail"][0]["low"] < record["detail"][0]["predicted"] < record["detail"][0]["high"]


def test_a_row_that_cannot_be_predicted_says_why_and_counts_as_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        HEADER + ROW.replace("H100-SXM", "Abacus 3000") + ROW.replace("a1", "a2").replace("llama-3.1-8b", "nobody-7b"),
        encoding="utf-8",
    )
    report = verify([path]).files[0]
    assert report.refused == 2
    assert report.median_abs_relative_error_share is None
    assert "Abacus 3000" in report.detail[0].reason
    assert "nobody-7b" in report.detail[1].reason


def test_times_of_a_load_that_outruns_its_server_are_not_compared(tmp_path: Path) -> None:
    header = "id,kind,model,precision,gpu,n_gpus,tp,input_len,output_len,request_rate,load,framework,out_tok_s_total,ttft_ms,tpot_ms,quality\n"
    row = "{},llm,llama-3.1-8b,bf16,H100-SXM,1,1,500,250,{},open loop,tensorrt-llm,1500,400,30,A\n"
    path = tmp_path / "mine.csv"
    path.write_text(header + row.format("steady", 6.5) + row.format("outrun", 20), encoding="utf-8")
    metrics = {
        one.id: {item.metric for item in verify([path]).files[0].detail if item.id == one.id}
        for one in verify([path]).files[0].detail
    }
    assert {"ttft_ms", "tpot_ms"} <= metrics["steady"]
    assert not {"ttft_ms", "tpot_ms"} & metrics["outrun"]


@pytest.mark.parametrize(("text", "told"), [("", "columns"), ("a,b\n1,2\n", "columns"), (HEADER, "no rows")])
def test_a_file_of_other_columns_is_refused_in_words(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        verify([path])


def test_ones_own_row_recalibrates_the_prediction_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + ROW, encoding="utf-8")
    before = verify([path]).files[0].bias_share
    own = recalibrate([path])
    after = verify([path], calibration=own).files[0].bias_share
    assert before is not None
    assert abs(before) > 0.02
    assert after == pytest.approx(0.0, abs=0.01)
    assert own.rows["serve.pace_ratio", "H100-SXM"].blocks == "your own rows"
    assert "serving on H100-SXM is calibrated on 1 of your own rows" in note_text(own.notes()[0])
    assert default_calibration().notes() == ()


@pytest.mark.parametrize("stack", ["", "tuned"])
def test_on_a_machine_with_own_rows_no_stack_and_no_assumption_of_others_counts(stack: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + ROW, encoding="utf-8")
    own, here = recalibrate([path]), ("H100-SXM", "Hopper", "NVIDIA", "*")
    mine, other = (own_machine(resolve(name)[0], 1) for name in ("h100-sxm", "h200-sxm"))
    mine_share, other_share = practice_shares(stack_named(stack), own, [mine, other], default_assumptions())
    tags = stack_named(stack).tags_of(is_moe=False)
    assert own.value_at("serve.prefill_share", here, tags) == own.value_at("serve.prefill_share", here)
    assert mine_share == 1.0
    assert other_share == (0.85 if stack else 1.0)


def test_the_own_row_of_a_default_engine_is_met_too(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + ROW.replace(",vllm,2000,", ",vLLM 0.6,1500,"), encoding="utf-8")
    before, after = (
        verify([path], calibration=each).files[0].bias_share for each in (default_calibration(), recalibrate([path]))
    )
    assert before is not None
    assert abs(before) > 0.02
    assert after == pytest.approx(0.0, abs=0.01)


def test_default_engines_and_submissions_are_classes_of_their_own() -> None:
    report = _report("inference")
    assert _median(report, "serve.default", "out_tok_s_total") < 0.30
    assert {item.sort for item in report.detail if item.block == "mlperf-inf-v5.1"} <= {"serve.submission", "cpu", ""}


def test_memory_rows_alone_calibrate_no_speed(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        "id,kind,model,method,precision,gpu,value,unit,memory_metric\n"
        "a1,peak_memory,llama-3.1-8b,lora,bf16,L40S,20,GiB,peak\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError, match="nothing is calibrated"):
        recalibrate([path])


def test_every_constant_says_where_it_comes_from() -> None:
    for constant in default_calibration().rows.values():
        assert constant.source
        assert constant.fitted_on
        assert constant.row_count == 0 or constant.blocks or "left out" in constant.source


@pytest.mark.parametrize(
    ("written", "name"),
    [("H100-SXM", "H100-SXM"), ("Apple M1 Max 32-core GPU", "Apple M1 Max"), ("CPU m7i.16xlarge (Sapphire Rapids, AMX, 32 cores)", "m7i.16xlarge")],
)  # fmt: skip
def test_rows_name_their_hosts_freely(written: str, name: str) -> None:
    found = accelerator_of(written)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Apple M3", "Apple M3"),
        ("Apple M3 Ultra", "Apple M3 Ultra"),
        ("Apple M4 Max", "Apple M4 Max"),
        ("Apple M1 Ultra 48-core GPU", "Apple M1 Ultra 48"),
        ("Apple M2 Ultra 76-core GPU", "Apple M2 Ultra"),
        ("CPU 1S Xeon Gold 6430 (Sapphire Rapids, AMX)", "Xeon Gold 6430"),
        ("Jetson AGX Orin 64GB", "Jetson AGX Orin"),
        ("Jetson AGX Orin 32GB", None),
        ("RTX 2080 Ti 22GB", None),
        ("GTX 1080 Ti Super", None),
    ],
)
def test_a_chip_is_known_by_all_words_of_its_name(name: str, meant: str | None) -> None:
    chip = accelerator_of(name)
    assert (chip.name if chip else None) == meant


def test_training_of_image_models_is_compared_in_images_per_second_whatever_a_table_states() -> None:
    scored = [item for item in _report("training").detail if item.sort == "train.image" and item.predicted]
    by_id = {item.id: item for item in scored}
    assert by_id["tr0398"].expected == pytest.approx(
        8 * 126.09
    )  # its figure is minutes to train, its notes say the pace of a GPU
    small, large = by_id["tr0404"].predicted, by_id["tr0405"].predicted  # 256 and 512 pixels a side
    assert small is not None
    assert large is not None
    assert small > 3.0 * large
    errors = sorted(abs(item.relative_error_share or 0.0) for item in scored)
    assert errors[len(errors) // 2] < 0.2
