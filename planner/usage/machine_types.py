"""Machine types as bills spell them, with the accelerators they hold, and slices of an accelerator (NVIDIA MIG)."""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from functools import cache

from pricing.facts.instances import accelerator_of, instance_accelerators

PROFILE = re.compile(
    r"^(?:(?P<chip>.*?)[._-])?(?:mig[-_])?(?P<parts>\d)g\.(?P<memory>\d+)gb(?:[+.]\w+)?$", re.IGNORECASE
)
PARTS = {"a30": 4}
"""Slices that a chip is divided into; 7 of the others (NVIDIA, MIG User Guide: supported profiles)."""


_PREFIXES = re.compile(r"^(?:ml\.|standard_|basic_)")
_COUNT_IN_NAME = re.compile(r"-(\d+)[gt](?:-|$)|^bm\.gpu[\w.-]*\.(\d+)$|^vm\.gpu[\w.-]*\.(\d+)$")
_CHIP_IN_NAME = re.compile(r"_[ahv]\d{2,3}s?(?=_v\d)")
"""Azure's meters name the chip where its machine types do not (ND96asr A100 v4)."""


def slice_of(kind: str) -> tuple[str, float] | None:
    """Return the accelerator of a slice (empty where its name does not say) and its share; None for a whole one.

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


def plain_type(instance_type: str) -> str:
    """Return a machine type as all spellings of it agree on.

    Examples
    --------
    >>> plain_type("Standard_ND96isr_H100_v5") == plain_type("ND96isr H100 v5"), plain_type("ml.p5.48xlarge")
    (True, 'p5.48xlarge')
    """
    return _PREFIXES.sub("", re.sub(r"[\s_]+", "_", instance_type.strip().lower()))


@cache
def _patterns(provider: str) -> tuple[tuple[Callable[[str], object], str, float | None], ...]:
    """Return a test for the names that a pattern is of, and its accelerator and count."""
    rows = instance_accelerators(provider)
    return tuple((re.compile(translate(plain_type(row.instance_pattern))).match, row.accelerator, row.accelerator_count) for row in rows)  # fmt: skip


@cache
def machine_of(provider: str, instance_type: str) -> tuple[str, float] | None:
    """Return accelerator and count of a type that no price list holds; None where it has none, or nobody can say.

    Examples
    --------
    >>> machine_of("gcp", "a3-ultragpu-8g"), machine_of("azure", "ND96asr A100 v4"), machine_of("aws", "m7i.large")
    (('H200-SXM', 8.0), ('A100-40GB-SXM', 8.0), None)
    """
    plain = plain_type(instance_type)
    counted = _COUNT_IN_NAME.search(plain)
    in_name = float(next(filter(None, counted.groups()))) if counted else None
    for name in dict.fromkeys((plain, _CHIP_IN_NAME.sub("", plain))):
        for is_of, accelerator, count in _patterns(provider):
            if is_of(name) and (number := count or in_name):
                return accelerator, number
    if in_name is None:
        return None
    gpu, _ = accelerator_of(provider, plain, "", None)
    return (gpu, in_name) if gpu else None
