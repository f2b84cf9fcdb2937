"""Hardware: machines as columns of numbers in base units, so that one formula sizes them all at once; CPU machines by socket.

Decode on a CPU reads the weights of one socket's memory; two sockets do not double one stream, so each runs its own
replica. Peaks per core and cycle: AVX-512 fp32 64 FLOP, AVX2 and NEON 32, AMX bf16 2048, AVX-512 bf16 128 (Intel and AMD
optimization manuals; ServeTheHome and SpareCores for memory channels).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray, IntArray
from planner.demand.formats import FORMATS
from planner.supply.machines import Machine
from pricing.facts.processors import processor_of, processors

_GB_PER_S_OF_ONE_CORE = 12.0
"""One core's outstanding cache misses bound its stream; measured 10 to 15 GB/s on server parts."""
_PLAIN_NAME_BY_ARCHITECTURE = {"arm": "AWS Graviton2 (Neoverse N1)", "x86": "AMD EPYC 7R32 (Rome)"}
"""An unknown processor counts as a plain older one of its instruction set."""
_PCIE_GB_PER_S_EACH_WAY = {3: 16.0, 4: 31.0, 5: 63.0, 6: 121.0}
_WIDENED = frozenset({"fp8", "fp4"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuNumbers:
    """What a CPU machine brings, per socket.

    Attributes
    ----------
    sockets : int
        Sockets whose cores the machine has, at least 1.
    cores : float
        Physical cores of the machine in one of them.
    instructions : str
        ``amx``, ``avx512``, ``avx2`` or ``neon``: the key of its calibration.
    bandwidth_bytes_per_s : float
        Memory bandwidth that these cores can draw.
    fp32_flop_per_s, bf16_flop_per_s : float
        Peaks of these cores; bf16 is NaN without such instructions.
    """

    sockets: int
    cores: float
    instructions: str
    bandwidth_bytes_per_s: float
    fp32_flop_per_s: float
    bf16_flop_per_s: float


@lru_cache(maxsize=4096)
def cpu_numbers(machine: Machine) -> CpuNumbers:
    """Return a CPU machine's numbers; an unknown processor counts as a plain older one of its instruction set."""
    cores = machine.physical_cores or (machine.vcpus or 2.0) / 2.0
    chip = processor_of(machine.processor)
    if chip is None:
        is_arm = machine.cpu_arch.startswith(("arm", "aarch"))
        chip = processors()[_PLAIN_NAME_BY_ARCHITECTURE["arm" if is_arm else "x86"]]
    sockets = chip.sockets(cores)
    in_socket = cores / sockets
    bf16 = chip.peak_flop_per_s("bf16", in_socket)
    return CpuNumbers(
        sockets=sockets,
        cores=in_socket,
        instructions=next((unit for unit in ("amx", "avx512", "avx2") if unit in chip.extensions), "neon"),
        bandwidth_bytes_per_s=min(chip.memory_bandwidth_gb_per_s, in_socket * _GB_PER_S_OF_ONE_CORE) * 1e9,
        fp32_flop_per_s=chip.peak_flop_per_s("fp32", in_socket) or 0.0,
        bf16_flop_per_s=math.nan if bf16 is None else bf16,
    )


def math_format(precision: str) -> str:
    """Return the format in which a weight format is multiplied where the chip can; int8, int4 and similar formats are weight-only, so 16 bit.

    Examples
    --------
    >>> math_format("fp8"), math_format("mxfp4"), math_format("int4")
    ('fp8', 'fp4', '16')
    """
    return FORMATS[precision].arithmetic


@dataclass(frozen=True, eq=False, kw_only=True)
class Hardware:
    """Columns of numbers, one entry per machine; rates per accelerator (per socket of a CPU machine).

    Attributes
    ----------
    count : IntArray
        Accelerators (or sockets) in a machine that can each hold work; a slice counts as one small accelerator.
    memory_bytes, bandwidth_bytes_per_s : FloatArray
        Per accelerator; of a CPU machine the socket's part of host memory.
    fp32_flop_per_s, bf16_flop_per_s, fp16_flop_per_s, fp8_flop_per_s, fp4_flop_per_s : FloatArray
        Dense peaks, NaN where the chip lacks the unit.
    scale_up_bytes_per_s, scale_up_count : FloatArray, IntArray
        Fast fabric each way per accelerator, and accelerators in one domain inside of the machine.
    pcie_bytes_per_s : FloatArray
        Each way, for pairs outside of the fast domain.
    network_bytes_per_s : FloatArray
        Of the whole machine each way; 0 where machines cannot be joined.
    is_rdma, is_cpu : NDArray of bool
        InfiniBand or EFA rather than plain Ethernet; a CPU machine.
    row : IntArray
        Index of the machine in the sequence that was given.
    """

    count: IntArray
    memory_bytes: FloatArray
    bandwidth_bytes_per_s: FloatArray
    fp32_flop_per_s: FloatArray
    bf16_flop_per_s: FloatArray
    fp16_flop_per_s: FloatArray
    fp8_flop_per_s: FloatArray
    fp4_flop_per_s: FloatArray
    scale_up_bytes_per_s: FloatArray
    scale_up_count: IntArray
    pcie_bytes_per_s: FloatArray
    network_bytes_per_s: FloatArray
    host_memory_bytes: FloatArray
    is_rdma: NDArray[np.bool_]
    is_cpu: NDArray[np.bool_]
    row: IntArray

    def take(self, index: NDArray[np.intp] | IntArray) -> Hardware:
        """Return the entries at `index` (repeats allowed), as numpy.take does."""
        return Hardware(**{item.name: getattr(self, item.name)[index] for item in fields(self)})

    def column(self) -> Hardware:
        """Return the same with every array shaped (n, 1), to be combined with a row of batch sizes."""
        return Hardware(**{item.name: getattr(self, item.name)[:, None] for item in fields(self)})

    def flop_per_s(self, precision: str) -> FloatArray:
        """Return the dense peak of the arithmetic that `precision` is computed in; NaN where the chip has none.

        16-bit arithmetic of weight-only formats takes whichever 16-bit format the chip has.
        """
        form = math_format(precision)
        if form == "16":
            return self.flop16_per_s()
        return np.asarray(getattr(self, f"{form}_flop_per_s"), dtype=float)

    def widened_flop_per_s(self, precision: str) -> FloatArray:
        """Return the dense peak for weights stored in `precision`: a chip without that arithmetic widens them to 16 bit.

        NaN where no kernel does: 8- and 4-bit floating weights are widened on chips with bfloat16 (the Marlin kernels of vLLM,
        Ampere and later), not before.
        """
        if precision not in self._widened:
            self._widened[precision] = self._widen(precision)
        return self._widened[precision]

    @cached_property
    def _widened(self) -> dict[str, FloatArray]:
        """What `widened_flop_per_s` has come to, by format."""
        return {}

    def _widen(self, precision: str) -> FloatArray:
        own, form = self.flop_per_s(precision), math_format(precision)
        widened = np.where(np.isnan(self.bf16_flop_per_s) | (form not in _WIDENED), own, self.flop16_per_s())
        return np.asarray(
            np.where(self.is_cpu, self.flop16_per_s(), np.where(np.isnan(own), widened, own)), dtype=float
        )

    def flop16_per_s(self) -> FloatArray:
        """Return the dense 16-bit peak: bfloat16 where the chip has it, else half precision, else single."""
        best = np.where(np.isnan(self.bf16_flop_per_s), self.fp16_flop_per_s, self.bf16_flop_per_s)
        return np.asarray(np.where(np.isnan(best), self.fp32_flop_per_s, best), dtype=float)


def _tera(value: float | None) -> float:
    return math.nan if value is None else value * 1e12


def _numbers(machine: Machine, row: int) -> tuple[float, ...]:
    """Return one machine's entries in the order of the fields of `Hardware`."""
    network = machine.network_gb_per_s_each_way * 1e9 if machine.network != "none" else 0.0
    host = (machine.memory_gib or 0.0) * 2**30
    rdma = machine.network in {"infiniband", "efa", "roce"}
    chip = machine.accelerator
    if chip is None:
        cpu = cpu_numbers(machine)
        return (
            cpu.sockets,
            host / cpu.sockets if host else 0.0,
            cpu.bandwidth_bytes_per_s,
            cpu.fp32_flop_per_s,
            cpu.bf16_flop_per_s,
            math.nan,
            math.nan,
            math.nan,
            0.0,
            1,
            0.0,
            network,
            host,
            rdma,
            True,
            row,
        )
    whole = max(1, math.floor(machine.accelerator_count + 1e-9))
    slice_share = machine.slice_share
    tf32 = chip.tf32_dense_tflop_per_s or chip.fp32_dense_tflop_per_s
    return (
        whole,
        chip.memory_gib * 2**30 * slice_share,
        chip.memory_bandwidth_gb_per_s * 1e9 * slice_share,
        _tera(tf32) * slice_share,
        _tera(chip.bf16_dense_tflop_per_s) * slice_share,
        _tera(chip.fp16_dense_tflop_per_s) * slice_share,
        _tera(chip.fp8_dense_tflop_per_s) * slice_share,
        _tera(chip.fp4_dense_tflop_per_s) * slice_share,
        chip.scale_up_gb_per_s_both_ways / 2 * 1e9,
        max(1, chip.scale_up_count),
        _PCIE_GB_PER_S_EACH_WAY.get(chip.pcie_generation or 3, 16.0) * 1e9,
        network,
        host,
        rdma,
        False,
        row,
    )


def hardware(machines: Sequence[Machine]) -> Hardware:
    """Return the columns of `machines`, in their order."""
    names = [item.name for item in fields(Hardware)]
    integers, flags = {"count", "scale_up_count", "row"}, {"is_rdma", "is_cpu"}
    columns = list(zip(*(_numbers(machine, row) for row, machine in enumerate(machines)), strict=True))
    kinds = {name: np.int64 if name in integers else np.bool_ if name in flags else np.float64 for name in names}
    if not columns:
        return Hardware(**{name: np.empty(0, dtype=kinds[name]) for name in names})
    return Hardware(
        **{name: np.asarray(column, dtype=kinds[name]) for name, column in zip(names, columns, strict=True)}
    )
