"""Feed every door of the program malformed input, in-process: scripts/fuzz.py COUNT SEED [--door NAME] [--keep FOLDER].

Deterministic by its seed. Each case is one command line over files that were made from valid ones by breaking them: a key dropped or
renamed, a value of another type, a number beyond reason, text in another encoding, bytes flipped, a file that is none. It passes if
the exit status is a documented one, a failure says one thing, nothing warns, and time and memory stay bounded. Cases that fail are
kept in a folder with the command that repeats them; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import os
import resource
import shlex
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

from fuzz_breaking import Case, Rng
from fuzz_cases import DOORS

ROOT = Path(__file__).resolve().parent.parent
STATUSES = {0, 2, 3, 4, 5, 6, 7, 130}
LONGEST_S = 20
LONGEST_MESSAGE = 20_000
MOST_BYTES = 4 << 30
CASES_A_WORKER = 200


def case_of(seed: int, number: int, doors: list[str]) -> tuple[str, Case]:
    """Return case `number` of a seed: the same whichever cases ran before."""
    rng = Rng(f"{seed}/{number}")
    name = doors[number % len(doors)]
    return name, DOORS[name](rng)


def outcome(case: Case) -> tuple[int, str]:
    """Run a case in the current folder; return its exit status and what was wrong, empty where nothing was."""
    for name, data in case.files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)
    for name, target in case.links.items():
        Path(name).symlink_to(target)
    kept = dict(os.environ)
    os.environ.update(case.environment)
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(case.stdin), "utf-8")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("always")
            status = _answered(case) if case.words[0] == "<form>" else _run(case.words)
    except BaseException:  # noqa: BLE001  whatever leaves `main` is a fault of its own
        return -1, f"left main: {traceback.format_exc()[-1500:]}"
    finally:
        sys.stdin = stdin
        os.environ.clear()
        os.environ.update(kept)
    said, answer = err.buffer.getvalue().decode("utf-8", "replace"), out.buffer.getvalue().decode("utf-8", "replace")
    faults = []
    if status not in STATUSES:
        faults.append(f"exit status {status}")
    if "Traceback" in said or "a bug of this program" in said + answer:
        faults.append("a bug")
    if "Warning:" in said:
        faults.append("a warning of a library")
    if (
        status not in {0, 3, 5, 6, 7}
        and case.words[0] != "<form>"
        and "refresh" not in case.words  # what became of each source is its answer
        and "error: " not in said
        and "warning: " not in said
        and '"error"' not in answer
    ):
        faults.append("a failure without a word")
    if said.count("\nerror: ") + said.startswith("error: ") > 1:
        faults.append("more than one error")
    if len(said) > LONGEST_MESSAGE:
        faults.append(f"{len(said):,} characters on standard error")
    if list(Path().rglob("*.part")):
        faults.append("a half-written file")
    return status, f"{'; '.join(faults)}\n{said[-1500:]}" if faults else ""


def _run(words: list[str]) -> int:
    from planner.cli import main

    return main(words)


def _answered(case: Case) -> int:
    from planner.web.answers import answer

    found = answer(None, "html", json.loads(case.words[1]), {"page.css": "x", "page.js": "y"})
    return {200: 0, 422: 2}.get(found.status, 1)


def work(pipe: Connection, seed: int, numbers: list[int], doors: list[str], folder: str) -> None:
    """Run cases one by one, each in an empty folder, and tell each outcome."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES + (2 << 30), MOST_BYTES + (2 << 30)))
    os.environ["HOME"] = folder
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        os.environ[name] = folder
    for name in [name for name in os.environ if name.startswith("GPUPLAN_")]:
        del os.environ[name]
    for number in numbers:
        name, case = case_of(seed, number, doors)
        place = Path(folder, "case")
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        os.chdir(place)
        pipe.send((number, name, None, "", 0.0))
        began = time.monotonic()
        status, fault = outcome(case)
        took = time.monotonic() - began
        if took > LONGEST_S and not fault:
            fault = f"took {took:.0f} s"
        pipe.send((number, name, status, fault, took))
    pipe.close()


def main() -> int:
    """Run the cases and print what came of them."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz.py", description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--door", choices=sorted(DOORS), action="append")
    parser.add_argument("--keep", type=Path, default=Path("test-output", "fuzz"), help="where failing cases are kept")
    chosen = parser.parse_args()
    doors = chosen.door or list(DOORS)
    statuses: dict[str, Counter[int]] = {name: Counter() for name in doors}
    faults: list[tuple[int, str, str]] = []
    slowest = (0.0, 0)
    waiting = list(range(chosen.count))
    context = multiprocessing.get_context("fork")
    import planner.cli  # noqa: F401  read once, before the workers are forked

    done = 0
    while waiting:
        with tempfile.TemporaryDirectory() as folder:
            ours, theirs = context.Pipe(duplex=False)
            batch = waiting[:CASES_A_WORKER]
            worker = context.Process(target=work, args=(theirs, chosen.seed, batch, doors, folder), daemon=True)
            worker.start()
            theirs.close()
            at: tuple[int, str] = (batch[0], doors[batch[0] % len(doors)])
            finished: set[int] = set()
            try:
                while ours.poll(LONGEST_S * 1.5):
                    number, name, status, fault, took = ours.recv()
                    at = (number, name)
                    if status is None:
                        continue
                    finished.add(number)
                    statuses[name][status] += 1
                    slowest = max(slowest, (took, number))
                    if fault:
                        faults.append((number, name, fault))
                    done += 1
                    if sys.stderr.isatty() and done % 20 == 0:
                        print(f"\r{done:,} of {chosen.count:,}, {len(faults)} failed", end="", file=sys.stderr)
            except EOFError:
                pass
            worker.kill() if worker.is_alive() and len(finished) < len(batch) else None
            worker.join()
            if len(finished) < len(batch):  # it hung, or was killed, at this one
                number, name = at
                finished.add(number)
                faults.append((number, name, f"the process ended or hung (exit code {worker.exitcode})"))
            waiting = [number for number in waiting if number not in finished]
    return told(chosen.count, chosen.seed, doors, statuses, faults, slowest, chosen.keep)


def told(
    count: int, seed: int, doors: list[str], statuses: dict[str, Counter[int]], faults: list[tuple[int, str, str]],
    slowest: tuple[float, int], keep: Path,
) -> int:  # fmt: skip
    """Print a summary, and keep the cases that failed."""
    for name in doors:
        print(f"{name:15} {', '.join(f'{status}: {n}' for status, n in sorted(statuses[name].items()))}")
    for number, name, fault in faults:
        _, case = case_of(seed, number, doors)
        folder = keep / f"{seed}-{number}-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        for file, data in case.files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_bytes(data)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "stdin").write_bytes(case.stdin)
        variables = " ".join(f"{key}={shlex.quote(value)}" for key, value in case.environment.items())
        line = f"{variables} gpuplan {shlex.join(case.words)} < stdin\n"
        (folder / "command.txt").write_text(f"{line}\n{fault}\n", encoding="utf-8", errors="replace")
        print(f"FAILED {name} case {number}: {fault.splitlines()[0]} (kept in {folder})")
    print(f"{count:,} inputs, {len(faults)} failures; the slowest took {slowest[0]:.1f} s (case {slowest[1]})")
    return 1 if faults else 0


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
