"""Work for other processes that ends in ways that real work does when something is wrong."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

__all__ = ["double", "double_or_die", "double_or_die_once"]


def double(task: tuple[str, int]) -> int:
    """Return twice the number, and note that it was done."""
    folder, number = task
    with (Path(folder) / f"done-{number}").open("a") as file:
        file.write("x")
    return 2 * number


def double_or_die(task: tuple[str, int]) -> int:
    """Kill the process at number 3, whenever it is tried."""
    if task[1] == 3:
        with (Path(task[0]) / "deaths").open("a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
    return double(task)


def double_or_die_once(task: tuple[str, int]) -> int:
    """Kill the process at number 3 the first time."""
    first = Path(task[0]) / "first"
    if task[1] == 3 and not first.exists():
        first.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return double(task)
