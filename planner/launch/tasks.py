"""SkyPilot and dstack: a service where requests are answered as they come, a task otherwise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from planner.launch.deployment import DISK_GB, Deployment
from planner.launch.engines import IMAGES, PORT, program_of, yaml_text
from pricing.facts.accelerators import accelerators, card_of

if TYPE_CHECKING:
    from planner.report.schema.option import OptionRecord
    from planner.report.schema.plan import PlanRecord


CLOUDS = {
    "aws": "aws", "gcp": "gcp", "azure": "azure", "oci": "oci", "lambda": "lambda", "runpod": "runpod", "nebius": "nebius", "vast": "vast",
    "digitalocean": "do", "fluidstack": "fluidstack", "cudo": "cudo", "paperspace": "paperspace", "verda": "verda", "seeweb": "seeweb",
    "prime-intellect": "primeintellect", "yotta-labs": "yotta",
}  # fmt: skip
"""What SkyPilot 0.14.1 calls the sellers that it knows (sky/clouds, read 2026-11-26)."""
WITH_REGIONS = {"aws", "gcp", "azure"}
"""Clouds whose regions are called alike there and here."""
ACCELERATORS = {
    "A10": "A10", "A10G": "A10G", "A100-40GB-PCIe": "A100", "A100-40GB-SXM": "A100", "A100-80GB-PCIe": "A100-80GB", "A100-80GB-SXM": "A100-80GB",
    "B200": "B200", "B300": "B300", "GH200-96GB": "GH200", "H100-PCIe": "H100", "H100-SXM": "H100", "H200-SXM": "H200", "L4": "L4", "L40": "L40",
    "L40S": "L40S", "MI300X": "MI300X", "RTX 4090": "RTX4090", "RTX 5090": "RTX5090", "RTX A6000": "RTXA6000", "RTX PRO 6000 Blackwell": "RTXPRO6000",
    "T4": "T4", "V100-16GB-SXM": "V100", "V100-32GB-SXM": "V100-32GB",
}  # fmt: skip
"""What SkyPilot calls accelerators; it tells no SXM card from a PCIe card."""
ALTERNATIVES = 3
UP_S, DOWN_S = 300, 1200


def skypilot_task(deployment: Deployment, record: PlanRecord) -> tuple[str, tuple[str, ...]]:
    """Return the task or service, and what to see to first.

    Parameters
    ----------
    deployment : Deployment
        What is deployed.
    record : PlanRecord
        The plan, for the next options on the same accelerator.
    """
    option = deployment.option
    run, remarks = program_of(
        deployment,
        rank="$SKYPILOT_NODE_RANK",
        nodes="$SKYPILOT_NUM_NODES",
        head='$(echo "$SKYPILOT_NODE_IPS" | head -n1)',
    )
    more = list(remarks)
    places = _places(option, record)
    if not places:
        more.append(
            f"SkyPilot knows no cloud called {option['provider']}: without `infra` it takes the cheapest it finds below max_hourly_cost."
        )
    name = ACCELERATORS.get(card_of(option["accelerator"] or ""))
    resources: dict[str, Any] = {
        **({"any_of": places} if len(places) > 1 else places[0] if places else {}),
        **({"accelerators": f"{name}:{deployment.gpus_per_machine_count}"} if name else {}),
        "max_hourly_cost": deployment.max_usd_per_hour,
        "disk_size": DISK_GB,
    }
    if option["accelerator"] and not name:
        more.append(
            f"SkyPilot's name of {option['accelerator']} is not known here: add `accelerators` (sky gpus list)."
        )
    if option["purchase_option"] == "spot" and not places:
        resources["use_spot"] = True
    task: dict[str, Any] = {"name": deployment.name, "resources": resources}
    if deployment.is_service:
        resources["ports"] = PORT
        task["service"] = _service(deployment)
    elif deployment.machine_count > 1:
        task["num_nodes"] = deployment.machine_count
    if deployment.has_engine:
        image = IMAGES[deployment.vendor]
        if deployment.vendor == "NVIDIA":
            task["setup"] = f"pip install vllm=={image.rpartition(':v')[2]}"
        else:
            resources["image_id"] = f"docker:{image}"
    return yaml_text({**task, "run": run + "\n"}), tuple(more)


def _place(option: OptionRecord) -> dict[str, Any]:
    cloud, region = CLOUDS[option["provider"]], option["region"]
    infra = f"{cloud}/{region}" if option["provider"] in WITH_REGIONS and region not in {"", "global"} else cloud
    return {"infra": infra, **({"use_spot": True} if option["purchase_option"] == "spot" else {})}


def _places(option: OptionRecord, record: PlanRecord) -> list[dict[str, Any]]:
    """Return where an option is, and the next ones on machines that run the same program, none dearer than SkyPilot may pay."""
    if option["provider"] not in CLOUDS:
        return []
    places = [_place(option)]
    for other in record["options"]:
        is_alike = all(other[key] == option[key] for key in ("accelerator", "accelerator_count", "layout"))
        is_sold = other["provider"] in CLOUDS and other["purchase_option"] in {"on_demand", "spot"}
        if not is_alike or not is_sold or other["kind"] != "rent" or not other["choosable"]:
            continue
        other_usd, most_usd = other["price_usd_per_hour"], (option["price_usd_per_hour"] or 0.0) * 1.1
        if other_usd is not None and other_usd <= most_usd and _place(other) not in places:
            places.append(_place(other))
    return places[: 1 + ALTERNATIVES]


def _service(deployment: Deployment) -> dict[str, Any]:
    """Return a service whose replicas are machines."""
    probe = {"path": "/health", "initial_delay_seconds": 1800}
    if deployment.least_machine_count == deployment.machine_count:
        return {"readiness_probe": probe, "replicas": deployment.machine_count}
    return {
        "readiness_probe": probe,
        "replica_policy": {
            "min_replicas": deployment.least_machine_count,
            "max_replicas": deployment.machine_count,
            "target_qps_per_replica": round(deployment.machine_requests_per_s, 2),
            "upscale_delay_seconds": UP_S,
            "downscale_delay_seconds": DOWN_S,
        },
    }


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
