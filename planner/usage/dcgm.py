"""What accelerators counted of themselves (DCGM exporter, through Prometheus) as present, busy and useful hours."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from planner.usage.faults import Fault
from planner.usage.records import Records, Stretch, gpu_called, records_of, rows_of_file
from planner.usage.sources import Source
from planner.usage.times import seconds_of_text, zone_of

__all__ = ["read_dcgm"]

BUSY = ("DCGM_FI_PROF_GR_ENGINE_ACTIVE", "DCGM_FI_DEV_GPU_UTIL")
"""The first of them that an accelerator has counts: GPU_UTIL is coarse, and says only that some kernel ran."""
USEFUL = ("DCGM_FI_PROF_SM_ACTIVE",)
POWER = ("DCGM_FI_DEV_POWER_USAGE",)
METRICS = (*BUSY, *USEFUL, *POWER)
TIME = ("timestamp", "time", "ts", "date")
METRIC = ("metric", "__name__", "metric_name", "name")
LABELS = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
WHICH = ("uuid", "gpu_uuid", "gpu", "device")
HOST = ("hostname", "instance", "node", "kubernetes_node", "exported_instance")
MODEL = ("modelname", "model", "gpu_model")
POD = ("exported_pod", "pod", "pod_name", "hpc_job", "exported_container", "container")
OWNER = ("exported_namespace", "namespace", "account", "team")

Key = tuple[str, str]
Sample = tuple[float, float]


class _Counters:
    """Samples by accelerator and metric, with what the labels say of the accelerator."""

    def __init__(self) -> None:
        self.samples: dict[Key, dict[str, list[Sample]]] = {}
        self.labels: dict[Key, dict[str, str]] = {}
        self.pods: dict[Key, dict[float, bool]] = {}

    def add(self, labels: dict[str, str], metric: str, at: float, value: float) -> None:
        key = (_first(labels, HOST), _first(labels, WHICH))
        self.samples.setdefault(key, {}).setdefault(metric, []).append((at, value))
        self.labels.setdefault(key, {}).update({name: text for name, text in labels.items() if text})
        if any(name in labels for name in POD):
            self.pods.setdefault(key, {})[at] = bool(_first(labels, POD))


def read_dcgm(sources: Sequence[Source], *, timezone: str = "") -> Records:
    """Read exporter or Prometheus CSV, in any of its three shapes.

    Lines with a metric and a value; lines with one column for each metric; or a column for each series, named like
    ``DCGM_FI_DEV_GPU_UTIL{gpu="0",Hostname="n1"}``. Each sample counts until the next one of its accelerator, a gap of
    more than two usual steps until one step.

    Parameters
    ----------
    sources : sequence of Source
        CSV.
    timezone : str
        Of times that do not say theirs.
    """
    zone = zone_of(timezone or "UTC")
    counters = _Counters()
    faults: list[Fault] = []
    rows = 0
    for source in sources:
        lines = rows_of_file(source)
        _, header = next(lines, (0, []))
        names = [cell.strip() for cell in header]
        lower = [name.lower() for name in names]
        time = next((lower.index(name) for name in TIME if name in lower), None)
        if time is None:
            faults.append(Fault(what="it has no column of time", where=source.name, hint="timestamp"))
            continue
        bad: list[int] = []
        for line, cells in lines:
            rows += 1
            at = seconds_of_text(cells[time], zone) if len(cells) == len(names) else None
            if at is None:
                bad.append(line)
                continue
            for labels, metric, text in _values(names, lower, cells):
                try:
                    value = float(text)
                except ValueError:
                    if text.strip() and text.strip().lower() != "nan":
                        bad.append(line)
                    continue
                if not math.isnan(value):  # else nothing was measured
                    counters.add(labels, metric, at, value)
        if bad:
            faults.append(Fault(what="lines without a time or with a value that is no number", where=f"{source.name}:{bad[0]}", rows=len(set(bad))))  # fmt: skip
    stretches, energy, notes = _stretches(counters)
    return records_of(stretches, "dcgm", rows=rows, faults=faults, notes=notes, energy_kwh=energy)


def _first(labels: dict[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")


def _values(
    names: Sequence[str], lower: Sequence[str], cells: Sequence[str]
) -> Iterator[tuple[dict[str, str], str, str]]:
    """Return labels, metric and value of each sample in a line."""
    metric = next((lower.index(name) for name in METRIC if name in lower), None)
    labels = {name: cell.strip() for name, cell in zip(lower, cells, strict=True) if not name.startswith("dcgm_fi_")}
    if metric is not None and "value" in lower and cells[metric].strip().upper().startswith("DCGM_FI_"):
        name = cells[metric].strip().upper()
        if name in METRICS:
            yield labels, name, cells[lower.index("value")]
        return
    for name, cell in zip(names, cells, strict=True):
        base = name.split("{", 1)[0].strip().upper()
        if base in METRICS:
            inside = {key.lower(): text for key, text in LABELS.findall(name)}
            yield (inside if "{" in name else labels), base, cell


def _stretches(counters: _Counters) -> tuple[list[Stretch], float | None, list[str]]:
    stretches: list[Stretch] = []
    energy_kwh, has_power = 0.0, False
    coarse = without_useful = 0
    for key, metrics in counters.samples.items():
        labels = counters.labels[key]
        whose = {"gpu": gpu_called(_first(labels, MODEL)), "account": _first(labels, OWNER), "region": key[0]}
        busy = next((name for name in BUSY if name in metrics), None)
        times = sorted({at for samples in metrics.values() for at, _ in samples})
        ends = _ends(times)
        stretches += [Stretch(at, ends[at], 1.0, "present", **whose) for at in times]
        pods = counters.pods.get(key)
        if pods is not None:
            stretches += [Stretch(at, ends[at], 1.0, "allocated", **whose) for at in times if pods.get(at)]
        if busy:
            coarse += busy == "DCGM_FI_DEV_GPU_UTIL"
            stretches += _shares(metrics[busy], ends, "busy", whose, is_percent=busy == "DCGM_FI_DEV_GPU_UTIL")
        if USEFUL[0] in metrics:
            stretches += _shares(metrics[USEFUL[0]], ends, "useful", whose, is_percent=False)
        else:
            without_useful += 1
        if POWER[0] in metrics:
            has_power = True
            energy_kwh += sum(watts * (ends[at] - at) / 3.6e6 for at, watts in metrics[POWER[0]])
    notes = []
    if coarse:
        notes.append(
            f"{coarse:,} accelerators report GPU_UTIL alone: it says that a kernel ran, not on how much of the chip"
        )
    if without_useful:
        notes.append(f"{without_useful:,} accelerators report no SM_ACTIVE: their useful hours are missing")
    if counters.samples and not counters.pods:
        notes.append("no label says whose an accelerator was (pod, hpc_job): allocated hours are not told")
    return stretches, (energy_kwh if has_power else None), notes


def _ends(times: Sequence[float]) -> dict[float, float]:
    gaps = [b - a for a, b in pairwise(times)]
    step = median(gaps) if gaps else 60.0
    ends = {a: (b if b - a <= 2 * step else a + step) for a, b in pairwise(times)}
    ends[times[-1]] = times[-1] + step
    return ends


def _shares(
    samples: Sequence[Sample], ends: dict[float, float], basis: str, whose: dict[str, str], *, is_percent: bool
) -> list[Stretch]:
    # Some dashboards show the profiling counters in percent.
    scale = 100.0 if is_percent or max(value for _, value in samples) > 1.5 else 1.0
    return [
        Stretch(at, ends[at], min(max(value / scale, 0.0), 1.0), basis, **whose) for at, value in samples if value > 0
    ]
