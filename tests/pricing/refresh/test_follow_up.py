"""The scheduled report: what a scheduler is given is run here as it would run it, against the clouds on the loopback."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from planner.cli import main
from pricing.commands.prices import prices
from pricing.commands.runner import run
from tests.loopback.clouds import Clouds
from tests.loopback.lambda_cloud import LambdaCloud
from tests.loopback.server import Fault
from tests.report.office import book_of

WORK = "kind: gpu_hours\ngpu_hours: {gpu: a10, count: 1, hours_per_month: 400}\nconstraints: {providers: [lambda]}\n"
ROOT = Path(__file__).parents[3]
Made = Callable[..., str]
Sh = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a team, with spaces and signs in its names, where someone has written down a workload."""
    folder = tmp_path / "the team's 100% plans"
    folder.mkdir()
    (folder / "our work.yaml").write_text(WORK)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def schedule(team: Path, capsys: pytest.CaptureFixture[str]) -> Made:
    """Return what prints a schedule as the command line does."""

    def text(*words: str, status: int = 0) -> str:
        command = ["--command", f"{shlex.quote(sys.executable)} -P -m planner", *words]
        assert main(["prices", "schedule", *command]) == status
        captured = capsys.readouterr()
        return captured.err if status else captured.out

    return text


@pytest.fixture
def sh(clouds: Clouds, tmp_path: Path) -> Sh:
    """Return what runs a line as a scheduler does: another shell, another folder, nobody's environment."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "TEST_CLOCK_OFFSET_S": os.environ["TEST_CLOCK_OFFSET_S"],
        "AWS_EC2_METADATA_DISABLED": "true",
        **clouds.settings(),
    }

    def call(line: str, folder: Path = home, shell: str = "sh") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [shell, "-c", line], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    return call


def cron_command(text: str) -> str:
    """Return what cron hands to its shell: the sixth field, without the backslashes before percent signs."""
    return text.splitlines()[-1].split(maxsplit=5)[5].replace("\\%", "%")


def unit(text: str, key: str) -> str:
    """Return a value of the service as systemd reads it."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"{key}=")]
    return line.partition("=")[2].replace("%%", "%").replace("$$", "$")


def listed(path: Path) -> dict[tuple[str, str], Any]:
    """Return the rent of each machine of a workbook, by provider and machine."""
    sheet = book_of(path, values=True)["Prices"]
    rows = list(sheet.iter_rows(min_row=4, values_only=True))
    provider, machine, price = (rows[0].index(name) for name in ("provider", "machine", "USD/h of one"))
    return {(str(row[provider]), str(row[machine])): row[price] for row in rows[1:]}


def dearer(clouds: Clouds, cents: int) -> None:
    cloud = clouds["lambda"]
    assert isinstance(cloud, LambdaCloud)
    cloud.types["gpu_1x_a10"]["instance_type"]["price_cents_per_hour"] = cents


FRESH = ("--provider", "lambda", "--store", "prices.duckdb", "--then", "plan", "our work.yaml")


@pytest.mark.slow
def test_the_line_of_cron_leaves_a_fresh_workbook_with_the_new_prices(
    schedule: Made, sh: Sh, clouds: Clouds, team: Path
) -> None:
    command = cron_command(schedule("cron", *FRESH, "-o", "plan.xlsx"))
    dearer(clouds, 119)
    done = sh(command)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert listed(team / "plan.xlsx")["lambda", "gpu_1x_a10"] == 1.19
    dearer(clouds, 131)
    assert sh(command).returncode == 0
    assert listed(team / "plan.xlsx")["lambda", "gpu_1x_a10"] == 1.31


def test_without_a_kind_it_is_a_line_of_cron(schedule: Made) -> None:
    words = ("--then", "plan", "our work.yaml", "-o", "plan.xlsx")
    assert schedule(*words) == schedule("cron", *words)


@pytest.mark.slow
def test_the_service_of_systemd_leaves_a_page_named_after_the_day(schedule: Made, sh: Sh, team: Path) -> None:
    text = schedule("systemd", "--log", "the run.log", *FRESH, "-o", "reports/plan-{date}.html")
    folder = Path(unit(text, "WorkingDirectory"))
    assert folder == team
    done = sh("exec " + unit(text, "ExecStart"), folder)
    assert done.returncode == 0, done.stderr
    today = datetime.now().astimezone().date()
    assert (team / f"reports/plan-{today}.html").read_text().startswith("<!doctype html>")
    assert unit(text, "StandardError") == f"append:{team}/the run.log"
    assert "lambda" in done.stdout  # a log has a line of what was done


@pytest.mark.slow
def test_the_workflow_of_github_runs_in_a_folder_of_the_checkout_and_keeps_the_report(
    schedule: Made, sh: Sh, team: Path, tmp_path: Path
) -> None:
    (tmp_path / ".git").mkdir()
    words = ("--provider", "lambda", "--then", "plan", "our work.yaml", "-o", "plan-{date}.xlsx")
    job = yaml.load(schedule("github", *words), Loader=yaml.BaseLoader)["jobs"]["refresh"]
    (step,) = [each for each in job["steps"] if each.get("name") == "Refresh"]
    assert step["working-directory"] == team.name
    done = sh("set -e\n" + step["run"], tmp_path / step["working-directory"], shell="bash")
    assert done.returncode == 0, done.stderr
    (artifact,) = [each["with"]["path"] for each in job["steps"] if "upload-artifact" in each.get("uses", "")]
    assert [path.suffix for path in tmp_path.glob(artifact)] == [".xlsx"]
    (kept,) = [each["with"]["path"] for each in job["steps"] if "cache/save" in each.get("uses", "")]
    assert (tmp_path / kept / "prices.duckdb").exists()


@pytest.mark.slow
def test_the_pod_of_kubernetes_finds_its_files_where_the_words_look(
    schedule: Made, sh: Sh, team: Path, tmp_path: Path
) -> None:
    text = schedule("kubernetes", *FRESH[:2], *FRESH[4:], "-o", "plan.xlsx")
    inputs, job = yaml.safe_load_all(text)
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    data = tmp_path / "claim"
    data.mkdir()
    for mount in container["volumeMounts"]:
        if mount["name"] == "inputs":
            (data / Path(mount["mountPath"]).relative_to("/data")).write_text(inputs["data"][mount["subPath"]])
    assert container["workingDir"] == "/data"
    command = shlex.join(container["command"]).replace("/data/", f"{data}/")
    done = sh(command, data)
    assert done.returncode == 0, done.stderr
    assert listed(data / "plan.xlsx")
    assert inputs["data"] == {"file-0": WORK}
    assert inputs["metadata"]["name"] == pod["volumes"][1]["configMap"]["name"]


@pytest.mark.slow
def test_a_night_in_which_every_source_failed_plans_from_the_kept_prices_and_says_so(
    schedule: Made, sh: Sh, clouds: Clouds, team: Path
) -> None:
    command = cron_command(schedule("cron", *FRESH, "-o", "plan.json"))
    assert sh(command).returncode == 0
    (team / "plan.json").unlink()
    clouds["lambda"].faults.append(Fault(status=404, times=99))
    done = sh(command)
    assert done.returncode == 6
    assert "lambda instance_types" in done.stderr
    record = yaml.safe_load((team / "plan.json").read_text())
    (note,) = [note for note in record["notes"] if note.startswith("gave no new prices")]
    assert f"lambda instance_types (of {datetime.now(UTC):%Y-%m-%d}" in note


@pytest.mark.slow
def test_a_night_in_which_one_source_failed_plans_and_has_its_own_status(
    schedule: Made, sh: Sh, clouds: Clouds, team: Path
) -> None:
    clouds["runpod"].faults.append(Fault(status=404, times=99))
    done = sh(cron_command(schedule("cron", "--provider", "runpod", *FRESH, "-o", "plan.xlsx")))
    assert done.returncode == 5
    assert listed(team / "plan.xlsx")


@pytest.mark.slow
def test_a_plan_that_fails_has_the_last_word(schedule: Made, sh: Sh, team: Path) -> None:
    command = cron_command(schedule("cron", *FRESH, "--country", "DE", "-o", "plan.xlsx"))
    done = sh(command)
    assert done.returncode in {2, 3}
    assert "error" in done.stderr
    assert not (team / "plan.xlsx").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["cron", "--then", "plan", "our work.yaml"], "-o plan.xlsx"),
        (["cron", "--then", "plan", "our work.yaml", "-o", "plan.docx"], "names no form"),
        (["cron", "--then", "plan", "-", "-o", "plan.xlsx"], "standard input"),
        (["cron", "--then", "plan", "lost.yaml", "-o", "plan.xlsx"], "no such file"),
        (["cron", "--then", "plan", "our work.yaml", "--horizn", "3", "-o", "plan.xlsx"], "--horizon"),
        (["cron", "--then", "plan", "our work.yaml", "--as-of", "2026-01-01", "-o", "p.xlsx"], "--as-of"),
        (["cron", "--then", "offers", "-o", "plan.xlsx"], "plan can follow"),
        (["cron", "--then"], "requires an argument"),
        (["cron", "--store", "a", "--then", "plan", "our work.yaml", "--store", "b", "-o", "p.xlsx"], "another store"),
        (["github", "--then", "plan", "/etc/hostname", "-o", "plan.xlsx"], "checkout"),
        (["github", "--log", "x"], "keeps the log"),
        (["kubernetes", "--then", "plan", "our work.yaml", "-o", "/plan.xlsx"], "the claim"),
    ],
)
def test_a_follow_up_that_cannot_work_is_told_when_it_is_scheduled(words: list[str], told: str, schedule: Made) -> None:
    assert told in schedule(*words, status=2)


def test_one_quoted_text_leaves_room_for_options_after_it(schedule: Made) -> None:
    text = schedule("cron", "--then", "plan 'our work.yaml' -o plan.xlsx", "--at", "07:00")
    assert text.splitlines()[-1].startswith("0 7 * * *")
    assert text.endswith("--then plan 'our work.yaml' -o plan.xlsx\n")


def test_a_name_with_a_line_break_is_refused(schedule: Made, team: Path) -> None:
    (team / "two\nlines.yaml").write_text(WORK)
    assert "line break" in schedule("cron", "--then", "plan", "two\nlines.yaml", "-o", "plan.xlsx", status=2)


def test_the_half_without_a_planner_says_where_the_whole_is(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(prices, ["schedule", "--then", "plan", "our work.yaml", "-o", "plan.xlsx"], name="python -m pricing") == 2
    )
    assert "gpuplan prices" in capsys.readouterr().err


def test_what_a_scheduler_calls_can_be_found_from_anywhere(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "planner", "prices", "schedule", "--store", "here.duckdb"],
        cwd=team, env=dict(os.environ), capture_output=True, text=True, check=True,
    )  # fmt: skip
    words = shlex.split(cron_command(done.stdout))
    assert Path(words[0]).is_absolute()
    assert words[words.index("--store") + 1] == str(team / "here.duckdb")
