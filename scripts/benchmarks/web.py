"""The page under load: 100 users for 30 s on loopback, of whose requests 30 % open the form and 70 % plan."""

from __future__ import annotations

import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
USERS, SECONDS, PLAN_SHARE = 100, 30.0, 0.7
READING_S = 3.0
"""What a user looks at an answer before the next request, on average."""
RATES = 40
"""Different questions in all: people try the same numbers."""


def _percentile(times: list[float], share: float) -> float:
    return sorted(times)[min(int(share * len(times)), len(times) - 1)] if times else float("nan")


def measure() -> Iterator[tuple[str, str, str]]:
    """Start the page, send it bounded load, and stop it."""
    from tests.web.client import SERVE, ask

    with tempfile.TemporaryDirectory() as home:
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "planner", "web", "--port", "0"],
            cwd=ROOT, env={"HOME": home, "PATH": "/usr/bin:/bin"}, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert server.stderr is not None
        try:
            found = re.search(r"http://127\.0\.0\.1:\d+", server.stderr.readline())
            assert found, server.stderr.read()
            address = found.group(0)
            ask(address, "/plan", SERVE)  # the processes have read their prices
            took: dict[str, list[float]] = {"page": [], "plan": []}
            statuses: Counter[int | str] = Counter()
            ends = time.monotonic() + SECONDS

            def user(number: int) -> None:
                draw = random.Random(number)  # noqa: S311  load, no secret
                time.sleep(draw.uniform(0, READING_S))
                while time.monotonic() < ends:
                    kind = "plan" if draw.random() < PLAN_SHARE else "page"
                    began = time.monotonic()
                    try:
                        rate = f"{1 + draw.randrange(RATES) / 2}"
                        got = ask(address, "/") if kind == "page" else ask(
                            address, "/plan", SERVE | {"serve.requests_per_s": rate}
                        )  # fmt: skip
                        statuses[got.status] += 1
                    except OSError as error:
                        statuses[type(error).__name__] += 1
                    took[kind].append(time.monotonic() - began)
                    time.sleep(draw.uniform(0.5, 1.5) * READING_S)

            users = [threading.Thread(target=user, args=(number,)) for number in range(USERS)]
            for each in users:
                each.start()
            for each in users:
                each.join()
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=20)
            server.stderr.close()
    yield "requests by status", ", ".join(f"{n} x {status}" for status, n in statuses.most_common()), "no 500"
    yield "the form: median, 95th percentile", _figures(took["page"]), "95th under 0.3 s"
    yield "a plan: median, 95th percentile", _figures(took["plan"]), "95th under 3 s"


def _figures(times: list[float]) -> str:
    return f"{statistics.median(times):.3f} s, {_percentile(times, 0.95):.3f} s" if times else "none"
