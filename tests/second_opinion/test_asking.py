"""The child process: whatever the other program does, the plan gets a figure or a sentence, in time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from planner.second_opinion.asking import Figures, ask
from planner.second_opinion.question import Question

QUESTION = Question(
    system="h100_sxm", model="", config={"architectures": ["LlamaForCausalLM"]}, input_tokens=1000, output_tokens=300, cached_tokens=100,
    batch=16, tensor=2, pipeline=1, attention_data=1, expert=0, matrix_format="fp8", expert_format="", cache_format="fp8",
)  # fmt: skip
GOOD = """
from types import SimpleNamespace
def cli_estimate(model, system, **asked):
    print("chatter that is no answer")
    return SimpleNamespace(
        backend_version="9.9", tokens_per_second_per_gpu=500.0, ttft=200.0, tpot=asked["batch_size"] * 1.0, kv_cache_warning=None
    )
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file that stands for the other program's interface; the child imports it from this path."""
    package = tmp_path / "aiconfigurator" / "cli"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return package / "api.py"


def test_a_good_answer_comes_back_whole_and_chatter_is_no_part_of_it(fake: Path) -> None:
    fake.write_text(GOOD, encoding="utf-8")
    found = ask(QUESTION, limit_s=30)
    assert isinstance(found, Figures)
    assert found.engine == "trtllm 9.9"
    assert found.values == {"tokens_per_s_per_gpu": 500.0, "ttft_ms": 200.0, "tpot_ms": 16.0}


def test_the_model_is_handed_over_as_a_folder_with_its_configuration(fake: Path) -> None:
    reads = "import json, pathlib\n" + GOOD.replace(
        'print("chatter that is no answer")',
        'assert json.loads((pathlib.Path(model) / "config.json").read_text())["architectures"] == ["LlamaForCausalLM"]',
    )
    fake.write_text(reads, encoding="utf-8")
    assert isinstance(ask(QUESTION, limit_s=30), Figures)


def test_the_first_engine_that_was_measured_answers(fake: Path) -> None:
    fake.write_text(
        GOOD.replace(
            'print("chatter that is no answer")',
            'if asked["backend_name"] == "trtllm":\n        raise ValueError("no database")',
        ),
        encoding="utf-8",
    )
    found = ask(QUESTION, limit_s=30)
    assert isinstance(found, Figures)
    assert found.engine == "vllm 9.9"


def test_what_no_engine_covers_is_said_in_its_own_words(fake: Path) -> None:
    fake.write_text(
        "def cli_estimate(*_, **__):\n    raise ValueError('no database of this system')\n", encoding="utf-8"
    )
    found = ask(QUESTION, limit_s=30)
    assert isinstance(found, str)
    assert "does not cover this" in found
    assert "no database of this system" in found


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("raise SystemExit('out of tables')", "broke off"),
        ("import os\nos._exit(9)", "exit status 9"),
        ("import os\nos.abort()", "broke off"),
        ("import a_package_that_is_not_there", "lacks a package of its own, a_package_that_is_not_there"),
        (GOOD.replace("500.0", "float('nan')"), "could not be read"),
        (GOOD.replace("500.0", "-1.0"), "could not be read"),
        (GOOD.replace("500.0", "'many'"), "broke off"),
    ],
)
def test_a_crash_or_nonsense_becomes_a_sentence(source: str, told: str, fake: Path) -> None:
    fake.write_text(source, encoding="utf-8")
    found = ask(QUESTION, limit_s=30)
    assert isinstance(found, str)
    assert told in found
    assert "\n" not in found


@pytest.mark.slow
def test_a_hang_is_ended_with_all_that_it_started(fake: Path, tmp_path: Path) -> None:
    mark = tmp_path / "still-running"
    grandchild = f"import time, pathlib; time.sleep(3); pathlib.Path({str(mark)!r}).touch()"
    fake.write_text(
        f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {grandchild!r}])\ntime.sleep(600)\n",
        encoding="utf-8",
    )
    before = time.monotonic()
    assert ask(QUESTION, limit_s=2) == "aiconfigurator did not answer within 2 s"
    assert time.monotonic() - before < 20
    time.sleep(3)
    assert not mark.exists()


def test_a_flood_of_output_neither_blocks_nor_reaches_us(fake: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fake.write_text("print('x' * 5_000_000)\n" + GOOD, encoding="utf-8")
    assert isinstance(ask(QUESTION, limit_s=60), Figures)
    told = capfd.readouterr()
    assert "xxx" not in told.out + told.err


def test_a_module_in_the_users_folder_is_not_what_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')", encoding="utf-8")
    (tmp_path / "aiconfigurator.py").write_text("raise SystemExit('shadowed')", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = ask(QUESTION, limit_s=30)
    assert isinstance(found, str)
    assert "shadowed" not in found


def test_the_child_is_kept_off_the_network(fake: Path) -> None:
    source = (
        "import os\nassert os.environ['HF_HUB_OFFLINE'] == '1' and '127.0.0.1' in os.environ['https_proxy']\n" + GOOD
    )
    fake.write_text(source, encoding="utf-8")
    assert isinstance(ask(QUESTION, limit_s=30), Figures)
