"""What a machine is made of, as an adapter finds it; the same for every way to pay for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pricing.instances import accelerator_of
from pricing.providers.contract import Normalised, PartFault, RefusedRow

__all__ = ["Hardware", "guarded", "hardware_of"]


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


def hardware_of(
    provider: str,
    instance_type: str,
    *,
    vcpus: float | None = None,
    memory_gib: float | None = None,
    processor: str = "",
    cpu_arch: str = "",
    stated: str = "",
    count: float = 0.0,
    memory_gb: float | None = None,
) -> Hardware:
    """Return the hardware with its accelerator under the canonical name; an unknown one is kept as stated.

    Parameters
    ----------
    provider, instance_type : str
        The provider's own names.
    vcpus, memory_gib, processor, cpu_arch
        Of the host; where the bundled facts name the chip of this instance type, theirs is more exact than any source's.
    stated : str
        The accelerator as the source names it; empty for a CPU-only instance.
    count : float
        How many; a fraction where a slice is sold.
    memory_gb : float or None
        Memory of one accelerator, or of the slice, 1e9 bytes.
    """
    from pricing.providers.known import known_processor

    chip = known_processor(provider, instance_type) or processor
    host = {"vcpus": vcpus or None, "memory_gib": memory_gib or None, "processor": chip, "cpu_arch": cpu_arch}
    if not count:
        return Hardware(**host)  # type: ignore[arg-type]
    name, flags = accelerator_of(provider, instance_type, stated, memory_gb, min(count, 1.0))
    return Hardware(
        **host,  # type: ignore[arg-type]
        accelerator=name,
        accelerator_stated=stated or "unknown",
        accelerator_count=count,
        accelerator_memory_gb=memory_gb,
        flags=flags,
    )


def guarded(part: str, rows: Callable[[], Iterable[Normalised]]) -> Iterator[Normalised]:
    """Read all rows of a part or none: an answer of another shape is a fault of the part, never half a catalogue."""
    try:
        read = list(rows())
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        message = f"the answer has another shape than this reader knows: {type(error).__name__}: {error}"
        yield PartFault(part=part, reason="shape", message=message)
        return
    yield from read


def refused(part: str, identity: str, reason: str, message: str) -> RefusedRow:
    """Return a row that is told and not believed."""
    return RefusedRow(part=part, identity=identity, reason=reason, message=message)
