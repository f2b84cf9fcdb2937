"""Terraform: machines of AWS, Google Cloud and Azure; capacity blocks are commented out, as buying one cannot be undone."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from importlib import resources

from planner.launch.deployment import DISK_GB, Deployment, LaunchError
from planner.launch.engines import docker_line
from planner.report.words import how_paid

BESIDE_THE_MACHINE = {"T4": "nvidia-tesla-t4", "V100-16GB-SXM": "nvidia-tesla-v100"}
"""Google's accelerators that are added to an n1 machine; with the others the machine type holds them."""
CAPACITY_BLOCK = """
data "aws_ec2_capacity_block_offering" "gpu" {{
  capacity_duration_hours = {hours}
  instance_type           = {instance_type}
  instance_count          = {count}
}}

resource "aws_ec2_capacity_block_reservation" "gpu" {{
  capacity_block_offering_id = data.aws_ec2_capacity_block_offering.gpu.capacity_block_offering_id
  instance_platform          = "Linux/UNIX"
}}

Then, in aws_instance.gpu:
  instance_market_options {{
    market_type = "capacity-block"
  }}
  capacity_reservation_specification {{
    capacity_reservation_target {{
      capacity_reservation_id = aws_ec2_capacity_block_reservation.gpu.id
    }}
  }}
"""
LONGEST_BLOCK_HOURS = 182 * 24
FILL = re.compile(r"\$([a-z_]+)")
COMMITMENTS = ("reserved", "savings_plan", "committed", "calendar")


def terraform_configuration(deployment: Deployment) -> tuple[str, tuple[str, ...]]:
    """Return the configuration, and what to see to first.

    Parameters
    ----------
    deployment : Deployment
        What is deployed.

    Raises
    ------
    LaunchError
        The seller is none of the three.
    """
    option = deployment.option
    writers: dict[str, Callable[[Deployment], dict[str, str]]] = {"aws": _aws, "gcp": _gcp, "azure": _azure}
    provider = option["provider"]
    if provider not in writers:
        raise LaunchError(
            f"machines of {provider} have no configuration here; {', '.join(writers)} have one",
            where="--to",
            hint="--to skypilot, dstack or vllm; or plan with --provider aws",
        )
    program, remarks = "", ["The machines start empty: install and start your own program on them."]
    if deployment.has_engine and deployment.machines_per_replica_count == 1 and deployment.kind != "batch":
        program, engine_remarks = docker_line(deployment)
        remarks = [*engine_remarks]
    if option["purchase_option"].startswith(COMMITMENTS):
        remarks.append(
            f"The price is that of {how_paid(option['purchase_option'])}: buy the commitment separately; these machines then use it."
        )
    common = {
        "count": str(deployment.machine_count),
        "instance_type": _quoted(option["instance_type"]),
        "region": _quoted(option["region"]),
        "name": deployment.name,
        "disk_gb": str(DISK_GB),
    }
    template = resources.files("planner").joinpath("launch", "templates", f"{provider}.tf").read_text(encoding="utf-8")
    values = common | {"program": _program(provider, program)} | writers[provider](deployment)
    text = FILL.sub(lambda match: values[match[1]], template)
    return re.sub(r"\n{3,}", "\n\n", text), tuple(remarks)


def _quoted(text: str) -> str:
    """Return a text as a literal of the language, in which nothing is filled in."""
    return json.dumps(text, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _program(provider: str, line: str) -> str:
    """Return what a machine does when it starts, as a block of lines in which nothing is filled in."""
    if not line:
        return ""
    script = f"#!/bin/bash\n{line}\n".replace("${", "$${").replace("%{", "%%{")
    if provider == "azure":
        return f"\n  custom_data = base64encode(<<-EOT\n{script}EOT\n  )\n"
    return f"\n  {'user_data' if provider == 'aws' else 'metadata_startup_script'} = <<-EOT\n{script}EOT\n"


def _aws(deployment: Deployment) -> dict[str, str]:
    option, block, market = deployment.option, "", ""
    if option["purchase_option"] == "spot":
        market = '\n  instance_market_options {\n    market_type = "spot"\n  }\n'
    if option["purchase_option"] == "capacity_block":
        hours = math.ceil(option["hours_per_run"] or LONGEST_BLOCK_HOURS)
        reserved = CAPACITY_BLOCK.format(
            hours=min(math.ceil(hours / 24) * 24, LONGEST_BLOCK_HOURS),
            instance_type=_quoted(option["instance_type"]),
            count=deployment.machine_count,
        )
        first = (
            "A capacity block is paid when it is bought and cannot be given back: take the # away where you mean it."
        )
        block = "\n" + "".join(f"# {line}".rstrip() + "\n" for line in [first, *reserved.strip("\n").split("\n")])
    return {"market": market, "block": block}


def _gcp(deployment: Deployment) -> dict[str, str]:
    option = deployment.option
    lines = ['on_host_maintenance = "TERMINATE"', "automatic_restart   = true"]
    if option["purchase_option"] == "spot":
        lines = [
            'on_host_maintenance         = "TERMINATE"',
            'provisioning_model          = "SPOT"',
            "preemptible                 = true",
            "automatic_restart           = false",
            'instance_termination_action = "STOP"',
        ]
    added = BESIDE_THE_MACHINE.get(option["accelerator"] or "")
    accelerator = ""
    if added and option["instance_type"].startswith("n1-"):
        accelerator = f"\n  guest_accelerator {{\n    type  = {_quoted(added)}\n    count = {deployment.gpus_per_machine_count}\n  }}\n"
    return {
        "market": "\n".join(f"    {line}" for line in lines),
        "accelerator": accelerator,
        "place": option["region"],
        "machine": option["instance_type"],
    }


def _azure(deployment: Deployment) -> dict[str, str]:
    spot = '\n  priority        = "Spot"\n  eviction_policy = "Deallocate"\n  max_bid_price   = -1\n'
    return {"market": spot if deployment.option["purchase_option"] == "spot" else ""}
