"""Requests simulated, summarized and replayed, and what confirming by simulation adds to a plan."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
SUMMARIZED, REPLAYED = 10_000_000, 1_000_000
CHILD = """
import json, resource, sys, time
from planner.cli import main
begin, cpu = time.perf_counter(), time.process_time()
status = main(["traffic", *sys.argv[2:], "-f", "json", "--quiet", "-o", sys.argv[1]])
sys.stdout.flush()
used = dict(status=status, wall_s=time.perf_counter() - begin, cpu_s=time.process_time() - cpu)
print(json.dumps(used | dict(peak_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)), flush=True)
"""


def _cpu_s(work: Callable[[], object], times: int = 3) -> float:
    """Return the least processor time of a few runs."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return min(found)


def _write_log(path: Path, requests: int, seconds: float) -> None:
    """Write a seeded log: random arrivals over a sine of the day, log-normal lengths."""
    import numpy as np

    rng = np.random.default_rng(7)
    day = rng.uniform(0.0, 1.0, 2 * requests)
    kept = day[rng.uniform(0.0, 1.64, len(day)) < 1.0 + 0.64 * np.sin(2 * np.pi * day)][:requests]
    at = np.sort(kept) * seconds + 1.78e9
    inputs, outputs = (
        np.exp(rng.normal(mean, width, len(at))).astype(int) + 1 for mean, width in ((6.7, 0.8), (5.1, 0.7))
    )
    import duckdb
    import pandas as pd

    frame = pd.DataFrame({"timestamp": at.round(3), "input_tokens": inputs, "output_tokens": outputs})
    with duckdb.connect() as engine:
        engine.register("frame", frame)
        engine.execute(f"COPY frame TO '{path}' (HEADER)")


def _run(folder: Path, *args: str) -> tuple[dict[str, float], dict[str, Any]]:
    out = folder / "answer.json"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(out), *args], cwd=ROOT, check=True, capture_output=True, text=True, timeout=900
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1]), json.loads(out.read_text(encoding="utf-8"))


def _simulation() -> Iterator[tuple[str, str, str]]:
    from planner.assumptions import default_assumptions
    from planner.demand.models import known_model
    from planner.options.servers import own_machine
    from planner.supply.calibration import default_calibration
    from planner.supply.machines import Layout
    from planner.traffic.simulation import simulated
    from planner.traffic.step_times import times_of_layout
    from planner.traffic.streams import drawn_requests
    from pricing.facts.accelerators import resolve

    requests = drawn_requests(1000, 300, rate_per_s=20, count=36_000, length_cv=(0.96, 0.77))
    times = times_of_layout(
        own_machine(resolve("b200")[0], 1), Layout(precision="fp8", kv_precision="bf16"), known_model("llama-3.1-70b"),
        default_assumptions(), default_calibration(), longest_tokens=requests.longest_tokens, typical_tokens=1150.0,
    )  # fmt: skip
    spent = _cpu_s(lambda: simulated(requests, times, 4))
    yield "30 minutes of 4 replicas, 20 requests/s, simulated", f"{spent:.2f} s of processor", "< 0.25 s"


def _plans() -> Iterator[tuple[str, str, str]]:
    from planner.assumptions import default_assumptions
    from planner.demand.models import load_workload
    from planner.plan import make_plan
    from planner.verdict.confirmation import Confirmation
    from pricing.catalog import load_bundled

    work, catalog = load_workload(str(ROOT / "examples" / "serve-llama-70b.yaml")), load_bundled()

    def plan() -> object:
        return make_plan(work, catalog, default_assumptions(), today=date(2026, 11, 27))

    def unconfirmed(*stated: Any) -> Confirmation:
        return Confirmation(**dict(zip(("supply", "fleets", "refusals", "options"), stated[1:], strict=True)))

    whole = _cpu_s(plan)
    with patch("planner.plan.confirmation_of", unconfirmed), patch("planner.plan.percentiles_of", lambda *_: {}):
        without = _cpu_s(plan)
    yield "the README's plan, warm, confirmed by simulation", f"{whole:.2f} s of processor", ""
    yield "the same without", f"{without:.2f} s of processor", "for comparison"


def measure() -> Iterator[tuple[str, str, str]]:
    """Simulate, plan, and run ``gpuplan traffic`` on seeded logs."""
    yield from _simulation()
    yield from _plans()
    with tempfile.TemporaryDirectory(prefix="gpuplan-bench-") as made:
        folder = Path(made)
        log = folder / "log.csv"
        _write_log(log, SUMMARIZED, 7 * 86_400.0)
        used, answer = _run(folder, str(log))
        assert answer["request_count"] == SUMMARIZED, answer["request_count"]
        figure = f"{used['wall_s']:.1f} s, {used['peak_gib']:.2f} GiB"
        yield (
            f"{SUMMARIZED:,} requests of CSV ({log.stat().st_size / 2**20:,.0f} MiB) summarized",
            figure,
            "< 20 s, < 1 GiB",
        )
        _write_log(log, REPLAYED, 86_400.0)
        used, _ = _run(folder, str(log), "--model", "llama-3.1-8b", "--ttft", "2000", "--tpot", "100")
        figure = f"{used['wall_s']:.1f} s ({used['cpu_s']:.1f} s of processor)"
        yield f"a day of {REPLAYED:,} requests: planned, replayed, autoscaled", figure, "< 60 s"
