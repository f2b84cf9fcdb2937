"""Slices of an accelerator (NVIDIA MIG): what part of one they are, and of which."""

from __future__ import annotations

import re

PROFILE = re.compile(
    r"^(?:(?P<chip>.*?)[._-])?(?:mig[-_])?(?P<parts>\d)g\.(?P<memory>\d+)gb(?:[+.]\w+)?$", re.IGNORECASE
)
PARTS = {"a30": 4}
"""Slices that a chip is divided into; 7 of the others (NVIDIA, MIG User Guide: supported profiles)."""


def slice_of(kind: str) -> tuple[str, float] | None:
    """Return the accelerator of a slice (empty where its name does not tell) and its share; None for a whole one.

    Examples
    --------
    >>> slice_of("a100_3g.20gb"), slice_of("1g.10gb"), slice_of("h100")
    (('a100', 0.42857142857142855), ('', 0.14285714285714285), None)
    """
    match = PROFILE.match(kind.strip())
    if match is None:
        return None
    chip = (match["chip"] or "").removeprefix("nvidia_").removeprefix("NVIDIA-").strip()
    whole = next((parts for name, parts in PARTS.items() if chip.lower().startswith(name)), 7)
    if not chip and int(match["parts"]) * 6 == int(match["memory"]):  # 1g.6gb, 2g.12gb, 4g.24gb are an A30's alone
        chip, whole = "a30", 4
    return chip, min(int(match["parts"]) / whole, 1.0)
