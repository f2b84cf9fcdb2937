"""A question in one line: every kind, its short names, its faults, and the file that it makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.shell_completion import ShellComplete

from planner.cli import gpuplan, main
from planner.commands.ask import EXAMPLES
from planner.demand.fields import fields_of
from planner.demand.workload import Workload, type_of_kind
from planner.inputs.amount import quantity
from planner.inputs.reading import document_of, validated

SERVE = ["plan", "serve", "--model", "llama-3.1-8b"]


def _planned(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert main([*words, "-f", "json", "--top", "1"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.parametrize(
    "kind", [k if k == "pretrain" else pytest.param(k, marks=pytest.mark.slow) for k in type_of_kind]
)
def test_every_kind_has_an_example_that_is_answered(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    assert main(["plan", kind, *EXAMPLES[kind].split(), "--save", str(path), "-o", str(tmp_path / "p.json")]) == 0
    workload = json.loads((tmp_path / "p.json").read_text())["workload"]
    again = validated(document_of(path.read_text(), "w"), Workload).model_dump(mode="json", exclude_none=True)
    assert workload == again


@pytest.mark.parametrize("kind", type_of_kind)
def test_every_key_of_a_kind_is_an_option(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", kind, "--help"]) == 0
    help_text = capsys.readouterr().out
    for _, fields in fields_of(kind):
        for each in fields:
            name = {"horizon_months": "horizon", "providers": "provider", "regions": "region", "countries": "country", "place": "own-place"}  # fmt: skip
            assert f"--{name.get(each.key, each.key.replace('_', '-'))}" in help_text


@pytest.mark.slow
def test_a_line_and_a_file_are_the_same_question(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = _planned(
        capsys, *SERVE, "--rps", "2", "--in", "1k", "--out", "0.3k", "--ttft", "900", "--precision", "fp8,bf16",
        "--max-usd-per-month", "100k", "--country", "EU", "--min-secure", "--horizon", "24",
    )  # fmt: skip
    path = tmp_path / "w.yaml"
    path.write_text(
        "kind: serve\nmodel: llama-3.1-8b\nprecision: [fp8, bf16]\nhorizon_months: 24\n"
        "serve: {requests_per_s: 2, input_tokens: 1k, output_tokens: 300, ttft_limit_ms: 900}\n"
        "constraints: {max_usd_per_month: 100k, countries: [EU], min_secure: true}\n"
    )
    assert _planned(capsys, "plan", str(path))["workload"] == line["workload"]


@pytest.mark.slow
def test_tokens_are_counted_one_by_one_whatever_the_unit_of_the_key(capsys: pytest.CaptureFixture[str]) -> None:
    tune = ["plan", "finetune", "--model", "llama-3.1-8b"]
    for words in (["--tokens", "50M"], ["--tokens", "50000000"], ["--tokens-m", "50"], ["--tokens-m", "50M"]):
        assert _planned(capsys, *tune, *words)["workload"]["finetune"]["tokens_m"] == 50
    assert main([*tune, "--tokens", "50M", "--tokens-m", "50"]) == 2
    assert "twice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*SERVE], "--rps or --concurrency is missing"),
        ([*SERVE, "--rps", "1", "--in", "9"], "--out is missing"),
        (["plan", "serve"], "--model, --rps or --concurrency are missing"),
        (["plan", "gpu_hours"], "--gpu is missing"),
        ([*SERVE, "--rps", "-1", "--in", "x", "--out", "9"], "--rps must be above 0"),
        ([*SERVE, "--rps", "-1", "--in", "x", "--out", "9"], "--in must be a plain number"),
        ([*SERVE, "--rps", "1", "--in", "9", "--out", "9", "--profile", "steddy"], "did you mean 'steady'"),
        ([*SERVE, "--rps", "1", "--in", "9", "--out", "9", "w.yaml"], "a kind of work and a file"),
        (["plan", "serve", "--model", "lama-3.1-8b", "--rps", "1", "--in", "9", "--out", "9"], "llama-3.1-8b"),
        (["plan", "serve", "--model", "banana", "--rps", "1", "--in", "9", "--out", "9"], "gpuplan models"),
        (["plan", "gpu_hours", "--gpu", "h10"], "H100-SXM"),
        (["plan", "banana"], "kinds of work are serve"),
        (["plan", "server"], "gpuplan plan serve --model"),
        (["plan", "llama-3.1-70b"], "gpuplan plan serve --model llama-3.1-70b"),
        (["plan", "rtx4090"], "gpuplan plan gpu_hours --gpu"),
        (["plan", "serve", "--rpss", "1"], "--rps"),
        (["plan", "w.yaml", "--rps", "1"], "--rps"),
    ],
)  # fmt: skip
def test_a_wrong_question_is_answered_with_the_right_one(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


def test_a_file_named_like_a_kind_is_read_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("serve").write_text("kind: gpu_hours\ngpu_hours: {gpu: h100-sxm, count: 8}\n")
    assert _planned(capsys, "plan", "./serve")["workload"]["kind"] == "gpu_hours"
    assert main(["plan", "serve"]) == 2


def test_a_kind_may_stand_after_options_and_is_not_an_option_s_value(capsys: pytest.CaptureFixture[str]) -> None:
    found = _planned(capsys, "plan", "--country", "US", "gpu-hours", "--gpu", "h100-sxm", "--count", "8")
    assert found["workload"]["gpu_hours"]["count"] == 8
    assert main(["plan", "--save", "serve", "nowhere.yaml"]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err


def test_an_estimate_takes_a_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["estimate", "serve", "--model", "llama-3.1-8b", "--rps", "1", "--in", "1k", "--out", "100"]
    assert main([*words, "--on", "h100-sxm", "-f", "json"]) == 0
    assert main([*words, "--max-gpus", "3", "--on", "h100-sxm"]) == 2


def test_a_file_that_is_there_is_not_saved_over(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    words = ["plan", "gpu_hours", "--gpu", "h100-sxm", "-o", str(tmp_path / "p.json"), "--save", str(path)]
    assert main(words) == 0
    assert yaml.safe_load(path.read_text()) == {"kind": "gpu_hours", "gpu_hours": {"gpu": "h100-sxm"}}
    assert main(words) == 2


def test_the_program_alone_shows_three_questions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert len([line for line in lines if line.startswith("gpuplan plan ") and "--help" not in line]) == 3


@pytest.mark.parametrize(
    ("words", "typed", "wanted"),
    [
        (["plan", "serve", "--model"], "qwen3-", "qwen3-32b"),
        (["plan", "gpu_hours", "--gpu"], "h100", "h100-sxm"),
        (["plan", "serve", "--provider"], "lamb", "lambda"),
        (["offers", "--region"], "us-ea", "us-east-1"),
        (["plan", "serve", "--profile"], "off", "office_hours"),
        (["plan", "serve"], "--rp", "--rps"),
        (["plan"], "ser", "serve"),
    ],
)
def test_names_are_completed(words: list[str], typed: str, wanted: str) -> None:
    done = ShellComplete(gpuplan, {}, "gpuplan", "_GPUPLAN_COMPLETE").get_completions(words, typed)
    assert wanted in [item.value for item in done]


@pytest.mark.parametrize(
    ("text", "number"),
    [("10k", 1e4), ("1.5M", 1.5e6), ("2B", 2e9), ("1T", 1e12), ("1_000k", 1e6), ("k", None), ("10kk", None), ("1e3k", None), ("", None)],
)  # fmt: skip
def test_a_letter_is_a_factor(text: str, number: float | None) -> None:
    assert quantity(text) == number


def test_quantities_are_read_wherever_a_number_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.yaml"
    path.write_text("rent: {usd_per_hour: {low: 10, typical: 0.02k, high: 30}}\nbuy: {capex_usd: 0.8M}\n")
    assert main(["breakeven", str(path)]) == 0
    path.write_text("kind: pretrain\nmodel: {parameters_b: 7B}\npretrain: {tokens_b: 1T}\n")
    work = validated(document_of(path.read_text(), "w"), Workload)
    assert work.pretrain is not None
    assert work.pretrain.tokens_b == 1000
    assert not isinstance(work.model, str | None)
    assert work.model.parameters_b == 7
    capsys.readouterr()
    assert main(["offers", "--max-usd-per-hour", "0.001k", "--top", "1"]) == 0
