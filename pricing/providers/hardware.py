"""What a machine is made of, as an adapter finds it; the same for every way to pay for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pricing.providers.contract import SHAPE_ERRORS, Normalised, PartFault, RawPage, RefusedRow

__all__ = ["Hardware", "guarded", "read_parts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """An instance type's hardware, in the words of `pricing.offers.Offer`."""

    vcpus: float | None = None
    memory_gib: float | None = None
    processor: str = ""
    cpu_arch: str = ""
    accelerator: str | None = None
    accelerator_stated: str = ""
    accelerator_count: float = 0.0
    accelerator_memory_gb: float | None = None
    flags: tuple[str, ...] = ()

    def fields(self, *flags: str) -> dict[str, Any]:
        """Return the fields of an offer that it fills, with further flags."""
        return {
            "vcpus": self.vcpus,
            "memory_gib": self.memory_gib,
            "processor": self.processor,
            "cpu_arch": self.cpu_arch,
            "accelerator": self.accelerator,
            "accelerator_stated": self.accelerator_stated,
            "accelerator_count": self.accelerator_count,
            "accelerator_memory_gb": self.accelerator_memory_gb,
            "flags": tuple(dict.fromkeys((*self.flags, *(flag for flag in flags if flag)))),
        }


def guarded(part: str, rows: Callable[[], Iterable[Normalised]]) -> Iterator[Normalised]:
    """Read all rows of a part or none: an answer of another shape is a fault of the part, never half a catalogue."""
    try:
        read = list(rows())
    except SHAPE_ERRORS as error:
        yield PartFault.of_shape(part, error)
        return
    yield from read


def read_parts(pages: Iterable[RawPage], rows: Callable[[list[RawPage]], Iterable[Normalised]]) -> Iterator[Normalised]:
    """Read the pages of each part together, `guarded`; a part in which nothing is sold is not believed."""
    parts: dict[str, list[RawPage]] = {}
    for page in pages:
        parts.setdefault(page.part, []).append(page)
    for part, found in parts.items():
        read = list(guarded(part, lambda found=found: rows(found)))  # type: ignore[misc]
        yield from read or [PartFault(part=part, reason="empty", message="the answer holds nothing that is sold")]


def refused(part: str, identity: str, reason: str, message: str) -> RefusedRow:
    """Return a row that is told and not believed."""
    return RefusedRow(part=part, identity=identity, reason=reason, message=message)
