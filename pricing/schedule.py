"""Texts that run a refresh at a time: a cron line, a systemd service and timer, a GitHub workflow, a Kubernetes CronJob.

Each is text to be read and placed by a person; nothing here touches a machine.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Final

from pricing.errors import PricingError

__all__ = ["SCHEDULES", "Schedule", "read_time", "schedule_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a refresh runs, and how it is called.

    Attributes
    ----------
    at : time
        Time of the day, UTC where the scheduler knows zones.
    command : str
        The program.
    arguments : tuple of str
        After ``prices refresh``.
    store : str
        Address of the store; empty for the user's own.
    image : str
        Container image with the program, for Kubernetes.
    """

    at: time = time(3, 17)  # not on the hour, when everyone asks
    command: str = "gpuplan"
    arguments: tuple[str, ...] = ()
    store: str = ""
    image: str = "registry.example.org/gpuplan:latest"

    @property
    def words(self) -> list[str]:
        """The command line, word by word."""
        store = ["--store", self.store] if self.store else []
        return [*shlex.split(self.command), "prices", "refresh", "--quiet", *store, *self.arguments]

    @property
    def line(self) -> str:
        """The command line, quoted for a shell."""
        return shlex.join(self.words)


def _cron(schedule: Schedule) -> str:
    # In a crontab a percent sign ends the command.
    line = schedule.line.replace("%", "\\%")
    return f"# m h dom mon dow  command\n{schedule.at.minute} {schedule.at.hour} * * *  {line}\n"


def _systemd(schedule: Schedule) -> str:
    words = " ".join(_systemd_quoted(word) for word in schedule.words[1:])
    program = (
        schedule.words[0] if schedule.words[0].startswith("/") else f"/usr/bin/env {_systemd_quoted(schedule.words[0])}"
    )
    return f"""# ~/.config/systemd/user/gpuplan-refresh.service
[Unit]
Description=Refresh the prices of cloud GPUs
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={program} {words}
# A refresh in which one source failed keeps the good part; it is told by its status and by "gpuplan prices status".
SuccessExitStatus=5
TimeoutStartSec=1h
Nice=10

# ~/.config/systemd/user/gpuplan-refresh.timer
[Unit]
Description=Refresh the prices of cloud GPUs every day

[Timer]
OnCalendar=*-*-* {schedule.at:%H:%M}:00 UTC
RandomizedDelaySec=15min
Persistent=true

[Install]
WantedBy=timers.target
"""


def _systemd_quoted(word: str) -> str:
    plain = word.replace("%", "%%").replace("$", "$$")
    if plain and all(letter.isalnum() or letter in "-_./:=@,+%" for letter in plain):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _github(schedule: Schedule) -> str:
    import yaml

    folder = "prices"
    words = [*schedule.words, *([] if schedule.store else ["--store", f"{folder}/prices.duckdb"])]
    secrets = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "LAMBDA_API_KEY", "RUNPOD_API_KEY")
    steps: list[dict[str, object]] = [
        {"uses": "actions/checkout@v4"},
        {"uses": "actions/setup-python@v5", "with": {"python-version": "3.12"}},
        {"run": "pip install 'gpuplan[all]'"},
        {"name": "Restore the store", "uses": "actions/cache/restore@v4", "with": _cache(folder, with_restore=True)},
        {
            "name": "Refresh",
            "run": f"mkdir -p {folder}\n{shlex.join(words)} || test $? -eq 5",
            "env": {name: "${{ secrets." + name + " }}" for name in secrets},
        },
        {"name": "Keep the store", "uses": "actions/cache/save@v4", "with": _cache(folder, with_restore=False)},
    ]
    workflow: dict[str, object] = {
        "name": "prices",
        "on": {"schedule": [{"cron": f"{schedule.at.minute} {schedule.at.hour} * * *"}], "workflow_dispatch": {}},
        "concurrency": {"group": "prices", "cancel-in-progress": False},
        "permissions": {"contents": "read"},
        "jobs": {"refresh": {"runs-on": "ubuntu-latest", "timeout-minutes": 60, "steps": steps}},
    }
    # "on" is a word of YAML 1.1 for true; GitHub reads it as it stands, so it is not quoted.
    text: str = yaml.safe_dump(workflow, sort_keys=False, width=120)
    return "# .github/workflows/prices.yml\n" + text.replace("'on':", "on:")


def _cache(folder: str, *, with_restore: bool) -> dict[str, str]:
    key = {"path": folder, "key": "prices-${{ github.run_id }}"}
    return {**key, "restore-keys": "prices-"} if with_restore else key


def _kubernetes(schedule: Schedule) -> str:
    import yaml

    store = [] if schedule.store else ["--store", "/data/prices.duckdb"]
    container = {
        "name": "refresh",
        "image": schedule.image,
        "command": [*schedule.words, *store],
        "envFrom": [{"secretRef": {"name": "gpuplan-credentials", "optional": True}}],
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    pod = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "gpuplan-prices"}}],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "gpuplan-prices"},
        "spec": {
            "schedule": f"{schedule.at.minute} {schedule.at.hour} * * *",
            "timeZone": "Etc/UTC",
            "concurrencyPolicy": "Forbid",
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {"spec": {"backoffLimit": 1, "activeDeadlineSeconds": 3600, "template": {"spec": pod}}},
        },
    }
    return str(yaml.safe_dump(job, sort_keys=False, width=120))


SCHEDULES: Final[Mapping[str, Callable[[Schedule], str]]] = {
    "cron": _cron,
    "systemd": _systemd,
    "github": _github,
    "kubernetes": _kubernetes,
}
"""Kind of scheduler to what writes its text."""


def schedule_text(kind: str, schedule: Schedule) -> str:
    """Return the text for one kind of scheduler.

    Parameters
    ----------
    kind : str
        One of `SCHEDULES`.
    schedule : Schedule
        When and what.

    Examples
    --------
    >>> print(schedule_text("cron", Schedule(arguments=("--provider", "aws"))), end="")
    # m h dom mon dow  command
    17 3 * * *  gpuplan prices refresh --quiet --provider aws
    """
    return SCHEDULES[kind](schedule)


def read_time(text: str) -> time:
    """Read a time of the day.

    Raises
    ------
    PricingError
        Where it is none.

    Examples
    --------
    >>> read_time("03:17")
    datetime.time(3, 17)
    """
    try:
        return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007 - a time of any day
    except ValueError:
        raise PricingError(
            f"not a time of the day: {text!r}", hint="write HH:MM, for example 03:17", where="--at"
        ) from None
