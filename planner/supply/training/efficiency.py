"""What of a data sheet's arithmetic lasts in training: sustained matrix products, power limits, and lost hours (goodput)."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.supply.machines import Machine
from pricing.facts.accelerator_rows import Accelerator
from pricing.facts.accelerators import accelerators

_USUAL_CEILING_SHARE = 0.8
"""Best matrix product over peak where nobody measured one: H100 0.80, B200 0.78, A100 0.87 (stas00/ml-engineering, MAMF)."""
_HOST_BYTES_PER_S = 200e9
"""What the processors of a machine read and write while they update states: half the peak of two sockets."""
_PCIE_SHARE = 0.6
_PASSES = 3.0
"""Forward, recomputed and backward."""


def goodput_share(accelerators: ArrayLike, assumptions: Assumptions) -> FloatArray:
    """Return productive over clock time: evaluation and checkpoints, and failures that grow with the accelerators.

    ``G = g - n x (failures per accelerator and day) x (hours lost each) / 24``, at least a tenth. Source of the failure rate:
    the Llama 3 report (arXiv:2407.21783), one interruption per about 2,000 accelerator days.

    Examples
    --------
    >>> from planner.assumptions import default_assumptions
    >>> round(float(goodput_share(16384, default_assumptions())), 2)
    0.78
    """
    lost = (
        np.asarray(accelerators, dtype=float)
        * assumptions["perf.failures_per_accelerator_day"]
        * assumptions["perf.restart_hours"]
        / 24.0
    )
    return np.asarray(np.maximum(assumptions["perf.training_goodput_share"] - lost, 0.1), dtype=float)


def _measured_share(chip: Accelerator) -> float | None:
    best, peak = chip.measured_bf16_gemm_tflop_per_s, chip.bf16_dense_tflop_per_s
    return best / peak if best and peak else None


@cache
def _ceiling_share(name: str) -> float:
    chip = accelerators()[name]
    measured = _measured_share(chip)
    if measured is not None:
        return measured
    if not chip.tdp_w or not chip.bf16_dense_tflop_per_s:
        return _USUAL_CEILING_SHARE
    watts = chip.tdp_w / chip.bf16_dense_tflop_per_s
    peers = [
        (abs(watts - other.tdp_w / other.bf16_dense_tflop_per_s), share, other.tdp_w / other.bf16_dense_tflop_per_s)
        for other in accelerators().values()
        if other.architecture == chip.architecture
        and other.tdp_w
        and other.bf16_dense_tflop_per_s
        and (share := _measured_share(other)) is not None
    ]
    if not peers:
        return _USUAL_CEILING_SHARE
    _, share, reference = min(peers)
    return float(share * min(1.0, watts / reference) ** 0.5)


def matmul_ceiling_share(machine: Machine) -> float:
    """Return the best matrix product over the peak of the data sheet, 16 bit.

    Measured where somebody did. Else that of the chip's generation, less where fewer watts feed each FLOP: clocks fall with
    the power, and the rate with about the square root of it (an A100 of 250 W against one of 400 W: 0.81 and 0.87 of peak).

    Examples
    --------
    >>> def box(name):
    ...     return Machine(accelerator=accelerators()[name], accelerator_count=8)
    >>> [round(matmul_ceiling_share(box(name)), 2) for name in ("H100-SXM", "H100-PCIe", "MI300X")]
    [0.8, 0.65, 0.51]
    """
    chip = machine.accelerator
    if chip is None or chip.name not in accelerators():
        return _USUAL_CEILING_SHARE
    return _ceiling_share(chip.name)


def streamed_weights_s(
    weight_bytes: float, accelerators_count: ArrayLike, *, pcie_bytes_per_s: ArrayLike
) -> FloatArray:
    """Return what a micro-batch takes longer where sharded weights lie in host memory: each part comes up in every pass.

    Source: ZeRO-Infinity (arXiv:2104.07857), whose parts travel over all lanes at once.

    Examples
    --------
    >>> round(float(streamed_weights_s(141e9, 8, pcie_bytes_per_s=31e9)), 1)
    2.8
    """
    lanes = _PCIE_SHARE * np.maximum(np.asarray(pcie_bytes_per_s, dtype=float), 1.0)
    return np.asarray(_PASSES * weight_bytes / np.asarray(accelerators_count, dtype=float) / lanes, dtype=float)


def offloaded_update_s(
    parameter_count: float,
    accelerators_count: ArrayLike,
    machines: ArrayLike,
    *,
    pcie_bytes_per_s: ArrayLike,
    bytes_per_parameter: float = 28.0,
) -> FloatArray:
    """Return what a step takes longer where optimizer states lie in host memory.

    Gradients go down and weights come up once, 2 bytes a parameter each, over the accelerators' own lanes; then the host's
    processors read and write the states of their part. Source: ZeRO-Offload (arXiv:2101.06840).

    Parameters
    ----------
    parameter_count : float
        Parameters that learn, of the whole model.
    accelerators_count, machines : array_like
        Over which they are split.
    pcie_bytes_per_s : array_like
        One way, per accelerator.
    bytes_per_parameter : float
        Read and written in an update: 28 with 32-bit masters and moments, 14 with all of it in 16 bit.

    Examples
    --------
    >>> round(float(offloaded_update_s(70e9, 8, 1, pcie_bytes_per_s=31e9, bytes_per_parameter=14)), 1)
    6.8
    """
    lanes = _PCIE_SHARE * np.maximum(np.asarray(pcie_bytes_per_s, dtype=float), 1.0)
    moved_s = 4.0 * parameter_count / np.asarray(accelerators_count, dtype=float) / lanes
    updated_s = bytes_per_parameter * parameter_count / np.asarray(machines, dtype=float) / _HOST_BYTES_PER_S
    return np.asarray(moved_s + updated_s, dtype=float)
