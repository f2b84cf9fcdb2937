"""How long a cold command takes, as a ratio to importing pandas in the same interpreter."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RUNS = 7


def _seconds(*arguments: str) -> float:
    """Return the median wall time of a fresh process; the first run warms the file cache and is left out."""
    times = []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def measure() -> Iterator[tuple[str, str, str]]:
    """Compare cold commands with ``python -c 'import pandas'``."""
    bare = _seconds("-c", "pass")
    pandas = _seconds("-c", "import pandas")
    yield "python -c pass", f"{bare:.3f} s", ""
    yield "python -c 'import pandas'", f"{pandas:.3f} s", "the yardstick"
    cases = (
        ("--help", ("--help",), "0.06 s is possible"),
        ("offers --gpu h100", ("offers", "--gpu", "h100"), "under 0.3 s of its own time"),
        ("plan serve-llama-70b", ("plan", "examples/serve-llama-70b.yaml"), "under 1 s"),
        ("plan pretrain-7b", ("plan", "examples/pretrain-7b.yaml"), "under 1 s"),
        ("plan gpu-hours-h100", ("plan", "examples/gpu-hours-h100.yaml"), "under 1 s"),
    )
    for name, arguments, goal in cases:
        took = _seconds("-P", "-m", "planner", *arguments)
        yield f"gpuplan {name}", f"{took:.3f} s = {took / pandas:.2f} x", goal
    yield from _base_install()


def _base_install() -> Iterator[tuple[str, str, str]]:
    """Make the environment of a first `scripts/run plan` anew, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        venv = Path(folder, "venv")
        start = time.perf_counter()
        subprocess.run(
            [ROOT / "scripts" / "run", "--version"],
            cwd=ROOT, env={**os.environ, "GPUPLAN_VENV": str(venv)}, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        took = time.perf_counter() - start
        size = sum(path.stat().st_size for path in venv.rglob("*") if path.is_file() and not path.is_symlink())
    yield "base install: time", f"{took:.0f} s", "under 25 s"
    yield "base install: size", f"{size / 1e6:.0f} MB", "under 450 MB"
