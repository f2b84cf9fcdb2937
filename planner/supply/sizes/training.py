"""Training at many sizes: how many machines each budget of time takes, found once for all budgets of a shape.

A step's time on so many machines does not depend on how many steps there are, so deadline over steps, the *time allowed for a
step*, is all that decides the fleet. `planner.supply.training.fleet` finds the smallest number of machines by bisection; here the
bisections of all budgets walk down one tree together, so that a number of machines is tried once and not once a budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.suitability import suitable_model
from planner.demand.workload import Finetune, Pretrain, Workload
from planner.supply.calibration import Calibration, default_calibration
from planner.supply.constants import take
from planner.supply.evidence import basis_and_evidence
from planner.supply.hardware import hardware
from planner.supply.machines import Machine
from planner.supply.sizes.fleets import Fleets, nothing
from planner.supply.training.candidates import Outcome, Scene, formats_on, job_of, outcome_of
from planner.supply.training.fleet import _most_machines, _scene, _sort

__all__ = ["trained"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

NO_DEADLINE_S = 1e300
"""What the bisection takes for a deadline where there is none; a layout that does not fit takes longer."""


@dataclass(frozen=True, slots=True)
class _Branch:
    """Bisections that have gone the same way: layouts, what is left of their ranges, and the budgets (from, to) on the way."""

    layout: IntArray
    low: FloatArray
    high: FloatArray
    first: IntArray
    last: IntArray

    def take(self, index: IntArray) -> _Branch:
        return _Branch(self.layout[index], self.low[index], self.high[index], self.first[index], self.last[index])


def _on(scene: Scene, layout: IntArray, machines: FloatArray) -> Outcome:
    """Return what some of the layouts do on so many machines each."""
    part = replace(
        scene,
        layouts=scene.layouts.take(layout),
        here=scene.here.take(layout),
        flops=scene.flops[layout],
        constants=take(scene.constants, layout),
        activation=scene.activation[layout],
    )
    return outcome_of(part, machines)


def _fewest(scene: Scene, most: FloatArray, budgets_s: FloatArray) -> tuple[_Branch, FloatArray, FloatArray]:
    """Return the leaves of the tree (every layout's smallest number of machines by range of budgets), and their time and cards.

    Parameters
    ----------
    budgets_s : FloatArray
        Seconds allowed for a step, rising.

    Returns
    -------
    _Branch
        Leaves, `high` machines each.
    FloatArray, FloatArray
        Seconds of a step on them (infinite where the layout does not fit), and accelerators that work.
    """
    count = len(most)
    at = _Branch(
        np.arange(count),
        np.ones(count),
        most.copy(),
        np.zeros(count, dtype=np.intp),
        np.full(count, len(budgets_s), dtype=np.intp),
    )
    leaves: list[_Branch] = []
    for _ in range(int(np.ceil(np.log2(max(2.0, float(most.max(initial=1.0)))))) + 1):
        done = at.low >= at.high
        if done.any():
            leaves.append(at.take(np.flatnonzero(done)))
            at = at.take(np.flatnonzero(~done))
        if not at.layout.size:
            break
        middle = np.floor((at.low + at.high) / 2)
        step_s = _on(scene, at.layout, middle).wall_s * scene.slow_ratio[at.layout]
        # Budgets from here on are met by as many machines as this.
        enough = np.clip(np.searchsorted(budgets_s, step_s, side="left"), at.first, at.last)
        fewer, more = np.flatnonzero(enough < at.last), np.flatnonzero(at.first < enough)
        at = _Branch(
            np.concatenate([at.layout[fewer], at.layout[more]]),
            np.concatenate([at.low[fewer], np.minimum(middle + 1, at.high)[more]]),
            np.concatenate([middle[fewer], at.high[more]]),
            np.concatenate([enough[fewer], at.first[more]]),
            np.concatenate([at.last[fewer], enough[more]]),
        )
    leaves.append(at)
    found = _Branch(
        *(
            np.concatenate([getattr(leaf, name) for leaf in leaves])
            for name in ("layout", "low", "high", "first", "last")
        )
    )
    outcome = _on(scene, found.layout, found.high)
    allowed = most[found.layout] >= 1
    return found, np.where(allowed & outcome.fits, outcome.wall_s, np.inf), outcome.used


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
    names: list[str] = []
    wanted: list[tuple[int, int]] = []
    for row in range(len(machines)):
        for name in formats_on(workload, hw, row):
            if name not in names:
                names.append(name)
            wanted.append((row, names.index(name)))
    if not wanted:
        return result
    scene = _scene(arch, machines, hw, job, names, wanted, assumptions, calibration)
    most = _most_machines(workload, scene, assumptions, max_accelerators, None)
    # Wall time of all steps is compared with the deadline, not that of one with a part of it: equal but for the last digit.
    allowed_s = np.where(np.isfinite(deadline_s), deadline_s / steps, NO_DEADLINE_S)
    budgets_s, of_size = np.unique(allowed_s, return_inverse=True)
    leaves, step_s, used = _fewest(scene, most, budgets_s)
    count, seconds, cards, layout = _best(scene, leaves, step_s, used, budgets_s, len(machines))
    fits = np.isfinite(seconds)
    is_cpu = np.array([machine.accelerator is None for machine in machines])[:, None]
    fits &= ~(is_cpu & (count > assumptions["perf.most_cpu_machines_count"]))
    slices = np.array([min(1.0, m.accelerator_count) if m.accelerator else 1.0 for m in machines])[:, None]
    basis = tuple(
        basis_and_evidence(
            calibration, _sort(scene, machine, names[int(scene.layouts.precision[one.max()])])[1], machine
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
    scene: Scene, leaves: _Branch, step_s: FloatArray, used: FloatArray, budgets_s: FloatArray, machine_count: int
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
