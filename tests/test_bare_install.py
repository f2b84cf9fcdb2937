"""A base install, without extras: the wheel in a fresh environment, and what says which extra is missing."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.conftest import EXAMPLES, ROOT

COMMANDS = (
    "plan {examples}/serve-llama-70b.yaml",
    "plan {examples}/gpu-hours-h100.yaml -o plan.xlsx",
    "plan {examples}/portfolio/workloads.csv -o verdicts.csv",
    "breakeven {examples}/scenario-8x-h100.yaml",
    "estimate {examples}/serve-llama-70b.yaml --on h100-sxm:8",
    "offers --gpu h100",
)

WITHOUT_EXTRAS = """
import sys
from importlib.abc import MetaPathFinder
from pricing.errors import EXTRAS

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from planner.cli import main
for line in sys.stdin.read().splitlines():
    status = main(line.split())
    print(f"STATUS {status} {line}", file=sys.stderr)
"""


@pytest.mark.slow
def test_a_library_that_is_missing_is_named_with_the_extra_that_brings_it(tmp_path: Path) -> None:
    lines = [
        *(command.format(examples=EXAMPLES) for command in COMMANDS),
        f"usage {EXAMPLES}/usage/bill.csv.gz",
        "web --port 0",
        "mcp",
        "prices status --store postgresql://127.0.0.1:9/x",
    ]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS],
        input="\n".join(lines), capture_output=True, text=True, cwd=tmp_path, timeout=120, check=True,
    )  # fmt: skip
    statuses = [line.split()[1] for line in done.stderr.splitlines() if line.startswith("STATUS")]
    assert statuses == ["0"] * len(COMMANDS) + ["2", "2", "2", "2"], done.stderr
    assert "bug of this program" not in done.stderr
    for extra in ("usage", "web", "mcp", "postgres"):
        assert f"pip install 'gpuplan[{extra}]'" in done.stderr


@pytest.mark.slow
def test_the_wheel_runs_in_an_environment_that_has_its_base_dependencies_alone(tmp_path: Path) -> None:
    environment = tmp_path / "fresh"
    venv.create(environment, with_pip=True)
    python = str(environment / "bin" / "python")

    def pip(*words: str) -> None:
        done = subprocess.run([python, "-m", "pip", "-q", *words], capture_output=True, text=True, check=False)
        if "No matching distribution" in done.stderr or "Connection" in done.stderr:
            pytest.skip("no package index can be reached")
        assert done.returncode == 0, done.stderr

    pip("install", "--no-compile", "--require-hashes", "-r", str(ROOT / "requirements" / "base.txt"))
    pip("wheel", "--no-deps", "-w", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("gpuplan-*.whl")
    pip("install", "--no-deps", str(wheel))
    for command in (*(f"planner {line}" for line in COMMANDS), "pricing --help"):
        words = command.format(examples=EXAMPLES).split()
        done = subprocess.run(
            [python, "-P", "-m", *words], capture_output=True, text=True, cwd=tmp_path, env={"HOME": str(tmp_path)}, check=False
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.stderr}"
    packages = environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    assert not list(packages.glob("*.pth")) or {path.name for path in packages.glob("*.pth")} <= {
        "distutils-precedence.pth"
    }
    assert {(packages / name / "py.typed").is_file() for name in ("planner", "pricing")} == {True}
