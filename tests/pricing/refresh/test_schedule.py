"""The texts that run a refresh at a time, each read by its own checker."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from datetime import time
from pathlib import Path

import pytest
import yaml

from pricing.commands.schedule import SCHEDULES, Schedule, read_time, schedule_text
from pricing.errors import PricingError

PLAN = Schedule(at=time(4, 5), arguments=("--provider", "aws"), store="/data/my prices.duckdb")


def test_a_cron_line_has_its_five_fields_and_the_command() -> None:
    line = schedule_text("cron", PLAN).splitlines()[-1]
    fields = line.split(maxsplit=5)
    assert fields[:5] == ["5", "4", "*", "*", "*"]
    assert shlex.split(fields[5]) == PLAN.words


def test_a_percent_sign_does_not_end_a_cron_command() -> None:
    line = schedule_text("cron", Schedule(store="postgresql://planner:a%40b@db/prices"))
    assert "a\\%40b" in line


@pytest.mark.parametrize("store", ["", "/data/my prices.duckdb", "postgresql://planner:a%40b$@db.example.org/prices"])
def test_systemd_accepts_its_units(store: str, tmp_path: Path) -> None:
    text = schedule_text("systemd", Schedule(store=store, command="/bin/true"))
    names = re.findall(r"^# .*/(gpuplan-refresh\.\w+)$", text, flags=re.MULTILINE)
    bodies = re.split(r"^# .*/gpuplan-refresh\.\w+\n", text, flags=re.MULTILINE)[1:]
    assert names == ["gpuplan-refresh.service", "gpuplan-refresh.timer"]
    for name, body in zip(names, bodies, strict=True):
        (tmp_path / name).write_text(body)
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    files = [str(tmp_path / name) for name in names]
    done = subprocess.run([checker, "verify", "--man=no", *files], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "gpuplan-refresh" in line]
    assert not ours
    assert done.returncode == 0, done.stderr


def test_a_github_workflow_runs_daily_keeps_its_store_and_knows_the_partial_status() -> None:
    workflow = yaml.load(schedule_text("github", PLAN), Loader=yaml.BaseLoader)
    assert workflow["on"]["schedule"] == [{"cron": "5 4 * * *"}]
    steps = workflow["jobs"]["refresh"]["steps"]
    (run,) = [step["run"] for step in steps if step.get("name") == "Refresh"]
    assert "prices refresh" in run
    assert "test $? -eq 5" in run
    assert sum("cache" in step.get("uses", "") for step in steps) == 2
    assert all("uses" in step or "run" in step for step in steps)


def test_a_cronjob_has_what_kubernetes_asks_for() -> None:
    job = yaml.safe_load(schedule_text("kubernetes", PLAN))
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert job["spec"]["schedule"] == "5 4 * * *"
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert pod["restartPolicy"] in {"Never", "OnFailure"}
    (container,) = pod["containers"]
    assert container["command"] == PLAN.words
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", job["metadata"]["name"])


@pytest.mark.parametrize("kind", list(SCHEDULES))
def test_every_kind_calls_the_refresh_quietly(kind: str) -> None:
    text = schedule_text(kind, Schedule())
    assert "refresh" in text
    assert "--quiet" in text


@pytest.mark.parametrize("text", ["25:00", "3", "03:61", "noon"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(PricingError):
        read_time(text)
