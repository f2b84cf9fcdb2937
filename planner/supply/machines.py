"""Machines: what the physics sees of an instance type or of a server, and what the money sees of a sized fleet."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from planner.notes import Note
from pricing.accelerator_rows import Accelerator

__all__ = [
    "NORMAL_80_PERCENT",
    "Fleet",
    "Layout",
    "Machine",
    "MemoryUse",
    "OperatingPoint",
    "Performance",
    "Range",
    "Refusal",
    "with_more",
    "with_spares",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One box, rented or owned, without its price.

    Machines are keys: two offers with equal machines are sized once.

    Attributes
    ----------
    accelerator : Accelerator or None
        None for a CPU-only machine.
    accelerator_count : float
        In the box; a fraction where a slice is sold.
    vcpus : float or None
        Hardware threads or cores, as the provider counts them.
    physical_cores : float or None
        Cores, where it is known whether a vCPU is half a core or a whole one.
    memory_gib : float or None
        Host memory.
    processor, cpu_arch : str
        Host chip and instruction set.
    network : str
        What joins boxes: ``infiniband``, ``efa``, ``roce`` (Ethernet with remote direct memory access), ``ethernet`` or
        ``none`` (single machines only).
    network_gb_per_s_each_way : float
        Of the whole box, 1e9 bytes per second each way; 0 where boxes cannot be joined.
    """

    accelerator: Accelerator | None
    accelerator_count: float
    vcpus: float | None = None
    physical_cores: float | None = None
    memory_gib: float | None = None
    processor: str = ""
    cpu_arch: str = ""
    network: str = "ethernet"
    network_gb_per_s_each_way: float = 0.0

    @property
    def label(self) -> str:
        """How a sentence calls it: its accelerators, else its processor."""
        if self.accelerator is None:
            return self.processor or "a CPU machine"
        return f"{self.accelerator_count:g} x {self.accelerator.name}"

    @property
    def slice_share(self) -> float:
        """What counts as one accelerator: a slice is a part of one."""
        return min(1.0, self.accelerator_count) if self.accelerator else 1.0

    @property
    def needs_xla(self) -> bool:
        """Whether it runs programs that were compiled by XLA alone: TPU, Trainium, Inferentia."""
        return self.accelerator is not None and self.accelerator.vendor in {"Google", "AWS"}


NORMAL_80_PERCENT = 1.2816
"""Half the width of a normal distribution's central 80 %, in standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A figure with its 80 % band."""

    low: float
    typical: float
    high: float

    @property
    def spread_log(self) -> float:
        """Standard deviation of the logarithm, of which the band holds the central 80 %."""
        return math.log(self.high / self.low) / (2.0 * NORMAL_80_PERCENT) if self.low > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """What fills the memory of the fullest accelerator (or of the CPU machine), in bytes, item by item.

    Attributes
    ----------
    parts : tuple of (str, float)
        Typical sizes.
    capacity_bytes : float
        What the accelerator holds.
    upper_bytes : float or None
        All items together at the upper end of what varies, by which a fit is judged; None where all is arithmetic.
    """

    parts: tuple[tuple[str, float], ...]
    capacity_bytes: float
    upper_bytes: float | None = None

    @property
    def total_bytes(self) -> float:
        """All items together."""
        return sum(size for _, size in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the work is laid over the accelerators.

    Attributes
    ----------
    tensor, pipeline, data, expert, context : int
        Degrees of parallelism; `data` counts replicas for serving.
    precision, kv_precision : str
        Formats of weights and computation, and of the KV cache (empty where there is none).
    micro_batch : int
        Sequences (or requests in flight) that one replica handles at once.
    stack : str
        The serving stack whose pace is taken (empty for other work).
    techniques : tuple of str
        What made it fit or go faster: ``zero3``, ``recompute``, ``offload`` ...
    """

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    expert: int = 1
    context: int = 1
    precision: str
    kv_precision: str = ""
    micro_batch: int = 1
    stack: str = ""
    techniques: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """One state of a service's fleet: what it does per second, for how many at once, and what their cache takes.

    Attributes
    ----------
    requests_per_s : float
        Answered by the whole fleet.
    output_tokens_per_s : Range
        Generated by the whole fleet.
    concurrency : float
        Requests in flight in the whole fleet.
    kv_cache_tokens : float
        Tokens that the cache holds for them, half of each answer written.
    """

    requests_per_s: float
    output_tokens_per_s: Range
    concurrency: float
    kv_cache_tokens: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """How fast a fleet is, what limits it, and how sure that is.

    Attributes
    ----------
    rate_per_s : Range
        Work done per second by the whole fleet when busy: tokens trained, tokens generated, documents or images.
    rate_unit : str
        ``trained_tokens``, ``output_tokens``, ``documents`` or ``images``.
    tokens_per_s : float or None
        Tokens per second of the whole fleet (input and output for serving's useful work are told apart in notes).
    ttft_ms, tpot_ms : Range or None
        Time to first token and time per further token under the stated load (serving).
    step_s : float or None
        Time of one optimizer step (training) or of one decode step.
    mfu_share : float or None
        Model FLOP per second over dense peak.
    bound : str
        ``compute``, ``memory_bandwidth``, ``memory_size``, ``interconnect``, ``queueing`` or ``stated``.
    basis : str
        ``measured_nearby``, ``calibrated``, ``extrapolated`` or ``stated``.
    evidence : Note or None
        Which measured rows stand behind it.
    at_load, at_capacity : OperatingPoint or None
        A service under the stated load, to which `ttft_ms` and `tpot_ms` belong, and as much as it could do within its limits.
        In a closed loop `rate_per_s` is that under the load, else that at capacity.
    """

    rate_per_s: Range
    rate_unit: str
    tokens_per_s: float | None = None
    ttft_ms: Range | None = None
    tpot_ms: Range | None = None
    step_s: float | None = None
    mfu_share: float | None = None
    bound: str
    basis: str
    evidence: Note | None = None
    at_load: OperatingPoint | None = None
    at_capacity: OperatingPoint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Enough machines of one sort for the work, and how long they are busy.

    Attributes
    ----------
    machine : Machine
        The sort.
    instance_count : int
        Whole machines: those needed at the busiest time, and those that stand by.
    spare_instance_count : int
        Machines of these that stand by: the figures of speed hold with so many of them lost.
    layout : Layout
        How the work lies on them.
    performance : Performance
        How fast that is.
    memory : MemoryUse or None
        What fills the fullest accelerator.
    accelerators_used : float
        Accelerators that work; at most `instance_count` times those in a machine, since whole machines are paid.
    busy_hours_per_run : float or None
        Clock hours of one run of a job, goodput counted; None for work that never ends.
    elastic_share : float
        Share of machine hours that a fleet following the demand from hour to hour pays (1 where it cannot shrink).
    utilisation_share : float
        Busy share of the hours of a fleet that does not shrink.
    late_ratio : float
        Time at the percentile of the limits over its limit, where a simulation finds that no number of machines holds it; else 1.
    notes : tuple of Note
        What the user should know.
    """

    machine: Machine
    instance_count: int
    layout: Layout
    performance: Performance
    memory: MemoryUse | None = None
    accelerators_used: float
    busy_hours_per_run: float | None = None
    elastic_share: float = 1.0
    utilisation_share: float = 1.0
    spare_instance_count: int = 0
    late_ratio: float = 1.0
    notes: tuple[Note, ...] = field(default=())


def with_spares(fleet: Fleet, count: int) -> Fleet:
    """Return a fleet with so many more machines that stand by: they are on and share the work, so that one may fail."""
    if not count:
        return fleet
    ratio = (fleet.instance_count + count) / fleet.instance_count
    return replace(
        fleet,
        instance_count=fleet.instance_count + count,
        spare_instance_count=count,
        accelerators_used=fleet.accelerators_used * ratio,
        elastic_share=(fleet.elastic_share * fleet.instance_count + count) / (fleet.instance_count + count),
        utilisation_share=fleet.utilisation_share / ratio,
    )


def with_more(fleet: Fleet, count: int) -> Fleet:
    """Return a fleet with so many more machines that serve."""
    serving = fleet.instance_count - fleet.spare_instance_count
    ratio, whole = (serving + count) / serving, (fleet.instance_count + count) / fleet.instance_count
    speed = fleet.performance
    rate = Range(**{name: getattr(speed.rate_per_s, name) * ratio for name in ("low", "typical", "high")})
    return replace(
        fleet,
        instance_count=fleet.instance_count + count,
        layout=replace(fleet.layout, data=max(round(fleet.layout.data * ratio), fleet.layout.data)),
        performance=replace(speed, rate_per_s=rate, tokens_per_s=speed.tokens_per_s and speed.tokens_per_s * ratio),
        accelerators_used=fleet.accelerators_used * whole,
        utilisation_share=fleet.utilisation_share / ratio,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a machine cannot do the work.

    Attributes
    ----------
    machine : Machine
        The sort.
    stage : str
        Where it was lost: ``memory``, ``precision``, ``ttft``, ``tpot``, ``total``, ``deadline``, ``interconnect``, ``evidence``, ``max_gpus``, \
``max_replicas``, ``max_machines``.
    reason : Note
        With the figures.
    machines_needed : int or None
        How many such machines the rate or the deadline alone would take, where that is worth telling (CPU machines).
    """

    machine: Machine
    stage: str
    reason: Note
    machines_needed: int | None = None
