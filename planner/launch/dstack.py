"""dstack: a service, or a task where work ends or a replica spans machines."""

from __future__ import annotations

import math
from typing import Any

from planner.launch.deployment import DISK_GB, Deployment
from planner.launch.engines import IMAGES, PORT
from planner.launch.programs import program_of
from planner.launch.yaml_text import yaml_text
from pricing.accelerators import accelerators, card_of

BACKENDS = {
    "aws": "aws", "gcp": "gcp", "azure": "azure", "oci": "oci", "lambda": "lambda", "runpod": "runpod", "nebius": "nebius", "vast": "vastai",
    "cudo": "cudo", "crusoe": "crusoe", "cloudrift": "cloudrift", "digitalocean": "digitalocean", "hot-aisle": "hotaisle", "jarvis-labs": "jarvislabs",
    "lium": "lium", "seeweb": "seeweb", "tensordock": "tensordock", "verda": "verda", "vultr": "vultr",
}  # fmt: skip
"""What dstack 0.22.5 calls the sellers that it knows (its BackendType, read 2026-11-26)."""
REGIONS = {"aws", "gcp", "azure"}


def dstack_configuration(deployment: Deployment) -> tuple[str, tuple[str, ...]]:
    """Return the configuration, and what to see to first.

    Parameters
    ----------
    deployment : Deployment
        What is deployed.
    """
    option = deployment.option
    run, remarks = program_of(
        deployment, rank="$DSTACK_NODE_RANK", nodes="$DSTACK_NODES_NUM", head="$DSTACK_MASTER_NODE_IP"
    )
    content: dict[str, Any] = {"type": "service" if deployment.is_service else "task", "name": deployment.name}
    if deployment.has_engine:
        content |= {"image": IMAGES[deployment.vendor], "env": ["HF_TOKEN"]}
    else:
        content["python"] = "3.12"
    content["commands"] = [run]
    if deployment.is_service:
        content |= {"port": PORT, "model": deployment.checkpoint, **_replicas(deployment)}
    elif deployment.machine_count > 1:
        content["nodes"] = deployment.machine_count
    content["resources"] = _resources(deployment)
    more = list(remarks)
    if option["provider"] in BACKENDS:
        content["backends"] = [BACKENDS[option["provider"]]]
        if option["provider"] in REGIONS and option["region"] not in {"", "global"}:
            content["regions"] = [option["region"]]
    else:
        more.append(
            f"dstack knows no backend called {option['provider']}: it takes the cheapest it finds below max_price."
        )
    content["spot_policy"] = "spot" if option["purchase_option"] == "spot" else "on-demand"
    content["max_price"] = deployment.max_usd_per_hour
    if deployment.has_engine:
        more.append("A private checkpoint needs HF_TOKEN in your own environment; it is not written here.")
    return yaml_text(content), tuple(more)


def _resources(deployment: Deployment) -> dict[str, Any]:
    accelerator = accelerators().get(deployment.option["accelerator"] or "")
    if accelerator is None:
        return {"disk": f"{DISK_GB}GB.."}
    name = card_of(accelerator.name).split("-")[0].replace("RTX A", "A").replace("RTX PRO 6000 Blackwell", "RTXPRO6000")
    gpu: dict[str, Any] = {"name": name.replace(" ", ""), "count": deployment.gpus_per_machine_count}
    if accelerator.memory_gib:
        gpu["memory"] = f"{math.floor(accelerator.memory_gib * 0.95)}GB.."  # makers round up what their cards hold
    return {"gpu": gpu, "disk": f"{DISK_GB}GB.."}


def _replicas(deployment: Deployment) -> dict[str, Any]:
    least, most = deployment.least_machine_count, deployment.machine_count
    if least == most:
        return {"replicas": most}
    target = round(deployment.machine_requests_per_s, 2)
    return {"replicas": f"{least}..{most}", "scaling": {"metric": "rps", "target": target}}
