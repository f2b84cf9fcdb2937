"""Manifests in YAML: Kubernetes objects, SkyPilot tasks, dstack configurations and compose files."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from planner.intake.draft import Draft
from planner.intake.engine_lines import draft_of_engine, engine_words
from planner.intake.machines import draft_of_machines, gpu_named, gpus_of_machine

GPU_RESOURCE = re.compile(
    r"^(nvidia\.com/(gpu|mig-.*)|amd\.com/gpu|gpu\.intel\.com/.*|habana\.ai/gaudi|aws\.amazon\.com/neuron|google\.com/tpu)$"
)
GPU_LABELS = (
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "k8s.amazonaws.com/accelerator",
    "gpu.nvidia.com/model",
)
TYPE_LABELS = ("node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type")


def draft_of_kubernetes(documents: Sequence[Mapping[str, Any]]) -> Draft:
    """Return what Kubernetes objects ask for: a service where an engine is started, else GPU hours.

    Parameters
    ----------
    documents : sequence of mapping
        The objects of one file.
    """
    asked: list[tuple[str, float]] = []
    words: list[str] | None = None
    for document in documents:
        for pod, copies in _pods(document):
            name = _accelerator(pod)
            for container in pod.get("containers") or ():
                gpus = _gpus(container)
                if gpus:
                    asked.append((name, gpus * copies))
                words = words or engine_words(_line(container))
    asked_text = ", ".join(f"{count:g} x {name or 'a GPU that is not named'}" for name, count in asked)
    if words:
        return draft_of_engine(words, f"Asks the cluster for {asked_text}." if asked_text else "")
    return draft_of_machines(
        asked, ["What the cluster is asked for; every hour is counted where nothing is filled in."]
    )


def _pods(document: object) -> Iterator[tuple[Mapping[str, Any], float]]:
    """Return every pod that an object makes, with how often."""
    if not isinstance(document, Mapping):
        return
    if document.get("kind") == "List":
        for item in document.get("items") or ():
            yield from _pods(item)
        return
    spec = document.get("spec")
    if not isinstance(spec, Mapping):
        return
    if document.get("kind") == "CronJob":
        yield from _pods({"kind": "Job", **(spec.get("jobTemplate") or {})})
        return
    copies = _number(spec.get("replicas", spec.get("parallelism", 1)))
    group = spec.get("leaderWorkerTemplate")
    if isinstance(group, Mapping):
        size = _number(group.get("size", 1))
        worker = group.get("workerTemplate") or {}
        yield (group.get("leaderTemplate") or worker).get("spec") or {}, copies
        yield worker.get("spec") or {}, copies * (size - 1)
    elif isinstance(spec.get("template"), Mapping):
        template = spec["template"]
        yield template.get("spec") or template, copies  # KServe keeps containers in the template itself
    elif "containers" in spec:
        yield spec, 1.0


def _number(value: Any) -> float:  # noqa: ANN401  a YAML value
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return 1.0


def _gpus(container: Mapping[str, Any]) -> float:
    resources = container.get("resources") or {}
    asked = {**(resources.get("requests") or {}), **(resources.get("limits") or {})}
    return sum(_number(count) for name, count in asked.items() if GPU_RESOURCE.match(str(name)))


def _accelerator(pod: Mapping[str, Any]) -> str:
    selector = pod.get("nodeSelector") or {}
    for label in GPU_LABELS:
        if label in selector:
            return gpu_named(str(selector[label]))
    for label in TYPE_LABELS:
        if (machine := gpus_of_machine(str(selector.get(label, "")))) is not None:
            return machine[0]
    return ""


def _line(container: Mapping[str, Any]) -> str:
    """Return what a container runs; an image of an engine starts it by itself."""
    words = [str(word) for key in ("command", "args") for word in container.get(key) or ()]
    line = " ".join(word if "\n" in word or " " in word else shlex.quote(word) for word in words)
    image = str(container.get("image", ""))
    if "vllm-openai" in image and engine_words(line) is None:
        return f"vllm serve {line.removeprefix('serve ')}"
    return line


def draft_of_skypilot(task: Mapping[str, Any]) -> Draft:
    """Return what a SkyPilot task says: a service where it starts an engine, else GPU hours.

    Parameters
    ----------
    task : mapping
        The task.
    """
    resources = task.get("resources") or {}
    candidates = [resources, *(resources.get("any_of") or resources.get("ordered") or ())]
    service = task.get("service") or {}
    policy = service.get("replica_policy") or {}
    nodes = _number(task.get("num_nodes", 1)) * _number(service.get("replicas", policy.get("max_replicas", 1)))
    named = [_accelerators(candidate.get("accelerators")) for candidate in candidates if candidate.get("accelerators")]
    named += [
        machine for candidate in candidates if (machine := gpus_of_machine(str(candidate.get("instance_type", ""))))
    ]
    remarks = [f"{name}: {count * nodes:g} GPUs" for name, count in dict.fromkeys(named)]
    runs_on = f"The task runs on {' or '.join(remarks)}." if remarks else ""
    shared: dict[str, Any] = {}
    if any(candidate.get("use_spot") for candidate in candidates):
        shared["constraints"] = {"purchase": ["spot"]}
    words = engine_words(str(task.get("run", "")))
    if words:
        draft = draft_of_engine(words, runs_on)
        return Draft(draft.kind, {**draft.shared, **shared}, draft.work, draft.remarks)
    draft = draft_of_machines([(name, count * nodes) for name, count in named[:1]], [runs_on] if runs_on else ())
    return Draft(draft.kind, shared, draft.work, draft.remarks)


def _accelerators(value: object) -> tuple[str, float]:
    """Return the first accelerator of ``H100:8``, ``{H100: 8}`` or a list of such."""
    if isinstance(value, Mapping):
        value = [f"{name}:{count}" for name, count in value.items()]
    first = str(value[0] if isinstance(value, list) and value else value)
    name, _, count = first.partition(":")
    return gpu_named(name), _number(count or 1)


def draft_of_compose(content: Mapping[str, Any]) -> Draft:
    """Return what a compose file's services reserve.

    Parameters
    ----------
    content : mapping
        The file.
    """
    reserved: list[tuple[str, float]] = []
    for service in (content.get("services") or {}).values():
        deploy = service.get("deploy") or {}
        devices = ((deploy.get("resources") or {}).get("reservations") or {}).get("devices") or ()
        for device in devices:
            if "gpu" in (device.get("capabilities") or ()):
                count = len(device.get("device_ids") or ()) or device.get("count", 1)
                reserved.append(
                    ("", (math.inf if count == "all" else _number(count)) * _number(deploy.get("replicas", 1)))
                )
        command = service.get("command") or ()
        line = command if isinstance(command, str) else " ".join(map(str, command))
        words = engine_words(_line({"args": [line], "image": service.get("image", "")}))
        if words:
            return draft_of_engine(words)
    return draft_of_machines([(name, count) for name, count in reserved if count < math.inf])
