"""Training at many sizes: how many machines each budget of time takes, found once for all budgets of a shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.suitability import suitable_model
from planner.demand.workload import Finetune, Pretrain, Workload
from planner.supply.calibration import Calibration, default_calibration
from planner.supply.evidence import basis_and_evidence
from planner.supply.hardware import hardware
from planner.supply.machines import Machine
from planner.supply.rollouts import writing_of
from planner.supply.sizes.fleets import Fleets, nothing
from planner.supply.training.candidates import Scene, formats_wanted, job_of
from planner.supply.training.fewest import NO_DEADLINE_S, Branch, fewest
from planner.supply.training.fleet import class_and_constant, most_machines, scene_of

IntArray = NDArray[np.intp]


def trained(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, *,
    tokens: FloatArray, deadline_s: FloatArray, max_accelerators: int | None = None, calibration: Calibration | None = None,
) -> Fleets:  # fmt: skip
    """Return the fleets for training or fine-tuning.

    Parameters
    ----------
    workload : Workload
        The shape; its own size plays no part.
    tokens, deadline_s : FloatArray, shape (sizes,)
        Tokens to train on, epochs counted; seconds until it has to be done, infinite without a deadline.
    max_accelerators : int, optional
        Most that a fleet may have.
    """
    calibration = calibration or default_calibration()
    arch = suitable_model(workload, arch)
    job, hw = job_of(_one_step(workload)), hardware(machines)
    steps = np.maximum(tokens / (job.sequences * job.work.seq_len), 1.0)
    result = nothing(len(machines), len(tokens))
    names, wanted = formats_wanted(workload, hw)
    if not wanted:
        return result
    writing = writing_of(workload, arch, machines, assumptions, calibration)
    scene = replace(scene_of(arch, machines, hw, job, names, wanted, assumptions, calibration), writing=writing)
    most = most_machines(workload, scene, assumptions, max_accelerators, None)
    # Wall time of all steps is compared with the deadline, not that of one with a part of it: equal but for the last digit.
    allowed_s = np.where(np.isfinite(deadline_s), deadline_s / steps, NO_DEADLINE_S)
    budgets_s, of_size = np.unique(allowed_s, return_inverse=True)
    leaves, outcome = fewest(scene, most, budgets_s)
    step_s = np.where((most[leaves.layout] >= 1) & outcome.fits, outcome.wall_s, np.inf)
    count, seconds, cards, layout = _best(scene, leaves, step_s, outcome.used, budgets_s, len(machines))
    fits = np.isfinite(seconds)
    is_cpu = np.array([machine.accelerator is None for machine in machines])[:, None]
    fits &= ~(is_cpu & (count > assumptions["perf.most_cpu_machines_count"]))
    slices = np.array([machine.slice_share for machine in machines])[:, None]
    basis = tuple(
        basis_and_evidence(
            calibration, class_and_constant(scene, machine, names[int(scene.layouts.precision[one.max()])])[1], machine
        )[0]
        if ok.any()
        else ""
        for machine, ok, one in zip(machines, fits, layout, strict=True)
    )
    return Fleets(
        instance_count=np.where(fits, count, 0.0)[:, of_size],
        accelerators_used=np.where(fits, cards * slices, 0.0)[:, of_size],
        busy_hours_per_run=np.where(fits, seconds, np.nan)[:, of_size] * steps / 3600.0,
        elastic_share=result.elastic_share,
        utilisation_share=result.utilisation_share,
        basis=basis,
    )


def _one_step(workload: Workload) -> Workload:
    """Return the same work with the tokens of exactly one step, so that the time of the job is that of a step."""
    work = workload.work
    assert isinstance(work, Pretrain | Finetune)
    sequences = max(1.0, round(work.global_batch_tokens_m * 1e6 / work.seq_len))
    tokens = sequences * work.seq_len
    one = {"tokens_b": tokens / 1e9} if isinstance(work, Pretrain) else {"tokens_m": tokens / 1e6, "epochs": 1.0}
    return workload.model_copy(update={workload.kind: work.model_copy(update=one)})


def _best(
    scene: Scene, leaves: Branch, step_s: FloatArray, used: FloatArray, budgets_s: FloatArray, machine_count: int
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int64]]:
    """Return, by machine and budget, the fewest machines, a step's seconds, the accelerators at work, and the layout."""
    shape = (machine_count, len(budgets_s))
    count, seconds = np.full(shape, np.inf), np.full(shape, np.inf)
    cards, layout = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    machine = scene.layouts.row[leaves.layout]
    # The bisection ends at the most machines that are allowed, whether or not these are quick enough.
    slow_s = step_s * scene.slow_ratio[leaves.layout]
    first = np.maximum(leaves.first, np.searchsorted(budgets_s, slow_s, side="left"))
    good = np.flatnonzero(np.isfinite(step_s) & (first < leaves.last))
    # Fewest machines first, then the quickest, then the first layout; written worst first, so that the best stands in the end.
    order = good[np.lexsort((leaves.layout[good], step_s[good], leaves.high[good]))][::-1]
    leaf_of = np.full(shape, -1, dtype=np.intp)
    for leaf, row, begin, end in zip(
        order.tolist(), machine[order].tolist(), first[order].tolist(), leaves.last[order].tolist(), strict=True
    ):
        leaf_of[row, begin:end] = leaf
    found = leaf_of >= 0
    best = leaf_of[found]
    count[found], seconds[found] = leaves.high[best], step_s[best]
    cards[found], layout[found] = used[best], leaves.layout[best]
    return count, seconds, cards, layout
