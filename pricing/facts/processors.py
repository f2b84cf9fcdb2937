"""Processors: what a CPU-only machine can compute, and how fast it reads its memory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType

from pricing.tables import read_facts, refuse_faults, refuse_unless_above_zero


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """One server processor, as a cloud machine sees it.

    Attributes
    ----------
    name : str
        As offers name it in `processor`.
    architecture : str
        Core design (``Sapphire Rapids``, ``Zen 4``, ``Neoverse V2``).
    cores_per_socket : int
        Cores that the largest machine sees on one socket; custom chips show fewer than the public data sheet.
    memory_channels : int
        Of one socket.
    memory_mt_per_s : float
        Speed of one channel; 8 bytes wide.
    sustained_ghz : float
        Clock under wide vector work, the base clock of the data sheet unless `notes` say otherwise.
    fp32_flop_per_cycle, bf16_flop_per_cycle, int8_flop_per_cycle : float or None
        Of one core, the widest unit that it has (AVX-512, AMX, SVE2); a multiply-add counts as two; None without such a unit.
    extensions : tuple of str
        The units behind these figures (``avx512``, ``vnni``, ``amx``).
    weak : bool
        True where the maker publishes no data sheet of this custom part and a sister part stands in.
    source : str
        Who says so.
    retrieved_on : date
        The day on which it was read.
    notes : str
        Traps.
    """

    name: str
    architecture: str
    cores_per_socket: int
    memory_channels: int
    memory_mt_per_s: float
    sustained_ghz: float
    fp32_flop_per_cycle: float
    bf16_flop_per_cycle: float | None = None
    int8_flop_per_cycle: float | None = None
    extensions: tuple[str, ...] = ()
    weak: bool = False
    source: str
    retrieved_on: date
    notes: str = ""

    def __post_init__(self) -> None:
        sizes = ("cores_per_socket", "memory_channels", "memory_mt_per_s", "sustained_ghz")
        rates = ("fp32_flop_per_cycle", "bf16_flop_per_cycle", "int8_flop_per_cycle")
        refuse_faults(refuse_unless_above_zero(self, *sizes, *rates))

    @property
    def memory_bandwidth_gb_per_s(self) -> float:
        """Peak of one socket: channels times transfers times 8 bytes."""
        return self.memory_channels * self.memory_mt_per_s * 8 / 1000

    def peak_flop_per_s(self, precision: str, cores: float) -> float | None:
        """Return the arithmetic peak of some cores.

        Parameters
        ----------
        precision : str
            ``fp32``, ``bf16`` or ``int8``.
        cores : float
            Physical cores, not vCPUs.

        Returns
        -------
        float or None
            Operations per second; None where the cores have no unit for this precision.

        Examples
        --------
        >>> chip = processor_of("Intel Xeon 8488C (Sapphire Rapids)")
        >>> chip.peak_flop_per_s("bf16", 32) / chip.peak_flop_per_s("fp32", 32)  # AMX over AVX-512
        32.0
        """
        per_cycle: float | None = getattr(self, f"{precision}_flop_per_cycle")
        return None if per_cycle is None else per_cycle * cores * self.sustained_ghz * 1e9

    def sockets(self, cores: float) -> int:
        """Return over how many sockets some cores are spread; each socket has its own memory channels."""
        return max(1, -(-int(cores) // self.cores_per_socket))


@cache
def processors() -> Mapping[str, Processor]:
    """Return every known processor by the name that offers use."""
    return MappingProxyType({row.name: row for row in read_facts(Processor, "processors.csv")})


@cache
def processor_of(name: str) -> Processor | None:
    """Return the processor that an offer names, None where it is not known.

    Clouds spell one chip in several ways (``Intel Xeon Platinum 8488C``, ``AMD EPYC 7R13 Processor``). Where no name is the
    same, a part number that both share decides, then a code name or core design; of several, the slowest answers.

    Examples
    --------
    >>> processor_of("Intel Xeon Platinum 8488C").name
    'Intel Xeon 8488C (Sapphire Rapids)'
    >>> processor_of("Intel Xeon Scalable (Emerald Rapids)").architecture
    'Emerald Rapids'
    >>> processor_of("MOS 6502") is None
    True
    """
    chips = processors()
    if name in chips:
        return chips[name]
    for marks in (_part_numbers, _code_names):
        alike = [chip for chip in chips.values() if any(mark in name.lower() for mark in marks(chip))]
        if alike:
            return min(alike, key=lambda chip: (chip.memory_bandwidth_gb_per_s, chip.sustained_ghz, chip.name))
    return None


def _part_numbers(chip: Processor) -> list[str]:
    return re.findall(r"[0-9][0-9a-z]{3,}(?:-[a-z])?|graviton[0-9]|cobalt|axion|altra", chip.name.lower())


def _code_names(chip: Processor) -> list[str]:
    return [*re.findall(r"\(([^)]+)\)", chip.name.lower()), chip.architecture.lower()]
