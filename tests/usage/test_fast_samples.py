"""A large file of counters says by its columns what it says line by line."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from planner.usage.counters import columns as fast_samples
from planner.usage.counters.hours import read_dcgm
from planner.usage.records import Records
from planner.usage.sources import find_sources

HEAD = "timestamp,metric,gpu,UUID,Hostname,modelName,pod,namespace,job,value\n"
LINES = [
    f"2026-10-01T{hour:02d}:00:00Z,{metric},{gpu},G{gpu},n{gpu % 2},T4,{pod},ml,job{hour},{value}\n"
    for hour in range(6)
    for metric, value in (("DCGM_FI_DEV_GPU_UTIL", 50), ("DCGM_FI_PROF_SM_ACTIVE", "NaN" if hour == 3 else 0.25), ("nvidia_smi_utilization_gpu_ratio", ""), ("other", 7))
    for gpu, pod in ((0, "a"), (0, "b"), (1, ""), (2, "c"))
]  # fmt: skip


def _read(path: Path, content: bytes, folder: Path) -> Records:
    path.write_bytes(content)
    folder.mkdir(exist_ok=True)
    sources, faults = find_sources([str(path)], folder=folder)
    assert faults == []
    return read_dcgm(sources)


@pytest.mark.parametrize(
    ("text", "is_odd"),
    [("".join(LINES), False), ("".join(reversed(LINES)), False), ("".join(LINES) + "2026-10-01,DCGM_FI_DEV_GPU_UTIL,0\n", True), ("".join(LINES).replace(",50\n", ",fifty\n", 1), True), ("".join(LINES).replace("T05:", "T99:"), True)],
    ids=["in order", "backwards", "a short line", "a word for a number", "no time"],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_columns_say_what_lines_say(
    text: str, is_odd: bool, packed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (HEAD + text).encode()
    content = gzip.compress(content) if packed else content
    path = tmp_path / ("counters.csv.gz" if packed else "counters.csv")
    slow = _read(path, content, tmp_path / "work")
    calls = []

    def watched(*given: Any) -> Any:
        calls.append(fast_samples.lines_by_column(*given))
        return calls[-1]

    monkeypatch.setattr(fast_samples, "FAST_FROM_BYTES", 0)
    monkeypatch.setattr("planner.usage.counters.samples.lines_by_column", watched)
    fast = _read(path, content, tmp_path / "work")
    assert [found is None for found in calls] == [is_odd]
    assert (fast.rows, fast.faults, fast.notes) == (slow.rows, slow.faults, slow.notes)
    for kind in ("basis", "gpu", "account", "region"):
        assert fast.table.by(kind, "gpu_hours") == pytest.approx(slow.table.by(kind, "gpu_hours"))


WIDE = (
    "timestamp,DCGM_FI_PROF_GR_ENGINE_ACTIVE,name,Hostname,gpu,pod,DCGM_FI_PROF_SM_ACTIVE,DCGM_FI_DEV_POWER_USAGE\n"
    + "".join(
        f"2026-10-01T{hour:02d}:00:00Z,0.5,H100,n{gpu % 2},{gpu},{pod},{'' if hour == 2 else 0.25},{300 + gpu}\n"
        for hour in range(5)
        for gpu, pod in ((0, "a"), (1, ""), (2, "c"))
    )
)


@pytest.mark.parametrize("odd", ["", "2026-10-01T09:00:00Z,fifty,H100,n0,0,a,0.1,300\n"])
def test_columns_of_metrics_say_what_their_lines_say(odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "counters.csv"
    slow = _read(path, (WIDE + odd).encode(), tmp_path / "work")
    monkeypatch.setattr(fast_samples, "FAST_FROM_BYTES", 0)
    calls = []

    def watched(*given: Any) -> Any:
        calls.append(fast_samples.lines_by_column(*given))
        return calls[-1]

    monkeypatch.setattr("planner.usage.counters.samples.lines_by_column", watched)
    fast = _read(path, (WIDE + odd).encode(), tmp_path / "work")
    assert [found is None for found in calls] == [bool(odd)]
    assert (fast.rows, fast.faults, fast.notes, fast.energy_kwh) == (
        slow.rows,
        slow.faults,
        slow.notes,
        slow.energy_kwh,
    )
    for kind in ("basis", "gpu", "account", "region"):
        assert fast.table.by(kind, "gpu_hours") == pytest.approx(slow.table.by(kind, "gpu_hours"))
