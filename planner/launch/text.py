"""Texts: what a target's file holds, with the plan and the date of its price at its head."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from planner.launch.deployment import Deployment, deployment_of
from planner.launch.engines import engine_of, shell_lines
from planner.launch.kubernetes import kubernetes_manifest
from planner.launch.tasks import dstack_configuration, skypilot_task
from planner.launch.terraform import terraform_configuration
from planner.report.figures import usd
from planner.report.option_words import short_name

if TYPE_CHECKING:
    from planner.report.schema.plan import PlanRecord


TARGETS = {
    "vllm": "bash serve.sh",
    "sglang": "bash serve.sh",
    "kubernetes": "kubectl apply -f deployment.yaml",
    "terraform": "terraform init && terraform apply, with this as main.tf in a folder of its own",
    "skypilot": "sky launch task.yaml",
    "dstack": "dstack apply -f service.dstack.yml",
}
"""What a plan can be launched with, and the command that takes the file."""
WIDTH = 110


def launch_text(record: PlanRecord, target: str, option_id: str | None = None) -> str:
    """Return an option of a plan as a file that can be run.

    Parameters
    ----------
    record : PlanRecord
        The plan.
    target : str
        A key of `TARGETS`.
    option_id : str, optional
        The option; the verdict's without it.

    Raises
    ------
    LaunchError
        The option is nothing that can be started, or not so.
    """
    deployment = deployment_of(record, option_id)
    match target:
        case "vllm" | "sglang":
            body, remarks = _engine_script(deployment, is_sglang=target == "sglang")
        case "kubernetes":
            body, remarks = kubernetes_manifest(deployment)
        case "terraform":
            body, remarks = terraform_configuration(deployment)
        case "skypilot":
            body, remarks = skypilot_task(deployment, record)
        case _:
            body, remarks = dstack_configuration(deployment)
    return f"{_head(deployment, target, body, remarks)}\n{body.rstrip()}\n"


def _engine_script(deployment: Deployment, *, is_sglang: bool) -> tuple[str, tuple[str, ...]]:
    engine = engine_of(deployment, replica_count=deployment.replicas_per_machine_count, is_sglang=is_sglang)
    machines = deployment.machines_per_replica_count
    if machines > 1:
        how = "on each machine with its own --node-rank" if is_sglang else "on the first machine of a Ray cluster"
        where = f"One replica spans {machines} machines: run it {how}, {deployment.replica_count} times in all."
    else:
        where = f"Run it on each of the {deployment.machine_count} machines, behind a load balancer."
    said = (where,) if deployment.machine_count > 1 else ()
    return shell_lines(engine.command), (*said, *engine.remarks)


def _head(deployment: Deployment, target: str, body: str, remarks: tuple[str, ...]) -> str:
    option = deployment.option
    spare = f", {deployment.spare_machine_count} of them spare" if deployment.spare_machine_count else ""
    start = "sky serve up service.yaml" if target == "skypilot" and "\nservice:" in body else TARGETS[target]
    lines = [
        deployment.title,
        f"{short_name(option)}: {deployment.machine_count} x {option['instance_type']}{spare}",
        f"{usd(option['price_usd_per_hour'])} USD/h each, price of {option['priced_on']}; planned on {deployment.planned_on}",
        *([f"Plan: {deployment.command}"] if deployment.command else []),
        f"Option: {option['id']}",
        f"Start: {start}",
        *(f"- {remark}" for remark in remarks),
    ]
    shebang = "#!/bin/bash\n" if target in {"vllm", "sglang"} else ""
    return shebang + "\n".join(comment for line in lines for comment in _comment(line))


def _comment(line: str) -> list[str]:
    """Return one line of text as comments, in which no other line can begin."""
    plain = re.sub(r"[\x00-\x1f\x7f\u2028\u2029\x85]+", " ", line)
    return textwrap.wrap(plain, WIDTH, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)
