"""CPU machines as the roofline sees them: sockets, memory bandwidth, and arithmetic by instruction set.

Decode on a CPU reads the weights of one socket's memory; two sockets do not double one stream, so each runs its own
replica. Peaks per core and cycle: AVX-512 fp32 64 FLOP, AVX2 and NEON 32, AMX bf16 2048, AVX-512 bf16 128 (Intel and AMD
optimisation manuals; ServeTheHome and SpareCores for memory channels).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from planner.supply.machines import Machine
from pricing.processors import processor_of

__all__ = ["CpuNumbers", "cpu_numbers"]


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


# For a chip that the facts do not know by its full name: (part of the processor's name, cores a socket, GB/s a socket, all-core GHz, instructions, fp32 and bf16 FLOP per core and cycle)
_PROCESSORS = (
    ("granite rapids", 96, 614.0, 2.7, "amx", 64, 2048),
    ("emerald rapids", 60, 358.0, 2.6, "amx", 64, 2048),
    ("sapphire rapids", 48, 307.0, 2.6, "amx", 64, 2048),
    ("ice lake", 36, 205.0, 2.6, "avx512", 64, 0),
    ("cascade lake", 24, 141.0, 2.7, "avx512", 64, 0),
    ("turin", 96, 576.0, 3.0, "avx512", 64, 128),
    ("genoa", 96, 461.0, 3.0, "avx512", 64, 128),
    ("milan", 64, 205.0, 2.8, "avx2", 32, 0),
    ("rome", 64, 205.0, 2.6, "avx2", 32, 0),
    ("graviton4", 96, 537.0, 2.8, "neon", 32, 128),
    ("graviton3", 64, 307.0, 2.6, "neon", 32, 128),
    ("axion", 72, 537.0, 3.0, "neon", 32, 128),
    ("cobalt", 128, 461.0, 3.0, "neon", 32, 128),
    ("ampere", 80, 205.0, 3.0, "neon", 16, 0),
)
_ARM_UNKNOWN = ("arm", 64, 205.0, 2.6, "neon", 32, 0)
_X86_UNKNOWN = ("x86", 32, 154.0, 2.6, "avx2", 32, 0)
_GB_PER_S_OF_ONE_CORE = 12.0
"""One core's outstanding cache misses bound its stream; measured 10 to 15 GB/s on server parts."""


@lru_cache(maxsize=4096)
def cpu_numbers(machine: Machine) -> CpuNumbers:
    """Return a CPU machine's numbers; an unknown processor counts as a plain older one of its instruction set."""
    cores = machine.physical_cores or (machine.vcpus or 2.0) / 2.0
    chip = processor_of(machine.processor)
    if chip is not None:
        sockets = chip.sockets(cores)
        in_socket = cores / sockets
        bf16 = chip.peak_flop_per_s("bf16", in_socket)
        units = set(chip.extensions)
        return CpuNumbers(
            sockets=sockets,
            cores=in_socket,
            instructions="amx"
            if "amx" in units
            else "avx512"
            if "avx512" in units
            else "avx2"
            if "avx2" in units
            else "neon",
            bandwidth_bytes_per_s=min(chip.memory_bandwidth_gb_per_s, in_socket * _GB_PER_S_OF_ONE_CORE) * 1e9,
            fp32_flop_per_s=chip.peak_flop_per_s("fp32", in_socket) or 0.0,
            bf16_flop_per_s=math.nan if bf16 is None else bf16,
        )
    name = machine.processor.lower()
    known = next((row for row in _PROCESSORS if row[0] in name), None)
    if known is None:
        known = _ARM_UNKNOWN if machine.cpu_arch.startswith(("arm", "aarch")) else _X86_UNKNOWN
    _, socket_cores, socket_gb_per_s, gigahertz, instructions, fp32_per_cycle, bf16_per_cycle = known
    sockets = max(1, math.ceil(cores / socket_cores - 0.05))
    in_socket = cores / sockets
    return CpuNumbers(
        sockets=sockets,
        cores=in_socket,
        instructions=instructions,
        bandwidth_bytes_per_s=min(socket_gb_per_s, in_socket * _GB_PER_S_OF_ONE_CORE) * 1e9,
        fp32_flop_per_s=in_socket * gigahertz * 1e9 * fp32_per_cycle,
        bf16_flop_per_s=in_socket * gigahertz * 1e9 * bf16_per_cycle if bf16_per_cycle else math.nan,
    )
