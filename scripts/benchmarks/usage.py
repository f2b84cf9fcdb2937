"""Ten million rows of a FOCUS bill to the full report of ``gpuplan usage``, in a process of its own; the engine's start apart."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROWS = 10_000_000
TEAMS = 160
"""Each has a fleet of about 10,000 rows a month: some 15 % of the bill are accelerators."""
ROOT = Path(__file__).resolve().parents[2]

CHILD = """
import json, os, resource, sys, threading, time
threads = {threads}
peak = [0.0]
def watch():
    # The most memory that was there at one time; Linux alone tells it of a part of a run.
    while True:
        with open("/proc/self/statm") as file:
            peak[0] = max(peak[0], int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**30)
        time.sleep(0.01)
if os.path.exists("/proc/self/statm"):
    threading.Thread(target=watch, daemon=True).start()
begin = time.perf_counter()
from planner.engine.session import connect
engine = connect("duckdb:?threads={threads}&memory=700MB")
started = time.perf_counter() - begin
engine.close()
from planner.cli import main
begin, cpu = time.perf_counter(), time.process_time()
args = ["usage", sys.argv[1], "--rate", "EUR=1.25", "--engine", "duckdb:?threads={threads}&memory=700MB", "-f", "json", "--quiet"]
status = main([*args, "-o", sys.argv[2], *sys.argv[3:]])
report = dict(status=status, start_s=started, work_s=time.perf_counter() - begin, cpu_s=time.process_time() - cpu)
report["peak_gib"] = peak[0] or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps(report))
"""


def _run(folder: Path, threads: int, *extra: str) -> tuple[dict[str, float], dict[str, object]]:
    out = folder / "report.json"
    code = CHILD.replace("{threads}", str(threads))
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "bill"), str(out), *extra],
        cwd=ROOT, check=True, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1]), json.loads(out.read_text(encoding="utf-8"))


def measure() -> Iterator[tuple[str, str, str]]:
    """Make the bill, read it on one and two threads, and hold the answer against what its maker knows."""
    sys.path.insert(0, str(ROOT / "scripts"))
    import make_usage

    with tempfile.TemporaryDirectory(prefix="gpuplan-bench-") as made:
        folder = Path(made)
        known = make_usage.write(folder / "bill", ROWS, seed=1, teams=TEAMS, version="1.2", form="parquet", doubles=100)
        size = sum(path.stat().st_size for path in (folder / "bill").iterdir()) / 2**20
        yield f"{ROWS:,} rows of Parquet, {known['gpu_hours']:,.0f} GPU-hours", f"{size:,.0f} MiB", "the question"
        for threads in (2, 1):
            report, answer = _run(folder, threads)
            goal = "< 5 s, < 1 GiB" if threads == 2 else "for comparison"
            figure = f"{report['work_s']:.1f} s, {report['peak_gib']:.2f} GiB"
            yield f"full report, {threads} threads ({report['cpu_s']:.1f} s of processor)", figure, goal
            if threads == 2:
                yield "the embedded engine's own start, with its imports", f"{report['start_s']:.2f} s", "apart"
        report, _ = _run(folder, 2, "--tag", "team")
        yield "the same, divided by a tag", f"{report['work_s']:.1f} s, {report['peak_gib']:.2f} GiB", ""
        off = abs(float(str(answer["effective_usd"])) - float(known["effective_usd"]))
        yield "cost found, off what the bill's maker knows", f"{off:.4f} USD", "< 0.01 USD"
