"""JSON and logs of other programs (Slurm, Prometheus, OpenCost, ``nvidia-smi dmon``) as the tables that are read here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from planner.usage.machine_types import slice_of

SERIES = re.compile(
    r"^(?P<name>[a-zA-Z_:][\w:]*)?(?:\{(?P<labels>.*)\})?\s+(?P<value>[-+]?(?:[\d.][\d.eE+-]*|NaN|Inf))\s+(?P<at>-?\d[\d.]*)\s*(?:#.*)?$"
)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
DMON = re.compile(r"^#\s*Date\s+Time\s+gpu\b", re.IGNORECASE)
NAME = "__name__"


HOLDER_COLUMNS = ["start", "end", "gpus", "namespace", "pod", "gpu"]
POD_RESOURCES = (
    "nvidia.com/gpu",
    "amd.com/gpu",
    "gpu.intel.com/i915",
    "gpu.intel.com/xe",
    "google.com/tpu",
    "aws.amazon.com/neuron",
    "aws.amazon.com/neurondevice",
    "habana.ai/gaudi",
    "nvidia.com/gpu.shared",
)
POD_LABELS = (
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "cloud.google.com/gke-tpu-accelerator",
    "karpenter.k8s.aws/instance-gpu-name",
)
BEGINNING = re.compile(r'\s*(?:\[\s*(?:[{\[]|$)|\{\s*(?:["}]|$))')
"""How a JSON document of records begins."""
ALLOCATION_COLUMNS = ["start", "end", "gpu_hours", "namespace", "pod", "gpu"]
JOB_COLUMNS = ["JobID", "Start", "End", "State", "AllocTRES", "ElapsedRaw", "Partition", "Account", "User"]


def table_of_log(head: str, lines: Callable[[], Iterable[str]]) -> Iterator[list[str]] | None:
    """Return the rows of a log, header first; None for an unknown kind of log or one without times.

    Parameters
    ----------
    head : str
        How it begins.
    lines : callable
        Reads its lines from the beginning.

    Examples
    --------
    >>> log = 'DCGM_FI_DEV_GPU_UTIL{gpu="0"} 50 1790812800000'
    >>> list(table_of_log(log, lambda: [log]))
    [['timestamp', '__name__', 'gpu', 'value'], ['1790812800000', 'DCGM_FI_DEV_GPU_UTIL', '0', '50']]
    """
    begun = [line for line in head.splitlines()[:200] if line.strip()]
    if begun and DMON.match(begun[0]):
        return _dmon(lines())
    samples = [line for line in begun if not line.startswith("#")][:-1] or [line for line in begun if line[0] != "#"]
    if samples and all(match and (match["name"] or match["labels"]) for match in map(SERIES.match, samples)):
        return _series(lines)
    return None


def _series(lines: Callable[[], Iterable[str]]) -> Iterator[list[str]]:
    """Return one sample a row; a first reading says which labels there are."""
    names = sorted({name for line in lines() for name, _ in _labels(line)} - {NAME})
    yield ["timestamp", NAME, *names, "value"]
    for line in lines():
        match = SERIES.match(line.strip())
        if match is None:
            continue
        labels = dict(_labels(line))
        yield [
            match["at"],
            match["name"] or labels.get(NAME, ""),
            *(labels.get(name, "") for name in names),
            match["value"],
        ]


def _labels(line: str) -> list[tuple[str, str]]:
    return [] if line.startswith("#") else LABEL.findall(line)


def _dmon(lines: Iterable[str]) -> Iterator[list[str]]:
    """Return what ``nvidia-smi dmon -o DT`` saw: its ``sm`` is what others call the utilization of a GPU."""
    place: dict[str, int] = {}
    yield ["timestamp", "index", "utilization.gpu", "power.draw"]
    for line in lines:
        cells = line.lstrip("#").split()
        if DMON.match(line):
            place = {name.lower(): number for number, name in enumerate(cells)}
        if line.startswith("#") or not place or len(cells) < len(place):
            continue
        day = cells[place["date"]]
        at = (
            f"{day[:4]}-{day[4:6]}-{day[6:]}T{cells[place['time']]}"
            if day.isdigit()
            else f"{day} {cells[place['time']]}"
        )
        values = (cells[place[name]] if name in place else "" for name in ("gpu", "sm", "pwr"))
        yield [at, *("" if cell == "-" else cell for cell in values)]


def parsed(text: str) -> Any:  # noqa: ANN401  whatever JSON holds
    r"""Return a JSON document, or a list of those that stand in each line; None for what is neither.

    Examples
    --------
    >>> parsed('[{"a": 1}, {"a": 2}]') == parsed('{"a": 1}\n{"a": 2}\n')
    True
    """
    with suppress(ValueError):
        return json.loads(text)
    with suppress(ValueError):
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return None


def records_of(document: object) -> list[dict[str, Any]]:
    """Return the records of a document: those of a list of nothing else, or the document itself."""
    records = [document] if isinstance(document, dict) else document
    return records if isinstance(records, list) and len(_dicts(records)) == len(records) else []


def _dicts(parts: object) -> list[dict[str, Any]]:
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def table_of_document(document: Any) -> tuple[str, list[list[str]]] | None:  # noqa: ANN401  whatever JSON holds
    """Return the delimiter and the rows, header first, of a JSON document that is known; None for any other.

    Parameters
    ----------
    document : any
        ``sacct --json``, an answer of Prometheus' query API, of OpenCost's (Kubecost's) allocation API, or of Ray's jobs
        API (``ray job list``'s), or ``kubectl get pods -A -o json``.

    Examples
    --------
    >>> table_of_document({"status": "success", "data": {"result": [{"metric": {"gpu": "0"}, "values": [[0, "5"]]}]}})
    (',', [['timestamp', 'gpu', 'value'], ['0', '0', '5']])
    """
    if isinstance(document, dict) and isinstance(document.get("data"), dict) and isinstance(document["data"].get("result"), dict):  # fmt: skip
        document = document["data"]["result"].get("result")  # what Ray's state API puts around its list
    records = _dicts(document)
    if any({"submission_id", "required_resources"} & set(record) for record in records):
        return ",", [HOLDER_COLUMNS, *(row for job in records for row in _ray_job(job))]
    if any("metric" in record and {"value", "values"} & set(record) for record in records):
        return ",", _samples(records)  # promtool query range -o json, VictoriaMetrics' export
    if not isinstance(document, dict):
        return None
    data = document if isinstance(document.get("result"), list) else document.get("data")
    if isinstance(data, dict) and isinstance(data.get("sets"), list):  # Kubecost 2
        data = [part.get("allocations") for part in _dicts(data["sets"])]
    if document.get("kind") == "Pod" or (document.get("kind") in ("PodList", "List") and isinstance(document.get("items"), list)):  # fmt: skip
        pods = _dicts(document.get("items") or [document])
        return ",", [HOLDER_COLUMNS, *(row for pod in pods for row in _pod(pod))]
    if isinstance(document.get("jobs"), list):
        return "|", [JOB_COLUMNS, *map(_job, _dicts(document["jobs"]))]
    if isinstance(data, dict) and isinstance(data.get("result"), list):
        return ",", _samples(_dicts(data["result"]))
    if parts := _dicts(data):
        return ",", [ALLOCATION_COLUMNS, *(row for part in parts for row in _allocations(part))]
    return None


def broken_line(text: str) -> int:
    r"""Return the line at which JSON, or JSON in each line, is cut off or broken; 0 for what is whole or no JSON.

    Examples
    --------
    >>> broken_line('[{"a": 1},\n{"a":'), broken_line('{"a": 1}\n{"a"'), broken_line('{"a": 1}'), broken_line("a,b")
    (2, 2, 0, 0)
    """
    if not BEGINNING.match(text):
        return 0
    at = 0
    while at < len(text):  # one document, or one in each line
        if text[at].isspace():
            at += 1
            continue
        try:
            _, at = json.JSONDecoder().raw_decode(text, at)
        except json.JSONDecodeError as error:
            return error.lineno
    return 0


def _pod(pod: Mapping[str, Any]) -> Iterator[list[str]]:
    """Return what a pod with accelerators held; of one that still runs no end is known."""
    meta, spec, status = (pod.get(name) or {} for name in ("metadata", "spec", "status"))
    gpus = 0.0
    for container in spec.get("containers") or []:
        asked = container.get("resources") or {}
        for name, number in {**(asked.get("requests") or {}), **(asked.get("limits") or {})}.items():
            share = slice_of(name.rpartition("/")[2])
            if name in POD_RESOURCES or share:
                gpus += float(number) * (share[1] if share else 1.0)
    if not gpus or not status.get("startTime"):  # what waits holds nothing yet
        return
    ended = [
        str(((container_status.get("state") or {}).get("terminated") or {}).get("finishedAt") or "")
        for container_status in status.get("containerStatuses") or []
    ]
    end = max(ended) if ended and all(ended) else ""
    selector = spec.get("nodeSelector") or {}
    yield [str(status["startTime"]), end, f"{gpus:g}", str(meta.get("namespace") or ""), str(meta.get("name") or ""), next((str(selector[label]) for label in POD_LABELS if selector.get(label)), "")]  # fmt: skip


def _ray_job(job: Mapping[str, Any]) -> Iterator[list[str]]:
    """Return what a job, a task or an actor of Ray's held; most hold no accelerator."""
    asked = (
        job.get("entrypoint_num_gpus")
        or (job.get("entrypoint_resources") or job.get("required_resources") or {}).get("GPU")
        or 0
    )
    start, end = (_number(job.get(f"{name}_ms", job.get(name))) for name in ("start_time", "end_time"))
    if not float(asked) or not start:  # what waits holds nothing yet
        return
    name = next((job[key] for key in ("submission_id", "task_id", "actor_id") if job.get(key)), "")
    yield [start, end, f"{float(asked):g}", "", str(name), ""]


def _number(value: object) -> str:
    """Return a number that Slurm writes plainly, or together with whether it is set."""
    if isinstance(value, dict):
        value = value.get("number") if value.get("set", True) and not value.get("infinite") else None
    return "" if value is None else str(value)


def _job(job: Mapping[str, Any]) -> list[str]:
    time, state = job.get("time") or {}, job.get("state") or job.get("job_state") or {}
    current = state.get("current", "") if isinstance(state, dict) else state
    allocated = (job.get("tres") or {}).get("allocated") or []
    tres = [
        f"{resource.get('type')}{'/' + resource['name'] if resource.get('name') else ''}={_number(resource.get('count'))}"
        for resource in allocated
        if isinstance(resource, dict)
    ]
    start, end = (_number(time.get(name, job.get(f"{name}_time"))) for name in ("start", "end"))
    return [
        _number(job.get("job_id")),
        start,
        "Unknown" if end in ("0", "") else end,
        str(current[0] if isinstance(current, list) and current else current or ""),
        ",".join(tres) or str(job.get("tres_alloc_str") or ""),
        _number(time.get("elapsed")),
        str(job.get("partition") or ""),
        str(job.get("account") or ""),
        str(job.get("user") or ""),
    ]


def _samples(series: list[dict[str, Any]]) -> list[list[str]]:
    labels = sorted({name for part in series for name in part.get("metric") or {}})
    rows = [["timestamp", *labels, "value"]]
    for part in series:
        metric = part.get("metric") or {}
        words = [str(metric.get(name, "")) for name in labels]
        points = part.get("values") or ([part["value"]] if part.get("value") else [])
        if "timestamps" in part:  # VictoriaMetrics' export
            points = list(zip(part["timestamps"], points, strict=False))
        rows += [[str(at), *words, str(value)] for at, value in points]
    return rows


def _allocations(part: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, allocation in part.items():
        if not isinstance(allocation, dict):
            continue
        kept, window = allocation.get("properties") or {}, allocation.get("window") or {}
        labels = kept.get("labels") or {}
        yield [
            str(allocation.get("start") or window.get("start") or ""),
            str(allocation.get("end") or window.get("end") or ""),
            str(allocation.get("gpuHours") or 0),
            str(kept.get("namespace") or ""),
            str(kept.get("pod") or allocation.get("name") or name),
            str(labels.get("nvidia_com_gpu_product") or labels.get("nvidia.com/gpu.product") or ""),
        ]
