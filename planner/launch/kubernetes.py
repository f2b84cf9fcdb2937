"""Kubernetes: a Deployment, or a LeaderWorkerSet where a replica spans machines, with a Service before it."""

from __future__ import annotations

import shlex
from typing import Any

from planner.launch.deployment import Deployment, LaunchError
from planner.launch.engines import PORT, Engine, engine_of, yaml_text

HYPERSCALERS = ("aws", "gcp", "azure")
"""Clouds whose nodes carry the instance type as a label."""
RAY_SCRIPT = "/vllm-workspace/examples/online_serving/multi-node-serving.sh"
"""In vLLM's container: joins the machines of one replica."""
STARTS_S = 3600
"""Longest start: weights are fetched and loaded."""


def kubernetes_manifest(deployment: Deployment) -> tuple[str, tuple[str, ...]]:
    """Return the manifest, and what to see to first.

    Parameters
    ----------
    deployment : Deployment
        What is deployed.

    Raises
    ------
    LaunchError
        The work is no service.
    """
    if deployment.kind == "batch":
        raise LaunchError(
            "a batch ends, a Deployment does not", where="--to", hint="--to skypilot or dstack runs it once"
        )
    engine = engine_of(deployment)
    remarks = [
        *engine.remarks,
        "A private checkpoint needs your token: kubectl create secret generic hf-token --from-literal=token=...",
    ]
    if deployment.option["provider"] not in HYPERSCALERS:
        remarks.append(
            f"Nodes of {deployment.option['provider']} are not chosen by a label: add your own nodeSelector."
        )
    if deployment.machines_per_replica_count > 1:
        remarks.append("LeaderWorkerSet has to be installed in the cluster (lws.sigs.k8s.io).")
        documents = [_leader_worker_set(deployment, engine), _service(deployment, {"role": "leader"})]
    else:
        documents = [_deployment(deployment, engine), _service(deployment)]
    return yaml_text(*documents), tuple(remarks)


def _labels(deployment: Deployment) -> dict[str, str]:
    return {"app.kubernetes.io/name": deployment.name, "app.kubernetes.io/managed-by": "gpuplan"}


def _metadata(deployment: Deployment) -> dict[str, Any]:
    return {"name": deployment.name, "labels": _labels(deployment)}


def _deployment(deployment: Deployment, engine: Engine) -> dict[str, Any]:
    container = _container(engine, list(engine.command[:1]), list(engine.command[1:]), deployment.replica_gpu_count)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(deployment),
        "spec": {
            "replicas": deployment.replica_count,
            "selector": {"matchLabels": _labels(deployment)},
            "template": {"metadata": {"labels": _labels(deployment)}, "spec": _pod(deployment, _probed(container))},
        },
    }


def _leader_worker_set(deployment: Deployment, engine: Engine) -> dict[str, Any]:
    gpus = deployment.gpus_per_machine_count
    lead = f"bash {RAY_SCRIPT} leader --ray_cluster_size=$(LWS_GROUP_SIZE) && {shlex.join(engine.command)}"
    follow = f"bash {RAY_SCRIPT} worker --ray_address=$(LWS_LEADER_ADDRESS)"
    leader = _probed(_container(engine, ["sh", "-c"], [lead], gpus))
    worker = _container(engine, ["sh", "-c"], [follow], gpus)
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": _metadata(deployment),
        "spec": {
            "replicas": deployment.replica_count,
            "leaderWorkerTemplate": {
                "size": deployment.machines_per_replica_count,
                "restartPolicy": "RecreateGroupOnPodRestart",
                "leaderTemplate": {
                    "metadata": {"labels": {**_labels(deployment), "role": "leader"}},
                    "spec": _pod(deployment, leader),
                },
                "workerTemplate": {"spec": _pod(deployment, worker)},
            },
        },
    }


def _container(engine: Engine, command: list[str], args: list[str], gpus: int) -> dict[str, Any]:
    token = {"secretKeyRef": {"name": "hf-token", "key": "token", "optional": True}}
    return {
        "name": "engine",
        "image": engine.image,
        "command": command,
        "args": args,
        "env": [{"name": "HF_TOKEN", "valueFrom": token}],
        "resources": {"limits": {engine.resource: str(gpus)}},
        "volumeMounts": [{"name": "dshm", "mountPath": "/dev/shm"}],  # noqa: S108  shared memory between the ranks
    }


def _probed(container: dict[str, Any]) -> dict[str, Any]:
    """Return a container that tells when it answers."""
    asked = {"httpGet": {"path": "/health", "port": PORT}}
    return {
        **container,
        "ports": [{"containerPort": PORT}],
        "startupProbe": {**asked, "periodSeconds": 10, "failureThreshold": STARTS_S // 10},
        "readinessProbe": {**asked, "periodSeconds": 10},
    }


def _pod(deployment: Deployment, container: dict[str, Any]) -> dict[str, Any]:
    option = deployment.option
    selector = {"node.kubernetes.io/instance-type": option["instance_type"]}
    return {
        **({"nodeSelector": selector} if option["provider"] in HYPERSCALERS else {}),
        "containers": [container],
        "volumes": [{"name": "dshm", "emptyDir": {"medium": "Memory"}}],
    }


def _service(deployment: Deployment, more: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(deployment),
        "spec": {"selector": {**_labels(deployment), **(more or {})}, "ports": [{"port": 80, "targetPort": PORT}]},
    }
