"""Scaling: what more machines bring to a job, and what a faster part of the machine would bring.

The curve of time against accelerator hours bends: each doubling of the machines saves less time and costs more hours. Its
knee is the point that lies farthest below the straight line between its ends, both axes in logarithms (Satopaa et al. 2011).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.workload import Workload
from planner.supply.calibration import Calibration
from planner.supply.fleet import estimate, size
from planner.supply.machines import Fleet, Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalePoint:
    """A job on some number of machines.

    Attributes
    ----------
    machine_count : int
        Machines.
    hours, accelerator_hours : float
        Clock hours of one run, and the accelerator hours that are paid for it.
    efficiency_share : float
        Speed per accelerator over that of the smallest fleet on the curve.
    is_knee : bool
        Whether more machines cost clearly more from here on.
    """

    machine_count: int
    hours: float
    accelerator_hours: float
    efficiency_share: float
    is_knee: bool = False


def scaling_curve(
    workload: Workload,
    architecture: Architecture,
    machine: Machine,
    assumptions: Assumptions,
    *,
    most_machines: int = 512,
    calibration: Calibration | None = None,
) -> Sequence[ScalePoint]:
    """Return time and accelerator hours of a job on 1, 2, 4 ... machines, the knee marked.

    Numbers of machines on which the job does not fit, or that cannot be joined, are left out.

    Examples
    --------
    >>> from planner.assumptions import default_assumptions
    >>> from planner.demand.models import known_model
    >>> from planner.demand.workload import Pretrain
    >>> from pricing.facts.accelerators import accelerators
    >>> box = Machine(accelerator=accelerators()["H100-SXM"], accelerator_count=8, network="infiniband",
    ...               network_gb_per_s_each_way=400.0, memory_gib=1024)
    >>> work = Workload(kind="pretrain", model="llama-2-7b", pretrain=Pretrain(tokens_b=100))
    >>> curve = scaling_curve(work, known_model("llama-2-7b"), box, default_assumptions(), most_machines=16)
    >>> [point.machine_count for point in curve], curve[-1].hours < curve[0].hours
    ([1, 2, 4, 8, 16], True)
    """
    each = machine.accelerator_count if machine.accelerator else 1.0
    counts = [2**power for power in range(20) if 2**power <= most_machines]
    if most_machines not in counts:
        counts.append(most_machines)
    points: list[ScalePoint] = []
    for count in counts:
        fleet = estimate(workload, architecture, machine, round(count * each), assumptions, calibration=calibration)
        if isinstance(fleet, Fleet) and fleet.busy_hours_per_run is not None:
            hours = fleet.busy_hours_per_run
            points.append(
                ScalePoint(
                    machine_count=count, hours=hours, accelerator_hours=hours * count * each, efficiency_share=1.0
                )
            )
    if not points:
        return ()
    least = points[0].accelerator_hours
    points = [replace(point, efficiency_share=least / point.accelerator_hours) for point in points]
    knee = _knee(points)
    return tuple(replace(point, is_knee=index == knee) for index, point in enumerate(points))


def _knee(points: Sequence[ScalePoint]) -> int | None:
    """Return the point farthest below the line between the ends of the curve, in logarithms; None on a straight one."""
    if len(points) < 3:
        return None
    x = np.log([point.hours for point in points])
    y = np.log([point.accelerator_hours for point in points])
    if x[0] <= x[-1] or y[-1] <= y[0]:
        return None
    straight = y[0] + (y[-1] - y[0]) * (x - x[0]) / (x[-1] - x[0])
    below = straight - y
    place = int(np.argmax(below))
    return place if below[place] > 0.01 else None


def relief(
    workload: Workload,
    architecture: Architecture,
    machine: Machine,
    accelerator_count: int,
    assumptions: Assumptions,
    *,
    calibration: Calibration | None = None,
) -> Mapping[str, float]:
    """Return how much faster the work would go if one part of the machine were twice as good.

    Returns
    -------
    mapping of str to float
        ``compute``, ``memory_bandwidth``, ``memory_size`` and ``interconnect`` to the speed gained, as a share (0.4 is 40 %
        faster); empty where the work does not run there, or on a CPU machine.
    """
    chip = machine.accelerator
    base = estimate(workload, architecture, machine, accelerator_count, assumptions, calibration=calibration)
    if chip is None or not isinstance(base, Fleet):
        return {}
    rates = (
        "fp32_dense_tflop_per_s", "tf32_dense_tflop_per_s", "bf16_dense_tflop_per_s", "fp16_dense_tflop_per_s", "fp8_dense_tflop_per_s",
        "fp4_dense_tflop_per_s", "measured_bf16_gemm_tflop_per_s", "measured_fp8_gemm_tflop_per_s", "tdp_w",
    )  # fmt: skip
    # Twice the arithmetic is meant as held: what was measured of it, and the power that feeds it, double as well.
    doubled = {name: 2.0 * value for name in rates if (value := getattr(chip, name)) is not None}
    variants = {
        "compute": replace(machine, accelerator=replace(chip, **doubled)),
        "memory_bandwidth": replace(
            machine, accelerator=replace(chip, memory_bandwidth_gb_per_s=2.0 * chip.memory_bandwidth_gb_per_s)
        ),
        "memory_size": replace(
            machine,
            accelerator=replace(chip, memory_gib=2.0 * chip.memory_gib, memory_nominal_gb=2.0 * chip.memory_nominal_gb),
        ),
        "interconnect": replace(
            machine,
            accelerator=replace(chip, scale_up_gb_per_s_both_ways=2.0 * chip.scale_up_gb_per_s_both_ways),
            network_gb_per_s_each_way=2.0 * machine.network_gb_per_s_each_way,
        ),
    }
    gains = {}
    for name, variant in variants.items():
        better = estimate(workload, architecture, variant, accelerator_count, assumptions, calibration=calibration)
        if isinstance(better, Fleet):
            gains[name] = better.performance.rate_per_s.typical / base.performance.rate_per_s.typical - 1.0
    return gains


def fewest_that_suffice(
    workload: Workload,
    architecture: Architecture,
    machine: Machine,
    accelerator_count: int,
    assumptions: Assumptions,
    *,
    calibration: Calibration | None = None,
) -> int | None:
    """Return the fewest accelerators of a machine's sort, in boxes of 1, 2, 4 ..., that do the work within all its limits.

    Parameters
    ----------
    accelerator_count : int
        Most accelerators to look at.

    Returns
    -------
    int or None
        None where not even that many are enough.
    """
    whole = round(machine.accelerator_count)
    boxes = [2**power for power in range(10) if 2**power < whole] + [whole]
    sorts = [replace(machine, accelerator_count=float(count)) for count in boxes]
    sized = size(
        workload, architecture, sorts, assumptions, max_accelerators=accelerator_count, calibration=calibration
    )
    counts = [
        round(fleet.instance_count * fleet.machine.accelerator_count) for fleet in sized if isinstance(fleet, Fleet)
    ]
    return min((count for count in counts if count <= accelerator_count), default=None)
