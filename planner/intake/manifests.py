"""Manifests: Kubernetes, SkyPilot, dstack, compose, Terraform plans as JSON, and Slurm batch scripts."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from planner.intake.command_lines import draft_of_engine, engine_words
from planner.intake.draft import Draft, draft_of_machines, gpu_named, gpus_of_machine

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


TYPE_KEYS = tuple("instance_type machine_type size vm_size instance_types flavor_name shape type plan".split())
SHORT = {"N": "nodes", "t": "time", "a": "array", "G": "gpus", "n": "ntasks"}
LINE = re.compile(r"^#SBATCH\s+(?:--([\w-]+)(?:[=\s]+(\S+))?|-(\w)\s*(\S+)?)", re.MULTILINE)


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


def draft_of_terraform(plan: Mapping[str, Any]) -> Draft:
    """Return the GPU hours of the machines that a plan will have.

    Parameters
    ----------
    plan : mapping
        What ``terraform show -json`` prints.
    """
    root = (plan.get("planned_values") or plan.get("values") or {}).get("root_module") or {}
    accelerators, without = [], 0
    for resource in _resources(root):
        machines = list(_machines(resource.get("values") or {}))
        accelerators += machines
        without += not machines
    remarks = ["Counted as used in every hour of the month unless you say less."]
    if without:
        remarks.append(f"{without:,} other resources hold no accelerator that is known.")
    return draft_of_machines(accelerators, remarks)


def _resources(module: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from (resource for resource in module.get("resources") or () if resource.get("mode", "managed") == "managed")
    for child in module.get("child_modules") or ():
        yield from _resources(child)


def _machines(values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    copies = _copies(values)
    added = [
        accelerator
        for accelerator in values.get("guest_accelerator") or ()
        if accelerator.get("type") and accelerator.get("count")
    ]
    for accelerator in added:
        yield gpu_named(str(accelerator["type"]).rpartition("/")[2]), float(accelerator["count"]) * copies
    if added:
        return
    for key in TYPE_KEYS:
        named = values.get(key)
        for name in named if isinstance(named, list) else [named]:
            machine = gpus_of_machine(str(name).rpartition("/")[2]) if name else None
            if machine is not None:
                yield machine[0], machine[1] * copies
                return
    for key in ("node_config", "default_node_pool"):
        for inner in values.get(key) or ():
            yield from ((name, count * copies) for name, count in _machines(inner))


def _copies(values: Mapping[str, Any]) -> float:
    """Return how many machines a group or pool of them starts with."""
    scaling = values.get("scaling_config") or [{}]
    for count in (
        values.get("node_count"),
        values.get("desired_capacity"),
        values.get("target_size"),
        scaling[0].get("desired_size"),
    ):
        if isinstance(count, int | float) and count > 0:
            return float(count)
    return 1.0


def draft_of_sbatch(text: str) -> Draft:
    """Return the GPU hours of one submission of a script, as if it ran once a month.

    Parameters
    ----------
    text : str
        The script.
    """
    options = {(long or SHORT.get(short, short)): value or other for long, value, short, other in LINE.findall(text)}
    nodes = int((re.match(r"\d+", options.get("nodes", "1").split("-")[-1]) or ["1"])[0])
    name, count = _gpus_asked(options, nodes)
    runs = _array_runs(options.get("array", ""))
    hours = slurm_hours(options.get("time", ""))
    remarks = []
    if runs > 1:
        remarks.append(f"{runs:,} runs (--array), counted one after the other.")
    if hours:
        remarks.append(
            f"{hours * runs:,.4g} hours, the most that one submission may take (--time); counted once a month."
        )
    else:
        remarks.append("The script states no --time that can be read.")
    if hours and hours * runs > 730:
        remarks.append("That is more than the 730 hours of a month: more run at the same time, or it takes longer.")
    machines = [(name, count)] if count else []
    return draft_of_machines(machines, remarks, hours=hours * runs if hours else None)


def _gpus_asked(options: dict[str, str], nodes: int) -> tuple[str, float]:
    """Return the accelerator, and how many all nodes take together."""
    for key, per in (("gpus", 1), ("gpus-per-node", nodes), ("gpus-per-task", int(options.get("ntasks", "1") or 1))):
        if key in options:
            return _named(options[key], per)
    for part in options.get("gres", "").split(","):
        if part.startswith("gpu"):
            return _named(part.removeprefix("gpu").removeprefix(":") or "1", nodes)
    return "", 0.0


def _named(value: str, copies: int) -> tuple[str, float]:
    """Return ``a100:4`` or ``4`` as a name and a count."""
    first = value.split(",", maxsplit=1)[0].partition("(")[0]
    name, _, count = first.rpartition(":")
    if not count.isdigit():
        name, count = count, "1"
    return (gpu_named(name) if name else ""), float(count) * copies


def _array_runs(array: str) -> int:
    """Return how many runs an array has.

    Examples
    --------
    >>> _array_runs("0-9%2"), _array_runs("1,3,5"), _array_runs("0-10:2"), _array_runs("")
    (10, 3, 6, 1)
    """
    runs = 0
    for part in array.partition("%")[0].split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part)
        if match:
            first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
            runs += max(0, (last - first) // max(step, 1) + 1)
    return max(runs, 1)


def slurm_hours(text: str) -> float:
    """Return a time limit in hours; 0 where it cannot be read.

    Examples
    --------
    >>> slurm_hours("1-12:00:00"), slurm_hours("90"), slurm_hours("4:30:00"), slurm_hours("UNLIMITED")
    (36.0, 1.5, 4.5, 0.0)
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if not match:
        return 0.0
    days, first, second, third = (int(digits) if digits else None for digits in match.groups())
    if days is not None:
        return days * 24 + (first or 0) + (second or 0) / 60 + (third or 0) / 3600
    if third is not None:
        return (first or 0) + (second or 0) / 60 + third / 3600
    return (first or 0) / 60 + (second or 0) / 3600
