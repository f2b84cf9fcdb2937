"""Slurm batch scripts: the accelerators and hours that a job asks for."""

from __future__ import annotations

import re

from planner.intake.draft import Draft
from planner.intake.machines import draft_of_machines, gpu_named

SHORT = {"N": "nodes", "t": "time", "a": "array", "G": "gpus", "n": "ntasks"}
LINE = re.compile(r"^#SBATCH\s+(?:--([\w-]+)(?:[=\s]+(\S+))?|-(\w)\s*(\S+)?)", re.MULTILINE)


def draft_of_sbatch(text: str) -> Draft:
    """Return the GPU hours of one submission of a script, as if it ran once a month.

    Parameters
    ----------
    text : str
        The script.
    """
    options = {(long or SHORT.get(short, short)): value or other for long, value, short, other in LINE.findall(text)}
    nodes = int((re.match(r"\d+", options.get("nodes", "1").split("-")[-1]) or ["1"])[0])
    name, count = _gpus(options, nodes)
    runs = _array_runs(options.get("array", ""))
    hours = slurm_hours(options.get("time", ""))
    remarks = []
    if runs > 1:
        remarks.append(f"{runs:,} runs (--array), counted one after the other.")
    if hours:
        remarks.append(
            f"{hours * runs:,.4g} hours, the most that one submission may take (--time); counted once a month."
        )
    else:
        remarks.append("The script states no --time that can be read.")
    if hours and hours * runs > 730:
        remarks.append("That is more than the 730 hours of a month: more run at the same time, or it takes longer.")
    machines = [(name, count)] if count else []
    return draft_of_machines(machines, remarks, hours=hours * runs if hours else None)


def _gpus(options: dict[str, str], nodes: int) -> tuple[str, float]:
    """Return the accelerator, and how many all nodes take together."""
    for key, per in (("gpus", 1), ("gpus-per-node", nodes), ("gpus-per-task", int(options.get("ntasks", "1") or 1))):
        if key in options:
            return _named(options[key], per)
    for part in options.get("gres", "").split(","):
        if part.startswith("gpu"):
            return _named(part.removeprefix("gpu").removeprefix(":") or "1", nodes)
    return "", 0.0


def _named(value: str, copies: int) -> tuple[str, float]:
    """Return ``a100:4`` or ``4`` as a name and a count."""
    first = value.split(",", maxsplit=1)[0].partition("(")[0]
    name, _, count = first.rpartition(":")
    if not count.isdigit():
        name, count = count, "1"
    return (gpu_named(name) if name else ""), float(count) * copies


def _array_runs(array: str) -> int:
    """Return how many runs an array has.

    Examples
    --------
    >>> _array_runs("0-9%2"), _array_runs("1,3,5"), _array_runs("0-10:2"), _array_runs("")
    (10, 3, 6, 1)
    """
    runs = 0
    for part in array.partition("%")[0].split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+)(?::(\d+))?)?", part)
        if match:
            first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
            runs += max(0, (last - first) // max(step, 1) + 1)
    return max(runs, 1)


def slurm_hours(text: str) -> float:
    """Return a time limit in hours; 0 where it cannot be read.

    Examples
    --------
    >>> slurm_hours("1-12:00:00"), slurm_hours("90"), slurm_hours("4:30:00"), slurm_hours("UNLIMITED")
    (36.0, 1.5, 4.5, 0.0)
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", text)
    if not match:
        return 0.0
    days, first, second, third = (int(digits) if digits else None for digits in match.groups())
    if days is not None:
        return days * 24 + (first or 0) + (second or 0) / 60 + (third or 0) / 3600
    if third is not None:
        return (first or 0) + (second or 0) / 60 + third / 3600
    return (first or 0) / 60 + (second or 0) / 3600
