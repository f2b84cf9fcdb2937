"""Texts that run a refresh at a time: a cron line, a systemd service and timer, a GitHub workflow, a Kubernetes CronJob.

Each is text to be read and placed by a person; nothing here touches a machine. Where a plan follows the refresh, it is the same
command that does both (``prices refresh --then plan ...``), so that no scheduler has to know what an exit status means.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from pathlib import PurePosixPath
from typing import Any, Final

from pricing.errors import PricingError


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
    store_in_environment : bool
        Whether ``GPUPLAN_STORE`` of the job's environment names it, since its address holds a password.
    image : str
        Container image with the program, for Kubernetes.
    then : tuple of str
        Words of the plan that follows; empty without one.
    folder : str
        Where it runs, so that the plan's words mean what they meant to who wrote them: a folder of this machine for cron and
        systemd, one below the repository's root for GitHub.
    output : str
        The file that the plan writes, ``{date}`` in it; for GitHub and Kubernetes.
    files : mapping of str to bytes
        What the plan reads, by name; for Kubernetes.
    log : str
        File for what is said; for cron and systemd, whose own mail or journal has it without one.
    """

    at: time = time(3, 17)  # not on the hour, when everyone asks
    command: str = "gpuplan"
    arguments: tuple[str, ...] = ()
    store: str = ""
    store_in_environment: bool = False
    image: str = "registry.example.org/gpuplan:latest"
    then: tuple[str, ...] = ()
    folder: str = ""
    output: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    log: str = ""

    @property
    def words(self) -> list[str]:
        """The command line, word by word."""
        store = ["--store", self.store] if self.store and not self.store_in_environment else []
        quiet = [] if self.log else ["--quiet"]  # a log without a line a day tells nothing
        then = ["--then", *self.then] if self.then else []
        return [*shlex.split(self.command), "prices", "refresh", *quiet, *store, *self.arguments, *then]

    @property
    def line(self) -> str:
        """The command line, quoted for a shell."""
        return shlex.join(self.words)


def _cron(schedule: Schedule) -> str:
    line = schedule.line
    if schedule.folder:
        line = f"cd {shlex.quote(schedule.folder)} && {line}"
    if schedule.log:
        line += f" >>{shlex.quote(schedule.log)} 2>&1"
    # In a crontab a percent sign ends the command.
    line = line.replace("%", "\\%")
    return f"# m h dom mon dow  command\n{schedule.at.minute} {schedule.at.hour} * * *  {line}\n"


def _systemd(schedule: Schedule) -> str:
    words = " ".join(_systemd_quoted(word) for word in schedule.words[1:])
    program = (
        schedule.words[0] if schedule.words[0].startswith("/") else f"/usr/bin/env {_systemd_quoted(schedule.words[0])}"
    )
    what = "Refresh the prices of cloud GPUs" + (" and plan with them" if schedule.then else "")
    # A path is the rest of its line, spaces and all; only a percent sign means something in it.
    folder = "WorkingDirectory=" + schedule.folder.replace("%", "%%") + "\n" if schedule.folder else ""
    target = "append:" + schedule.log.replace("%", "%%")
    log = f"StandardOutput={target}\nStandardError={target}\n" if schedule.log else ""
    return f"""# ~/.config/systemd/user/gpuplan-refresh.service
[Unit]
Description={what}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
{folder}{log}ExecStart={program} {words}
# A refresh in which one source failed keeps the good part; it is told by its status and by "gpuplan prices status".
SuccessExitStatus=5
TimeoutStartSec=1h
Nice=10

# ~/.config/systemd/user/gpuplan-refresh.timer
[Unit]
Description={what} every day

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


def _yaml(document: object) -> str:
    """Return YAML as people write it: a text of many lines stands as it is, and none is folded."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts of many lines as blocks."""

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)

    Dumper.add_representer(str, represent)
    dumped = yaml.dump(document, Dumper=Dumper, sort_keys=False, width=10_000, allow_unicode=True)
    return str(dumped)


def _github(schedule: Schedule) -> str:
    folder = str(PurePosixPath(schedule.folder, "prices"))
    words = replace(schedule, store=schedule.store or "prices/prices.duckdb").words
    here = {"working-directory": schedule.folder} if schedule.folder else {}
    secrets = (
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "DIGITALOCEAN_TOKEN", "HYPERSTACK_API_KEY", "LAMBDA_API_KEY", "RUNPOD_API_KEY",
    )  # fmt: skip
    steps: list[dict[str, object]] = [
        {"uses": "actions/checkout@v4"},
        {"uses": "actions/setup-python@v5", "with": {"python-version": "3.12"}},
        {"run": "pip install 'gpuplan[all]'"},
        {"name": "Restore the store", "uses": "actions/cache/restore@v4", "with": _cache(folder, with_restore=True)},
        {
            "name": "Refresh",
            "run": f"mkdir -p prices\n{shlex.join(words)} || test $? -eq 5",
            **here,
            "env": {name: "${{ secrets." + name + " }}" for name in secrets},
        },
        {
            "name": "Keep the store",
            # Also when the plan found nothing: the new prices are good.
            "if": "${{ !cancelled() }}",
            "uses": "actions/cache/save@v4",
            "with": _cache(folder, with_restore=False),
        },
        *([_artifact(schedule)] if schedule.then else []),
    ]
    workflow: dict[str, object] = {
        "name": "prices",
        "on": {"schedule": [{"cron": f"{schedule.at.minute} {schedule.at.hour} * * *"}], "workflow_dispatch": {}},
        "concurrency": {"group": "prices", "cancel-in-progress": False},
        "permissions": {"contents": "read"},
        "jobs": {"refresh": {"runs-on": "ubuntu-latest", "timeout-minutes": 60, "steps": steps}},
    }
    # "on" is a word of YAML 1.1 for true; GitHub reads it as it stands, so it is not quoted.
    return "# .github/workflows/prices.yml\n" + _yaml(workflow).replace("'on':", "on:")


def _artifact(schedule: Schedule) -> dict[str, object]:
    """Return the step that keeps the report where the team can take it from the run's page."""
    path = str(PurePosixPath(schedule.folder, schedule.output.replace("{date}", "*")))
    return {
        "name": "Keep the report",
        "if": "${{ !cancelled() }}",
        "uses": "actions/upload-artifact@v4",
        "with": {"name": "report", "path": path, "if-no-files-found": "error"},
    }


def _cache(folder: str, *, with_restore: bool) -> dict[str, str]:
    key = {"path": folder, "key": "prices-${{ github.run_id }}"}
    return {**key, "restore-keys": "prices-"} if with_restore else key


DATA = "/data"
"""Where the claim is mounted: the store, and what a plan writes."""


def _kubernetes(schedule: Schedule) -> str:
    words = replace(schedule, store=schedule.store or f"{DATA}/prices.duckdb").words
    # Each file is laid where the plan's words look for it, beside what the plan writes.
    mounts = [
        {"name": "inputs", "mountPath": str(PurePosixPath(DATA, name)), "subPath": f"file-{i}", "readOnly": True}
        for i, name in enumerate(schedule.files)
    ]
    container: dict[str, Any] = {
        "name": "refresh",
        "image": schedule.image,
        "command": [word.replace("$(", "$$(") for word in words],  # $(NAME) would be a variable's value
        **({"workingDir": DATA} if schedule.then else {}),
        "envFrom": [{"secretRef": {"name": "gpuplan-credentials", "optional": True}}],
        "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "4Gi"}},
        "volumeMounts": [{"name": "data", "mountPath": DATA}, *mounts],
    }
    inputs = [{"name": "inputs", "configMap": {"name": "gpuplan-inputs"}}] if mounts else []
    pod = {
        "restartPolicy": "Never",
        "containers": [container],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "gpuplan-prices"}}, *inputs],
    }
    # A refresh in which one source failed keeps the good part: no reason to run it again.
    policy = {
        "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": {"operator": "In", "values": [2, 5]}}]}
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
            "jobTemplate": {
                "spec": {"backoffLimit": 1, "activeDeadlineSeconds": 3600, **policy, "template": {"spec": pod}}
            },
        },
    }
    where = f"# The report is {DATA}/{schedule.output} on the claim gpuplan-prices.\n" if schedule.then else ""
    parts = [*([_inputs(schedule.files)] if mounts else []), job]
    return where + "---\n".join(_yaml(part) for part in parts)


def _inputs(files: Mapping[str, bytes]) -> dict[str, object]:
    """Return the ConfigMap with what the plan reads; its keys allow no slashes and spaces, so they are counted."""
    import base64

    texts: dict[str, str] = {}
    others: dict[str, str] = {}
    for i, content in enumerate(files.values()):
        try:
            texts[f"file-{i}"] = content.decode()
        except UnicodeDecodeError:
            others[f"file-{i}"] = base64.b64encode(content).decode()
    data = {key: held for key, held in (("data", texts), ("binaryData", others)) if held}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gpuplan-inputs"}, **data}


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

    Raises
    ------
    PricingError
        A name holds a line break: a crontab and a unit have one line for a command.

    Examples
    --------
    >>> print(schedule_text("cron", Schedule(arguments=("--provider", "aws"))), end="")
    # m h dom mon dow  command
    17 3 * * *  gpuplan prices refresh --quiet --provider aws
    """
    said = [*schedule.words, schedule.folder, schedule.log, *schedule.files]
    if any(letter in word for word in said for letter in "\n\r\0"):
        raise PricingError("a name with a line break cannot be scheduled", hint="rename the file or the folder")
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
            f"not a time of day: {text!r}", hint="write HH:MM, for example 03:17", where="--at"
        ) from None
