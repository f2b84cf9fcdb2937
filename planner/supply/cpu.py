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
from pricing.processors import processor_of, processors


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


_GB_PER_S_OF_ONE_CORE = 12.0
"""One core's outstanding cache misses bound its stream; measured 10 to 15 GB/s on server parts."""


_PLAIN_NAME_BY_ARCHITECTURE = {"arm": "AWS Graviton2 (Neoverse N1)", "x86": "AMD EPYC 7R32 (Rome)"}
"""An unknown processor counts as a plain older one of its instruction set."""


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
