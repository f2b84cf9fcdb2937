"""The comment on a pull request: what a change costs, and whether it is within the budget."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

_spec = importlib.util.spec_from_file_location("pull_request", ROOT / "scripts" / "pull_request.py")
assert _spec is not None
assert _spec.loader is not None
pull_request = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pull_request)


def _plan(usd_per_month: float, option: str = "aws/us-east-1/p5.48xlarge/on_demand") -> dict[str, Any]:
    plan: dict[str, Any] = json.loads((ROOT / "tests" / "golden" / "plan.json").read_text(encoding="utf-8"))
    plan["verdict"]["option_id"] = option
    next(each for each in plan["options"] if each["id"] == option)["cost"]["usd_per_month"] = usd_per_month
    return plan


def test_a_comment_has_both_costs_the_difference_and_the_budget() -> None:
    said = pull_request.comment(_plan(1500.0), _plan(1000.0), 1200.0)
    assert "**+500 USD/month** against the base." in said
    assert "**Above the budget of 1,200 USD/month**" in said
    assert re.search(r"before .*aws us-east-1.*1,000", said)
    assert "**-500 USD/month**" in pull_request.comment(_plan(1000.0), _plan(1500.0), None)
    assert "Within the budget" in pull_request.comment(_plan(1000.0), None, 1000.0)
    assert "against the base" not in pull_request.comment(_plan(1000.0), None, None)


def test_the_action_runs_the_script_with_options_that_it_has_and_quotes_what_it_is_given() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    scripts = [step["run"] for step in action["runs"]["steps"] if "run" in step]
    line = next(each for each in scripts if "pull_request.py" in each)
    options = set(re.findall(r"--(base|budget|as-of|comment|outputs|summary)\b", line))
    assert options == {"base", "budget", "as-of", "comment", "outputs", "summary"}
    assert not any("${{" in each for each in scripts)  # what a pull request names never becomes part of a script
    for step in action["runs"]["steps"]:
        for value in (step.get("env") or {}).values():
            named = re.findall(r"inputs\.([\w-]+)", value)
            assert set(named) <= set(action["inputs"])


@pytest.mark.slow
def test_a_change_of_a_workload_and_of_terraform_is_priced(tmp_path: Path) -> None:
    old, new, plan = tmp_path / "old.yaml", tmp_path / "new.yaml", tmp_path / "tf.json"
    old.write_text("kind: gpu_hours\ngpu_hours: {gpu: h100-sxm, count: 8, hours_per_month: 100}\n", encoding="utf-8")
    new.write_text(old.read_text(encoding="utf-8").replace("100}", "200}"), encoding="utf-8")
    said, outputs = tmp_path / "said.md", tmp_path / "outputs"
    words = ["--as-of", "2026-11-21", "--comment", str(said), "--outputs", str(outputs)]
    assert pull_request.run([str(new), "--base", str(old), "--budget", "1", *words]) == pull_request.ABOVE_BUDGET
    values = dict(line.split("=") for line in outputs.read_text(encoding="utf-8").splitlines())
    assert float(values["difference-usd-per-month"]) == pytest.approx(float(values["usd-per-month"]) / 2, rel=0.01)
    assert "Above the budget" in said.read_text(encoding="utf-8")
    machine = {"type": "aws_instance", "mode": "managed", "values": {"instance_type": "p5.48xlarge"}}
    plan.write_text(json.dumps({"planned_values": {"root_module": {"resources": [machine]}}}), encoding="utf-8")
    assert pull_request.run([str(plan), "--budget", "1e9", *words]) == 0
    assert "8 x H100-SXM" in said.read_text(encoding="utf-8")
    assert pull_request.run([str(tmp_path / "nowhere.yaml"), *words]) == 2


def _git(folder: Path, *words: str) -> None:
    settings = ("-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main")
    subprocess.run(["git", *settings, *words], cwd=folder, check=True, capture_output=True)


@pytest.mark.slow
def test_the_step_of_the_action_compares_with_the_branch_that_a_pull_request_goes_to(tmp_path: Path) -> None:
    base, clone, runner = tmp_path / "base", tmp_path / "clone", tmp_path / "runner"
    (runner / "gpuplan" / "bin").mkdir(parents=True)
    (runner / "gpuplan" / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (runner / "gpuplan" / "bin" / "python").chmod(0o755)
    base.mkdir()
    text = "kind: gpu_hours\ngpu_hours: {gpu: h100-sxm, count: 8, hours_per_month: 100}\n"
    (base / "work load.yaml").write_text(text, encoding="utf-8")
    for words in (["init"], ["add", "."], ["commit", "-m", "x"]):
        _git(base, *words)
    _git(tmp_path, "clone", str(base), str(clone))
    (clone / "work load.yaml").write_text(text.replace("100}", "200}"), encoding="utf-8")
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    step = next(each["run"] for each in action["runs"]["steps"] if each.get("id") == "compare")
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step],
        env={
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "RUNNER_TEMP": str(runner), "ACTION": str(ROOT),
            "WORKLOAD": "work load.yaml", "BASE": "", "BASE_REF": "main", "BUDGET": "1", "AS_OF": "2026-11-21",
            "GITHUB_OUTPUT": str(runner / "outputs"), "GITHUB_STEP_SUMMARY": str(runner / "summary.md"),
        },
        cwd=clone, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == pull_request.ABOVE_BUDGET, done.stderr
    values = dict(line.split("=") for line in (runner / "outputs").read_text(encoding="utf-8").splitlines())
    assert float(values["difference-usd-per-month"]) == pytest.approx(float(values["usd-per-month"]) / 2, rel=0.01)
    assert "Above the budget" in (runner / "summary.md").read_text(encoding="utf-8")
    assert "Above the budget" in (runner / "gpuplan.md").read_text(encoding="utf-8")
