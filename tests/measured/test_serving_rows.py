"""Measured serving rows: conventions of tables, read into what the formulas take; strangers get a wider band."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from planner.measured.classes import UNMEASURED, band_name
from planner.measured.rows import Row, shipped_rows
from planner.measured.serving.predict import constants_of_rows, predict_serving, serving_table
from planner.measured.serving.rows import is_overloaded, served_row, stack_of
from planner.supply.calibration import default_calibration
from pricing.errors import GpuplanError

ROW: Row = {
    "id": "a1",
    "block": "mine",
    "kind": "llm",
    "model": "llama-3.1-8b",
    "precision": "bf16",
    "gpu": "H100-SXM",
    "n_gpus": "1",
    "tp": "1",
    "input_len": "1000",
    "output_len": "500",
    "concurrency": "32",
    "load": "closed loop at concurrency",
    "framework": "vllm",
}


def predicted(*rows: Row) -> Mapping[str, np.ndarray]:
    table, refusals = serving_table(rows)
    assert not refusals
    return predict_serving(table, constants_of_rows(table, default_calibration()))


@pytest.mark.parametrize(
    ("framework", "stack"),
    [
        ("vLLM (ROCm)", "vllm"),
        ("TensorRT-LLM + Triton", "trtllm"),
        ("litgpt eager", "eager"),
        ("HF transformers", "transformers"),
        ("transformers-neuronx", "neuron"),
        ("our own engine", ""),
    ],
)
def test_engines_are_known_by_their_names_and_strangers_by_none(framework: str, stack: str) -> None:
    assert stack_of(framework) == stack


@pytest.mark.parametrize("said", ["fp8", "bf16", "mxfp4"])
def test_a_model_published_in_four_bits_is_read_in_four_bits_whatever_the_table_calls_it(said: str) -> None:
    one = served_row({**ROW, "model": "gpt-oss-20b", "precision": said})
    assert one.precision == "fp4"
    table, _ = serving_table([{**ROW, "model": "gpt-oss-20b", "precision": said}])
    # Hopper has no 4-bit arithmetic: weights are widened, and multiplied in 16 bits.
    assert table.flop_per_s[0] == table.hardware.bf16_flop_per_s[0]


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("", "bf16"),
        ("FP8", "fp8"),
        ("W4A16", "int4"),
        ("int4/int8 weights", "int4"),
        ("NVFP4", "fp4"),
        ("q8_0", "int8"),
    ],
)
def test_formats_are_read_by_the_names_that_tables_give_them(said: str, read: str) -> None:
    assert served_row({**ROW, "precision": said}).precision == read


@pytest.mark.parametrize(
    ("gpu", "framework", "ratio"),
    [("RTX 4090", "llama.cpp", 2.0), ("RTX 4090", "vllm", 1.0), ("RTX A6000", "llama.cpp", 1.0)],
)
def test_geforce_cards_have_their_full_rate_where_sums_are_kept_in_half_precision(
    gpu: str, framework: str, ratio: float
) -> None:
    table, _ = serving_table([{**ROW, "gpu": gpu, "precision": "fp16", "framework": framework}])
    assert table.flop_per_s[0] == ratio * table.hardware.fp16_flop_per_s[0]


@pytest.mark.parametrize(
    ("tp", "text", "group", "split"),
    [("4", "", 4, 4), ("1", "DEP8", 8, 1), ("1", "attn_dp=8 moe_tp=1 moe_ep=8", 8, 1), ("2", "attn_dp=4 moe_tp=8 moe_ep=1", 8, 2)],
)  # fmt: skip
def test_layouts_are_read_in_every_way_that_tables_write_them(tp: str, text: str, group: int, split: int) -> None:
    one = served_row({**ROW, "model": "deepseek-v3", "precision": "fp8", "n_gpus": "8", "tp": tp, "ep_or_dp": text})
    assert (one.group_count, one.split_count, one.stage_count) == (group, split, 1)


def test_a_row_without_a_layout_takes_the_fewest_accelerators_that_hold_the_weights() -> None:
    one = served_row({**ROW, "model": "llama-2-70b", "precision": "fp8", "n_gpus": "8", "tp": ""})
    assert (one.group_count, one.replica_count) == (2, 4)


def test_the_first_answers_of_a_batch_come_when_all_its_prompts_are_read() -> None:
    batch = {**ROW, "load": "static batch", "concurrency": "", "input_len": "8000"}
    alone, together = predicted(*({**batch, "batch": count} for count in ("1", "8")))["ttft_ms"]
    assert 6 * alone < together < 8 * alone


def test_nobody_waits_for_his_own_prompt_while_his_answer_is_written() -> None:
    alone = {**ROW, "input_len": "8000", "concurrency": "1"}
    few, many = predicted({**alone, "output_len": "128"}, {**alone, "output_len": "1280"})["tpot_ms"]
    assert few < many
    pair, crowd = ({**alone, "output_len": "128", "concurrency": count} for count in ("2", "16"))
    assert predicted(pair)["tpot_ms"][0] > 1.1 * few
    assert predicted(crowd)["tpot_ms"][0] > 3.0 * few


def test_an_engine_by_its_defaults_keeps_its_cache_in_16_bits_and_a_tuned_one_in_8() -> None:
    tuned = served_row({**ROW, "precision": "fp8"}).model.cache_bytes_per_token
    default = served_row({**ROW, "precision": "fp8", "stack": "default"}).model.cache_bytes_per_token
    assert default == 2 * np.asarray(tuned)


def test_a_model_of_four_bits_keeps_its_cache_in_16_where_the_chip_has_no_such_arithmetic() -> None:
    row = {**ROW, "model": "gpt-oss-20b", "precision": "fp8", "kv_precision": "fp8", "framework": "TensorRT-LLM"}
    hopper, blackwell = (served_row({**row, "gpu": gpu}).model.cache_bytes_per_token for gpu in ("H100-SXM", "B200"))
    assert hopper == 2 * np.asarray(blackwell)


def test_a_compiled_engine_of_tensorrt_llm_starts_a_prompt_sooner_than_its_pytorch_backend() -> None:
    row = {**ROW, "framework": "TensorRT-LLM", "concurrency": "", "request_rate": "2", "load": "open loop"}
    old, new = predicted(*({**row, "framework_version": version} for version in ("0.14", "1.0")))["ttft_ms"]
    assert 1.2 * old < new


def test_a_default_engine_has_the_band_of_its_own_for_the_first_token() -> None:
    assert band_name("serving", {**ROW, "stack": "default"}, 2) == "serve.default.ttft"
    assert band_name("serving", ROW, 2) == "serve.ttft"


def test_sglang_by_its_defaults_drafts_for_48_requests_at_once() -> None:
    drafts = {**ROW, "stack": "default", "notes": "EAGLE, accept length 2.5", "concurrency": "100", "precision": "bf16"}
    limits = [served_row({**drafts, "framework": engine}).most_count for engine in ("SGLang", "vLLM")]
    assert limits == [48.0, np.inf]
    assert served_row({**drafts, "framework": "SGLang", "notes": ""}).most_count == np.inf
    table, _ = serving_table([{**drafts, "framework": "SGLang"}])
    assert table.limit.tolist() == [48.0]


def test_layers_split_over_cards_read_long_prompts_side_by_side() -> None:
    card = {**ROW, "gpu": "RTX 3090", "precision": "fp16", "framework": "llama.cpp", "output_len": "0", "load": "", "concurrency": "1"}  # fmt: skip
    split = {**card, "n_gpus": "4", "pp": "4"}
    rows = [{**one, "input_len": length} for one in (card, split) for length in ("512", "4096")]
    short, long, short_split, long_split = predicted(*rows)["prefill_tok_s"]
    assert short_split == pytest.approx(short, rel=0.1)
    assert 2.0 * long < long_split < 4.0 * long


def test_an_engine_that_nobody_measured_gets_what_engines_do_in_general_and_a_wider_band() -> None:
    rows = [row for row in shipped_rows("inference") if row["block"] == "trtllm-v0.17" and row["quality"] != "C"]
    renamed = [{**row, "framework": "our own engine"} for row in rows]
    known, strange = predicted(*rows)["out_tok_s_total"], predicted(*renamed)["out_tok_s_total"]
    assert np.median(np.abs(np.log(strange / known))) < 0.15
    calibration = default_calibration()
    for sort in ("dense", "moe", "ttft", "consumer"):
        assert calibration.value(f"band.serve.{sort}{UNMEASURED}") >= calibration.value(f"band.serve.{sort}")
    assert band_name("serving", rows[0]) == "serve.dense"
    assert band_name("serving", renamed[0]) == "serve.dense" + UNMEASURED
    assert band_name("serving", renamed[0], 2) == "serve.ttft" + UNMEASURED


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"gpu": "Abacus 3000"}, "Abacus 3000"),
        ({"precision": "int3"}, "int3"),
        ({"model": "bert-base"}, "generate"),
        ({"input_len": "", "output_len": ""}, "length"),
    ],
)
def test_a_row_that_cannot_be_read_says_why(change: Row, told: str) -> None:
    with pytest.raises(GpuplanError, match=told):
        served_row({**ROW, **change})


def test_a_load_that_outran_its_server_is_told_by_what_was_delivered() -> None:
    offered = {"request_rate": "10", "output_len": "100"}
    assert is_overloaded({**offered, "out_tok_s_total": "700"})
    assert not is_overloaded({**offered, "out_tok_s_total": "900"})
