"""Closed loops: an estimate shows what a benchmark of the same load is predicted to measure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.demand.workload import Workload
from planner.measured.rows import Row
from planner.measured.serving.predict import constants_of_rows, predict_serving, serving_table
from planner.options.servers import own_machine
from planner.supply.calibration import default_calibration
from planner.supply.fleet import estimate
from planner.supply.machines import Fleet
from pricing.facts.accelerators import resolve


def _fleet(users: int) -> Fleet:
    serve = {"concurrency": users, "input_tokens": 1024, "output_tokens": 512}
    work = Workload.model_validate({"kind": "serve", "model": "llama-3.1-8b", "precision": "bf16", "stack": "vllm", "serve": serve})  # fmt: skip
    found = estimate(
        work, known_model("llama-3.1-8b"), own_machine(resolve("a100-80gb-sxm")[0], 1), 1, default_assumptions()
    )
    assert isinstance(found, Fleet)
    return found


def _benchmark(users: int) -> Mapping[str, np.ndarray]:
    row: Row = {
        "id": "a", "kind": "llm", "model": "llama-3.1-8b", "precision": "bf16", "gpu": "A100-80GB-SXM", "n_gpus": "1", "tp": "1", "framework": "vllm",
        "stack": "default", "load": "closed loop", "concurrency": str(users), "input_len": "1024", "output_len": "512",
    }  # fmt: skip
    table, _ = serving_table([row])
    return predict_serving(table, constants_of_rows(table, default_calibration()))


@pytest.mark.parametrize("users", [1, 8, 64])
def test_an_estimate_of_a_closed_loop_is_what_a_benchmark_of_it_is_predicted_to_measure(users: int) -> None:
    performance, measured = _fleet(users).performance, _benchmark(users)
    assert performance.ttft_ms
    assert performance.tpot_ms
    assert performance.at_load
    assert performance.ttft_ms.typical == pytest.approx(measured["ttft_ms"][0], rel=0.05)
    assert performance.tpot_ms.typical == pytest.approx(measured["tpot_ms"][0], rel=0.03)
    assert performance.at_load.output_tokens_per_s.typical == pytest.approx(measured["out_tok_s_total"][0], rel=0.03)


def test_llama_cpp_on_a_mac_is_estimated_as_its_users_measured_it() -> None:
    # llama-2-7b Q4_0, 128 tokens of one stream: 94.27, 66.31 and 83.06 tokens/s (ggml-org/llama.cpp, discussion 4167).
    serve = {"concurrency": 1, "input_tokens": 16, "output_tokens": 128}
    work = Workload.model_validate({"kind": "serve", "model": "llama-2-7b", "precision": "int4", "stack": "llama.cpp", "serve": serve})  # fmt: skip
    for mac, measured_per_s in (("Apple M2 Ultra", 94.27), ("Apple M3 Max", 66.31), ("Apple M4 Max", 83.06)):
        found = estimate(work, known_model("llama-2-7b"), own_machine(resolve(mac)[0], 1), 1, default_assumptions())
        assert isinstance(found, Fleet)
        assert found.performance.tpot_ms
        assert found.performance.tpot_ms.low <= 1e3 / measured_per_s <= found.performance.tpot_ms.high


def test_users_for_whom_a_batch_has_no_room_wait_for_the_end_of_an_answer() -> None:
    within, beyond = (_fleet(users).performance for users in (200, 800))
    assert within.ttft_ms
    assert beyond.ttft_ms
    assert beyond.at_load
    # Little's law: whoever is not at work waits, at the rate at which the others are answered.
    answered_per_s = beyond.at_load.requests_per_s
    waiting = 800 - beyond.at_load.concurrency
    assert waiting > 100
    assert beyond.ttft_ms.typical > 1e3 * waiting / answered_per_s > 3 * within.ttft_ms.typical
