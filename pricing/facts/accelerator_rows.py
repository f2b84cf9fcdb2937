"""What the data sheets say of an accelerator, and the parts into which one is cut."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from pricing.errors import PricingError
from pricing.tables import (
    read_facts,
    refuse_faults,
    refuse_unless_above_zero,
    refuse_unless_known,
    refuse_unless_not_negative,
)

MARKET_CLASSES = ("datacenter", "workstation", "consumer")
RATES = tuple(
    """
    fp32_dense_tflop_per_s tf32_dense_tflop_per_s bf16_dense_tflop_per_s fp16_dense_tflop_per_s
    fp8_dense_tflop_per_s int8_dense_tflop_per_s fp4_dense_tflop_per_s measured_bf16_gemm_tflop_per_s
    measured_fp8_gemm_tflop_per_s
""".split()
)
"""Fields that hold an arithmetic rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One accelerator as its data sheet states it; all rates are dense, without 2:4 sparsity.

    Attributes
    ----------
    name : str
        Canonical name, told apart by memory and form factor (``A100-80GB-SXM``).
    vendor, architecture, market_class : str
        Maker, generation, and ``datacenter``, ``workstation`` or ``consumer``.
    memory_gib, memory_nominal_gb : float
        Memory that the driver reports (2**30 bytes), and the marketing size (1e9 bytes).
    memory_bandwidth_gb_per_s : float
        1e9 bytes per second.
    fp32_dense_tflop_per_s, tf32_dense_tflop_per_s, bf16_dense_tflop_per_s, fp16_dense_tflop_per_s, \
fp8_dense_tflop_per_s, int8_dense_tflop_per_s, fp4_dense_tflop_per_s : float or None
        1e12 operations per second; None where the chip has no such unit.
    measured_bf16_gemm_tflop_per_s, measured_fp8_gemm_tflop_per_s : float or None
        Best matrix product that someone published a measurement of.
    scale_up_gb_per_s_both_ways : float
        NVLink or the vendor's own fabric per accelerator, both directions together; 0 without one.
    scale_up_count : int
        Accelerators in one fast domain; 1 without one.
    pcie_generation : int or None
        PCI Express generation.
    tdp_w : float or None
        Board power.
    launch_year : int
        Year of launch.
    list_price_usd : float or None
        Launch list price or street estimate; soft.
    source : str
        Who says so.
    retrieved_on : date
        The day on which it was read.
    notes : str
        Traps.

    Raises
    ------
    PricingError
        A row that cannot be, all its faults at once.
    """

    name: str
    vendor: str
    architecture: str
    market_class: str
    memory_gib: float
    memory_nominal_gb: float
    memory_bandwidth_gb_per_s: float
    fp32_dense_tflop_per_s: float | None = None
    tf32_dense_tflop_per_s: float | None = None
    bf16_dense_tflop_per_s: float | None = None
    fp16_dense_tflop_per_s: float | None = None
    fp8_dense_tflop_per_s: float | None = None
    int8_dense_tflop_per_s: float | None = None
    fp4_dense_tflop_per_s: float | None = None
    measured_bf16_gemm_tflop_per_s: float | None = None
    measured_fp8_gemm_tflop_per_s: float | None = None
    scale_up_gb_per_s_both_ways: float = 0.0
    scale_up_count: int = 1
    pcie_generation: int | None = None
    tdp_w: float | None = None
    launch_year: int
    list_price_usd: float | None = None
    source: str
    retrieved_on: date
    notes: str = ""

    def __post_init__(self) -> None:
        memory = ("memory_gib", "memory_nominal_gb", "memory_bandwidth_gb_per_s")
        others = ("scale_up_count", "pcie_generation", "tdp_w", "list_price_usd")
        faults = refuse_unless_above_zero(self, *memory, *RATES, *others)
        faults += refuse_unless_not_negative(self, "scale_up_gb_per_s_both_ways")
        faults += refuse_unless_known(self, "market_class", MARKET_CLASSES)
        if not self.name:
            faults.append("name must not be empty")
        if not self.source:
            faults.append("source must not be empty")
        if not 1990 <= self.launch_year <= 2100:
            faults.append(f"launch_year must be a year, got {self.launch_year}")
        # 2**30 bytes are 7 % more than 1e9: a driver never reports more GiB than the box promises GB.
        if self.memory_gib > self.memory_nominal_gb:
            faults.append(f"memory_gib {self.memory_gib:g} is more than memory_nominal_gb {self.memory_nominal_gb:g}")
        refuse_faults(faults)

    @property
    def memory_bytes(self) -> float:
        """Memory that the driver reports, in bytes."""
        return self.memory_gib * 2**30

    def dense_flop_per_s(self, precision: str) -> float | None:
        """Return the dense rate in a number format; weight-only formats (int8, int4, nf4) are multiplied in 16 bit.

        Examples
        --------
        >>> from pricing.facts.accelerators import accelerators
        >>> accelerators()["H100-SXM"].dense_flop_per_s("fp8")
        1979000000000000.0
        """
        rate = {
            "fp32": self.fp32_dense_tflop_per_s,
            "fp8": self.fp8_dense_tflop_per_s,
            "fp4": self.fp4_dense_tflop_per_s,
        }.get(precision, self.bf16_dense_tflop_per_s or self.fp16_dense_tflop_per_s)
        return None if rate is None else rate * 1e12


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of an accelerator that is used, or sold, as if it were one.

    Attributes
    ----------
    accelerator, profile : str
        The whole, and the name of the part: a MIG profile (``3g.40gb``) or a machine type that a cloud sells.
    kind : str
        ``mig`` (parted in hardware) or ``vgpu`` (shared over time).
    compute_share, bandwidth_share : float
        Its parts of the arithmetic and of the memory bandwidth; arithmetic by multiprocessors, where these are known.
    memory_gib : float
        Memory that the driver reports.
    max_instances : int or None
        How many of them the whole holds.
    source : str
        Who says so.
    retrieved_on : date
        The day on which it was read.
    notes : str
        Traps.
    """

    accelerator: str
    profile: str
    kind: str
    compute_share: float
    memory_gib: float
    bandwidth_share: float
    max_instances: int | None = None
    source: str
    retrieved_on: date
    notes: str = ""

    def __post_init__(self) -> None:
        faults = refuse_unless_above_zero(self, "compute_share", "memory_gib", "bandwidth_share", "max_instances")
        refuse_faults(faults + refuse_unless_known(self, "kind", ("mig", "vgpu")))


def slices() -> tuple[Slice, ...]:
    """Return the parts into which accelerators are cut."""
    return read_facts(Slice, "accelerator_slices.csv")


def slice_of(whole: Accelerator, profile: str) -> Accelerator:
    """Return a part of an accelerator as an accelerator of its own.

    Raises
    ------
    PricingError
        The accelerator is not cut into such parts; those that it is cut into are told.

    Examples
    --------
    >>> from pricing.facts.accelerators import accelerators
    >>> part = slice_of(accelerators()["H100-SXM"], "3g.40gb")
    >>> part.memory_bandwidth_gb_per_s, round(part.bf16_dense_tflop_per_s)
    (1675.0, 450)
    """
    parts = {part.profile.lower(): part for part in slices() if part.accelerator == whole.name}
    part = parts.get(profile.strip().lower())
    if part is None:
        raise PricingError(
            f"{whole.name} has no part {profile[:40]!r}"
            + (f"; it is cut into {', '.join(parts)}" if parts else ": it is sold whole"),
            hint="name the whole accelerator, or one of its parts: h100-sxm/3g.40gb",
        )
    rates: dict[str, float | None] = {
        field: None if getattr(whole, field) is None else getattr(whole, field) * part.compute_share
        for field in (*RATES, "tdp_w")
    }
    return replace(
        whole,
        name=f"{whole.name}/{part.profile}",
        memory_gib=part.memory_gib,
        memory_nominal_gb=max(part.memory_gib, whole.memory_nominal_gb * part.memory_gib / whole.memory_gib),
        memory_bandwidth_gb_per_s=whole.memory_bandwidth_gb_per_s * part.bandwidth_share,
        **rates,  # type: ignore[arg-type]  # numbers alone
        scale_up_gb_per_s_both_ways=0.0,
        scale_up_count=1,
        list_price_usd=None,
        source=part.source,
        retrieved_on=part.retrieved_on,
        notes=part.notes,
    )
