"""Asking: a question to the child process, within a time limit, and its answer or a sentence why there is none."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.second_opinion.opinion import FIGURES
from planner.second_opinion.question import Question

__all__ = ["LIMIT_S", "Figures", "ask"]

LIMIT_S = 60.0
"""Usually it answers in ten seconds, most of which is reading its tables."""
NOT_INSTALLED = "aiconfigurator is not installed; pip install 'gpuplan[aic]'"
_CHILD = Path(__file__).with_name("child.py")
_NO_NETWORK = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_ENDPOINT": "http://127.0.0.1:9",
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "PYTHONWARNINGS": "ignore",
}
"""A plan never touches the network; port 9 discards."""
_LONGEST_REASON = 160
_MOST_TEXT = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What aiconfigurator says of one replica: its own version, the engine that it speaks of, and the values by name."""

    version: str
    engine: str
    values: Mapping[str, float]
    warning: str = ""


def ask(question: Question, *, limit_s: float = LIMIT_S) -> Figures | str:
    """Return the answer, or a sentence why there is none; nothing that the child does raises here.

    Parameters
    ----------
    question : Question
        What is asked.
    limit_s : float
        Seconds after which the child and whatever it started are ended.
    """
    # -P: a file of that name in the user's folder, or a module of ours, is not what is meant.
    command = [sys.executable, "-P", str(_CHILD)]
    try:
        child = subprocess.Popen(  # noqa: S603  our own file, by our own Python
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            env={**os.environ, **_NO_NETWORK},
        )  # fmt: skip
    except OSError as error:
        return f"aiconfigurator could not be started: {error}"
    try:
        out, noise = child.communicate(json.dumps(question.record()).encode(), timeout=limit_s)
    except subprocess.TimeoutExpired:
        _end(child)
        return f"aiconfigurator did not answer within {limit_s:g} s"
    except BaseException:
        _end(child)
        raise
    if child.returncode != 0:
        return f"aiconfigurator broke off ({_last_line(noise) or f'exit status {child.returncode}'})"
    return _read(out)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and what it started."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        child.kill()
    child.communicate()


def _last_line(noise: bytes) -> str:
    lines = noise[-_MOST_TEXT:].decode("utf-8", "replace").split("\n")
    text = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return text[:_LONGEST_REASON]


def _read(out: bytes) -> Figures | str:
    """Return the child's answer as ours, or why not."""
    unreadable = "aiconfigurator's answer could not be read"
    try:
        found: Any = json.loads(out[:_MOST_TEXT])
    except ValueError:
        return unreadable
    if not isinstance(found, dict):
        return unreadable
    if "missing" in found:
        name = str(found["missing"])
        if name.split(".", maxsplit=1)[0] == "aiconfigurator":
            return NOT_INSTALLED
        return f"aiconfigurator lacks a package of its own, {name}; pip install 'gpuplan[aic]'"
    if "refused" in found:
        reasons = [str(reason) for reason in found["refused"]] if isinstance(found["refused"], list) else []
        return f"aiconfigurator does not cover this: {' '.join((reasons or [''])[0].split())[:_LONGEST_REASON]}"
    try:
        values = {name: float(found[name]) for name in FIGURES}
    except (KeyError, TypeError, ValueError):
        return unreadable
    if not all(math.isfinite(value) and value > 0 for value in values.values()):
        return unreadable
    return Figures(
        version=str(found.get("version", ""))[:40],
        engine=str(found.get("engine", ""))[:40],
        warning=str(found.get("warning", ""))[:_LONGEST_REASON],
        values=values,
    )
