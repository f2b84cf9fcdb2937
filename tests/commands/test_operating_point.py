"""An estimate of a service tells one state of the machine, and what it could do at most apart from it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from planner.cli import main

LENGTHS = ("--model", "llama-3.1-8b", "--precision", "bf16", "--in", "1000", "--out", "500", "--on", "h100-sxm:1")


def _estimate(capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, Any]:
    assert main(["estimate", "serve", *LENGTHS, "-f", "json", *options]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_littles_law_ties_the_figures_of_an_operating_point(capsys: pytest.CaptureFixture[str]) -> None:
    for load in (("--concurrency", "32"), ("--rps", "3")):
        record = _estimate(capsys, *load)
        point, speed = record["operating_point"], record["performance"]
        answer_s = (speed["ttft_ms"] + 500 * speed["tpot_ms"]) / 1e3
        assert point["concurrency"] == pytest.approx(point["requests_per_s"] * answer_s, rel=0.05)
        assert point["output_tokens_per_s"]["typical"] == pytest.approx(500 * point["requests_per_s"])
        assert point["kv_cache_tokens"] == pytest.approx(1250 * point["concurrency"])
        assert point["output_tokens_per_s"]["typical"] < record["capacity"]["output_tokens_per_s"]["typical"]


def test_a_closed_loop_is_as_fast_as_so_many_users_make_it(capsys: pytest.CaptureFixture[str]) -> None:
    few, many = (_estimate(capsys, "--concurrency", users) for users in ("4", "64"))
    assert few["operating_point"]["concurrency"] == 4
    assert many["performance"]["tokens_per_s"] == many["operating_point"]["output_tokens_per_s"]["typical"]
    assert few["performance"]["tokens_per_s"] < many["performance"]["tokens_per_s"]
    assert few["performance"]["tpot_ms"] < many["performance"]["tpot_ms"]


def test_an_engine_takes_no_more_at_once_than_it_is_told_to(capsys: pytest.CaptureFixture[str]) -> None:
    capped = _estimate(capsys, "--concurrency", "64", "--max-num-seqs", "8")
    assert capped["operating_point"]["concurrency"] == 8
    assert capped["capacity"]["concurrency"] <= 8


def test_the_cache_holds_what_weights_and_overhead_leave(capsys: pytest.CaptureFixture[str]) -> None:
    memory = _estimate(capsys, "--concurrency", "1")["memory"]
    parts = memory["parts_bytes"]
    left = memory["usable_bytes"] - parts["weights"] - parts["overhead"]
    assert memory["kv_cache_capacity_tokens"] == pytest.approx(left / 131_072)


def test_a_context_that_is_extended_is_stated_beside_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    long = ["estimate", "serve", *LENGTHS, "--rps", "0.01"]
    long[long.index("--in") + 1] = "200000"
    assert main(long) == 2
    assert "max_context_tokens" in capsys.readouterr().err
    assert main([*long, "--max-context-tokens", "262144", "--kv-precision", "fp8"]) == 0


def test_images_lengthen_the_prompt_and_pass_the_tower(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [
        "estimate",
        "serve",
        "--model",
        "qwen2.5-vl-7b",
        "--rps",
        "0.1",
        "--out",
        "100",
        "--on",
        "h100-sxm:1",
        "-f",
        "json",
    ]
    times = []
    for prompt in (["--in", "1000"], ["--in", "3048"], ["--in", "1000", "--images-per-request", "2"]):
        assert main([*asked, *prompt]) == 0
        times.append(json.loads(capsys.readouterr().out)["performance"]["ttft_ms"])
    assert times[0] < times[1] < times[2]
