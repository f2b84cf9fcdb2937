"""JSON as other programs answer it (Slurm, Prometheus, OpenCost), as the tables that are read here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from planner.usage.slices import slice_of

__all__ = ["table_of_document"]

HOLDER_COLUMNS = ["start", "end", "gpus", "namespace", "pod", "gpu"]
JOB_COLUMNS = ["JobID", "Start", "End", "State", "AllocTRES", "ElapsedRaw", "Partition", "Account", "User"]


def table_of_document(text: str) -> tuple[str, list[list[str]]] | None:
    """Return the delimiter and the rows, header first, of a JSON document that is known; None for any other.

    Parameters
    ----------
    text : str
        ``sacct --json``, an answer of Prometheus' query API, of OpenCost's (Kubecost's) allocation API, or of Ray's jobs
        API (``ray job list``'s), or ``kubectl get pods -A -o json``.

    Examples
    --------
    >>> table_of_document('{"status": "success", "data": {"result": [{"metric": {"gpu": "0"}, "values": [[0, "5"]]}]}}')
    (',', [['timestamp', 'gpu', 'value'], ['0', '0', '5']])
    """
    try:
        said = json.loads(text)
    except ValueError:
        return None
    if isinstance(said, list) and any(isinstance(one, dict) and "submission_id" in one for one in said):
        return ",", [HOLDER_COLUMNS, *(_ray_job(job) for job in said if isinstance(job, dict))]
    if not isinstance(said, dict):
        return None
    data = said.get("data")
    if said.get("kind") in ("PodList", "List") and isinstance(said.get("items"), list):
        pods = [pod for pod in said["items"] if isinstance(pod, dict)]
        return ",", [HOLDER_COLUMNS, *(row for pod in pods for row in _pod(pod))]
    if isinstance(said.get("jobs"), list):
        return "|", [JOB_COLUMNS, *(_job(job) for job in said["jobs"] if isinstance(job, dict))]
    if isinstance(data, dict) and isinstance(data.get("result"), list):
        return ",", _samples([one for one in data["result"] if isinstance(one, dict)])
    if isinstance(data, list) and any(isinstance(part, dict) for part in data):
        return ",", [
            ["start", "end", "gpu_hours", "namespace", "pod", "gpu"],
            *(row for part in data if isinstance(part, dict) for row in _allocations(part)),
        ]
    return None


def _pod(pod: Mapping[str, Any]) -> Iterator[list[str]]:
    """Return what a pod with accelerators held; of one that still runs no end is known."""
    meta, spec, status = (pod.get(name) or {} for name in ("metadata", "spec", "status"))
    gpus = 0.0
    for container in spec.get("containers") or []:
        asked = container.get("resources") or {}
        for name, number in {**(asked.get("requests") or {}), **(asked.get("limits") or {})}.items():
            share = slice_of(name.rpartition("/")[2])
            if name.endswith(".com/gpu") or name.rpartition("/")[2] == "gpu.shared" or share:
                gpus += float(number) * (share[1] if share else 1.0)
    if not gpus:
        return
    ended = [
        str(((one.get("state") or {}).get("terminated") or {}).get("finishedAt") or "")
        for one in status.get("containerStatuses") or []
    ]
    end = max(ended) if ended and all(ended) else ""
    selector = spec.get("nodeSelector") or {}
    yield [str(status.get("startTime") or ""), end, f"{gpus:g}", str(meta.get("namespace") or ""), str(meta.get("name") or ""), str(selector.get("nvidia.com/gpu.product") or "")]  # fmt: skip


def _ray_job(job: Mapping[str, Any]) -> list[str]:
    asked = job.get("entrypoint_num_gpus") or (job.get("entrypoint_resources") or {}).get("GPU") or 0
    return [*(_number(job.get(name)) for name in ("start_time", "end_time")), f"{float(asked):g}", "", str(job.get("submission_id") or ""), ""]  # fmt: skip


def _number(value: object) -> str:
    """Return a number that Slurm writes as such, or with whether it is set."""
    if isinstance(value, dict):
        value = value.get("number") if value.get("set", True) and not value.get("infinite") else None
    return "" if value is None else str(value)


def _job(job: Mapping[str, Any]) -> list[str]:
    time, state = job.get("time") or {}, job.get("state") or {}
    current = state.get("current", "") if isinstance(state, dict) else state
    allocated = (job.get("tres") or {}).get("allocated") or []
    tres = [
        f"{one.get('type')}{'/' + one['name'] if one.get('name') else ''}={_number(one.get('count'))}"
        for one in allocated
        if isinstance(one, dict)
    ]
    end = _number(time.get("end"))
    return [
        _number(job.get("job_id")),
        _number(time.get("start")),
        "Unknown" if end in ("0", "") else end,
        str(current[0] if isinstance(current, list) and current else current or ""),
        ",".join(tres),
        _number(time.get("elapsed")),
        str(job.get("partition") or ""),
        str(job.get("account") or ""),
        str(job.get("user") or ""),
    ]


def _samples(series: list[dict[str, Any]]) -> list[list[str]]:
    labels = sorted({name for one in series for name in one.get("metric") or {}})
    rows = [["timestamp", *labels, "value"]]
    for one in series:
        metric = one.get("metric") or {}
        words = [str(metric.get(name, "")) for name in labels]
        points = one.get("values") or ([one["value"]] if one.get("value") else [])
        rows += [[str(at), *words, str(value)] for at, value in points]
    return rows


def _allocations(part: Mapping[str, Any]) -> Iterator[list[str]]:
    for name, one in part.items():
        if not isinstance(one, dict):
            continue
        kept, window = one.get("properties") or {}, one.get("window") or {}
        labels = kept.get("labels") or {}
        yield [
            str(one.get("start") or window.get("start") or ""),
            str(one.get("end") or window.get("end") or ""),
            str(one.get("gpuHours") or 0),
            str(kept.get("namespace") or ""),
            str(kept.get("pod") or one.get("name") or name),
            str(labels.get("nvidia_com_gpu_product") or labels.get("nvidia.com/gpu.product") or ""),
        ]
