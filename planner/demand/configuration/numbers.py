"""The numbers of a configuration: read by name, with every fault, and with a list of what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_LARGEST = {
    "layers": 10_000,
    "experts": 100_000,
    "tokens": 2_000_000_000,
    "vocab": 10_000_000,
    "width": 1_000_000,
}
"""Bounds of the numbers of a configuration: some 100 times what exists."""


@dataclass(slots=True)
class Numbers:
    """A configuration's keys; what is read is remembered, so that what was left unread can be named."""

    config: Mapping[str, Any]
    faults: list[str] = field(default_factory=list)
    read: set[str] = field(default_factory=set)

    def get(self, *names: str) -> object:
        """Return what the first stated key says, None where there is none."""
        self.read.update(names)
        return next((self.config[name] for name in names if self.config.get(name) is not None), None)

    def whole(self, *names: str, default: int = 0, kind: str = "width") -> int:
        """Return the first stated key as a whole number; a list of equal numbers (one a layer) counts as one."""
        value, most = self.get(*names), _LARGEST[kind]
        if isinstance(value, list) and len(value) > 1 and len({str(item) for item in value}) == 1:
            value = value[0]
        if value is None:
            return default
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 <= value <= most
            or value != int(value)
        ):
            name = next(name for name in names if self.config.get(name) is not None)
            self.faults.append(f"{name} must be a whole number from 0 to {most:,}, got {str(value)[:40]!r}")
            return default
        return int(value)

    def wholes(self, *names: str) -> list[int]:
        """Return a list of whole numbers, empty where the key is missing or says something else."""
        value = self.get(*names)
        if isinstance(value, str):
            value = [int(word) for word in value.split(",") if word.strip().isdigit()]
        if not isinstance(value, list) or not all(
            isinstance(item, int) and abs(item) <= _LARGEST["tokens"] for item in value
        ):
            return []
        return [int(item) for item in value]

    def within(self, name: str) -> Numbers:
        """Return the numbers of a part of this configuration; its faults are told with these."""
        value = self.get(name)
        return Numbers(value if isinstance(value, Mapping) else {}, self.faults)
