"""Run the benchmarks by name and print what they measured.

Each module beside this one that has a function ``measure() -> Iterable[tuple[str, str, str]]`` is a benchmark: what was
measured, the figure, the goal.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all of them."""
    sys.path[:0] = [str(ROOT), str(FOLDER)]
    known = sorted(
        path.stem
        for path in FOLDER.glob("*.py")
        if path.stem != "main" and "def measure()" in path.read_text(encoding="utf-8")
    )
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"unknown benchmark {', '.join(unknown)}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in names or known:
        print(f"{name}", flush=True)
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for what, figure, goal in module.measure():
            print(f"  {what:<58} {figure:>22}   {goal}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
