"""Many people at once: everybody is served in the end.

Each of 40 users opens the form, plans work of their own (no two plans are alike, so nothing is remembered), reads for a
while, and plans again. Sliders ask the server for nothing. How long they wait is measured by `scripts/bench web`
(GPUPLAN_LOAD_USERS are how many, GPUPLAN_LOAD_SECONDS is how long they come).
"""

from __future__ import annotations

import os
import random
import threading
import time

import pytest

from tests.web.client import SERVE, ask

pytestmark = pytest.mark.slow
READING_S = 45.0
USERS = int(os.environ.get("GPUPLAN_LOAD_USERS", "40"))
SECONDS = float(os.environ.get("GPUPLAN_LOAD_SECONDS", "30"))


def test_many_people_at_once_are_all_served(address: str) -> None:
    took: list[float] = []
    failed: list[str] = []
    ask(address, "/plan", SERVE)  # the processes have read their prices
    ends = time.monotonic() + SECONDS

    def user(number: int) -> None:
        draw = random.Random(number)
        time.sleep(draw.uniform(0, min(READING_S, SECONDS * 0.9)))
        while True:  # a user who comes late is served, too
            rate = f"{draw.uniform(0.1, 30):.6f}"
            began = time.monotonic()
            try:
                form = ask(address, "/")
                began = time.monotonic()
                got = ask(address, "/plan", SERVE | {"serve.requests_per_s": rate})
                while got.status == 503:  # a busy machine: they come again, as they are told
                    time.sleep(float(got.headers["retry-after"]))
                    got = ask(address, "/plan", SERVE | {"serve.requests_per_s": rate})
                if form.status != 200 or got.status != 200:
                    failed.append(f"{form.status} {got.status}")
            except OSError as error:
                failed.append(repr(error))
            took.append(time.monotonic() - began)
            time.sleep(draw.uniform(0.75, 1.25) * READING_S)
            if time.monotonic() >= ends:
                return

    users = [threading.Thread(target=user, args=(number,)) for number in range(USERS)]
    for each in users:
        each.start()
    for each in users:
        each.join()
    took.sort()
    median, late = took[len(took) // 2], took[int(0.95 * len(took))]
    measured = f"{len(took)} plans, median {median:.3f} s, 95 % within {late:.3f} s"
    assert failed == [], measured
    assert len(took) >= USERS
