"""Machines that are named in others' files: which accelerators they hold, and GPU hours out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from planner.intake.draft import Draft
from pricing.accelerators import resolve, resolve_all
from pricing.errors import PricingError
from pricing.instances import machine_type


def gpu_named(text: str) -> str:
    """Return an accelerator as a workload names it; the text itself where several or none are called so.

    Examples
    --------
    >>> gpu_named("NVIDIA-H100-80GB-HBM3"), gpu_named("nvidia-tesla-t4"), gpu_named("h100")
    ('H100-SXM', 'T4', 'H100')
    """
    word = re.sub(r"^nvidia[-_]?(tesla[-_])?", "", text.strip(), flags=re.IGNORECASE)
    for spelling in (text, word):
        try:
            return resolve(spelling)[0].name
        except PricingError:
            continue
    return word.upper()


def gpus_of_machine(name: str) -> tuple[str, float] | None:
    """Return the accelerator of a cloud's machine type, and how many are in it; None for one without, or unknown."""
    accelerator_and_count = machine_type(name)
    return None if accelerator_and_count is None else (accelerator_and_count[0].name, accelerator_and_count[1])


def draft_of_machines(
    machines: Iterable[tuple[str, float]], remarks: Iterable[str] = (), hours: float | None = None
) -> Draft:
    """Return GPU hours out of accelerators and how many there are.

    Parameters
    ----------
    machines : iterable of (str, float)
        Accelerators by name; the most numerous sort becomes the workload, the others a remark.
    remarks : iterable of str
        What else is known.
    hours : float, optional
        Hours a month in which they are used.
    """
    counts: dict[str, float] = {}
    for name, count in machines:
        counts[name] = counts.get(name, 0.0) + count
    sorts = sorted(counts.items(), key=lambda item: -item[1])
    work: dict[str, object] = {}
    notes = list(remarks)
    if sorts:
        name, count = sorts[0]
        if name:
            work["gpu"] = name
            notes += [f"Several accelerators are called {name}: say which."] if _is_vague(name) else []
        work["count"] = max(1, round(count))
        notes += [f"Not counted here: {other_count:g} x {other}." for other, other_count in sorts[1:]]
    if hours is not None:
        work["hours_per_month"] = min(round(hours, 2), 730.0)
    return Draft("gpu_hours", {}, work, tuple(notes))


def _is_vague(name: str) -> bool:
    try:
        return len(resolve_all(name)) > 1
    except PricingError:
        return True
