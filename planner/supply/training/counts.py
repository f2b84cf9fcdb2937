"""Counts: how many machines each layout takes, worked out once for all budgets of time.

A step's time on so many machines does not depend on how many steps there are, so deadline over steps, the *time allowed for a
step*, is all that decides the fleet. The bisections of all budgets walk down one tree together, so that a number of machines is
tried once and not once a budget. A single plan has one budget.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from planner.arrays import BoolArray, FloatArray, IntArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.workload import Finetune, Interconnect, Workload
from planner.supply.calibration import Calibration, bases_of, default_calibration, slow_ratio, spread
from planner.supply.constants import take
from planner.supply.fleet_arrays import Amounts, Fleets, are_too_many
from planner.supply.hardware import hardware, math_format
from planner.supply.machines import Machine
from planner.supply.training.candidates import (
    Job,
    Layouts,
    Outcome,
    Scene,
    Writing,
    formats_wanted,
    job_of,
    layouts_of,
    outcome_of,
    trained_model,
)
from planner.supply.training.memory import activation_bytes_per_token, training_states
from planner.supply.training.speed import TrainingConstants, training_constants

NO_DEADLINE_S = 1e300
"""What the bisection takes for a deadline where there is none; a layout that does not fit takes longer."""
SPEED_CONSTANT = "train.matmul_share"
"""Whose measured rows are the evidence of a speed."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Bisections that have gone the same way: layouts, what is left of their ranges, and the budgets (from, to) on the way."""

    layout: IntArray
    low: FloatArray
    high: FloatArray
    first: IntArray
    last: IntArray

    def take(self, index: IntArray) -> Branch:
        """Return some of them."""
        return Branch(self.layout[index], self.low[index], self.high[index], self.first[index], self.last[index])


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


def fewest(scene: Scene, least: FloatArray, most: FloatArray, budgets_s: FloatArray) -> tuple[Branch, Outcome]:
    """Return the leaves of the tree, every layout's smallest number of machines by range of budgets, and what they do.

    Where no number that is allowed is quick enough, a leaf has the largest one.

    Parameters
    ----------
    least, most : FloatArray, shape (layouts,)
        Between which the number of machines is searched; where they are equal it is given.
    budgets_s : FloatArray
        Seconds allowed for a step, rising.

    Returns
    -------
    Branch
        Leaves in the order of the layouts, `high` machines each; one budget has one leaf of each layout.
    Outcome
        Of each leaf.
    """
    count = len(most)
    at = Branch(
        np.arange(count),
        least.copy(),
        most.copy(),
        np.zeros(count, dtype=np.intp),
        np.full(count, len(budgets_s), dtype=np.intp),
    )
    leaves: list[Branch] = []
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
        at = Branch(
            np.concatenate([at.layout[fewer], at.layout[more]]),
            np.concatenate([at.low[fewer], np.minimum(middle + 1, at.high)[more]]),
            np.concatenate([middle[fewer], at.high[more]]),
            np.concatenate([enough[fewer], at.first[more]]),
            np.concatenate([at.last[fewer], enough[more]]),
        )
    leaves.append(at)
    names = [field.name for field in fields(Branch)]
    ends = Branch(*(np.concatenate([getattr(leaf, name) for leaf in leaves]) for name in names))
    ends = ends.take(np.lexsort((ends.first, ends.layout)))
    return ends, _on(scene, ends.layout, ends.high)


def best_leaves(
    scene: Scene, leaves: Branch, outcome: Outcome, budgets_s: FloatArray, *, is_allowed: BoolArray
) -> IntArray:
    """Return, by machine and budget, the leaf with the fewest machines, of equals the quickest; -1 where none is quick enough."""
    # The bisection ends at the most machines that are allowed, whether or not these are quick enough.
    slow_s = outcome.wall_s * scene.slow_ratio[leaves.layout]
    first = np.maximum(leaves.first, np.searchsorted(budgets_s, slow_s, side="left"))
    good = np.flatnonzero(is_allowed[leaves.layout] & np.isfinite(outcome.wall_s) & (first < leaves.last))
    # Written worst first, so that the best stands in the end.
    order = good[np.lexsort((leaves.layout[good], outcome.wall_s[good], leaves.high[good]))][::-1]
    leaf_of = np.full((len(scene.machines), len(budgets_s)), -1, dtype=np.intp)
    rows, begins, ends = scene.layouts.row[leaves.layout[order]], first[order], leaves.last[order]
    for leaf, row, begin, end in zip(order.tolist(), rows.tolist(), begins.tolist(), ends.tolist(), strict=True):
        leaf_of[row, begin:end] = leaf
    return leaf_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The best layout of every machine (axis 0) at every size (axis 1).

    Attributes
    ----------
    most : FloatArray
        Machines that each layout may take.
    leaves, outcome : Branch, Outcome
        Layouts on the fewest machines, and what a step takes there; those of a single size are in the order of the layouts.
    leaf : IntArray
        Which of them is best; -1 where none is quick enough.
    steps : FloatArray, shape (sizes,)
        Of the job.
    """

    most: FloatArray
    leaves: Branch
    outcome: Outcome
    leaf: IntArray
    steps: FloatArray

    @property
    def count(self) -> FloatArray:
        """Machines of the best layouts; 0 where there is none."""
        return np.where(self.leaf >= 0, self.leaves.high[self.leaf], 0.0)


def choice_of(
    scene: Scene, amounts: Amounts, *, max_accelerators: int | None = None, fixed_machines: int | None = None
) -> Choice:
    """Return the layouts that take the fewest machines, or the quickest on a fixed number, whatever the deadline."""
    most = _most_machines(scene, max_accelerators, fixed_machines)
    asked, count = scene.job.work.gpu_count, None
    if fixed_machines is not None:
        count = np.full(len(most), float(fixed_machines))
    elif asked is not None:
        count = np.maximum(np.ceil(asked / scene.here.count), 1.0)
        most = np.where((count <= most) & ~scene.here.is_cpu, count, 0.0)
    steps = np.maximum(amounts.total / (scene.job.sequences * scene.job.work.seq_len), 1.0)
    allowed_s = np.full(len(steps), NO_DEADLINE_S)
    if fixed_machines is None:
        allowed_s = np.minimum(amounts.deadline_hours * 3600.0 / steps, NO_DEADLINE_S)
    budgets_s = np.array(sorted(set(allowed_s.tolist())))  # `np.unique` would load NumPy's masked arrays
    least, last = (np.ones_like(most), most) if count is None else (count, count)
    leaves, outcome = fewest(scene, least, last, budgets_s)
    leaf = best_leaves(scene, leaves, outcome, budgets_s, is_allowed=most >= 1)
    return Choice(
        most=most, leaves=leaves, outcome=outcome, leaf=leaf[:, np.searchsorted(budgets_s, allowed_s)], steps=steps
    )


def fleets_of(scene: Scene, choice: Choice, count: FloatArray) -> Fleets:
    """Return the fleets of the best layouts, on so many machines."""
    outcome, is_on = choice.outcome, count > 0
    slices = np.array([machine.slice_share for machine in scene.machines])[:, None]
    return Fleets(
        instance_count=count,
        accelerators_used=np.where(is_on, outcome.used[choice.leaf] * slices, 0.0),
        busy_hours_per_run=np.where(is_on, outcome.wall_s[choice.leaf], np.nan) * choice.steps / 3600.0,
        elastic_share=np.ones_like(count),
        utilisation_share=np.ones_like(count),
        basis=bases_of(scene.calibration, SPEED_CONSTANT, scene.machines, count),
    )


def trained(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, amounts: Amounts, *,
    max_accelerators: int | None = None, calibration: Calibration | None = None, writing: Writing | None = None,
) -> Fleets:  # fmt: skip
    """Return the fleets for training or fine-tuning.

    Parameters
    ----------
    workload : Workload
        The shape; its own size plays no part.
    amounts : Amounts
        Tokens to train on, epochs counted, and the deadline.
    max_accelerators : int, optional
        Most that a fleet may have.
    writing : Writing, optional
        As in `planner.supply.training.fleet.size_training`.
    """
    scene = scene_of(workload, arch, machines, assumptions, calibration, writing)
    if scene is None:
        return Fleets.none(len(machines), len(amounts.total))
    choice = choice_of(scene, amounts, max_accelerators=max_accelerators)
    too_many = are_too_many(machines, choice.count, assumptions, most=math.inf)
    return fleets_of(scene, choice, np.where(too_many, 0.0, choice.count))


def scene_of(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], assumptions: Assumptions, calibration: Calibration | None,
    writing: Writing | None,
) -> Scene | None:  # fmt: skip
    """Return every layout that is worth trying, with what its machine can do; None where no machine computes in an allowed format."""
    calibration, job, hw = calibration or default_calibration(), job_of(workload), hardware(machines)
    names, wanted = formats_wanted(workload, hw)
    if not wanted:
        return None
    layouts = layouts_of(arch, hw, wanted, job)
    here = hw.take(layouts.row)
    flops = np.select(
        [layouts.precision == i for i in range(len(names))], [hw.flop_per_s(n)[layouts.row] for n in names], np.nan
    )
    flops = np.where(here.is_cpu, here.flop16_per_s(), flops)
    constants = _constants(calibration, machines, names, layouts, _tags(arch, job))
    work = job.work
    quantised = isinstance(work, Finetune) and work.trains == "qlora"
    base = ["@quantised_base"] * quantised
    activation = activation_bytes_per_token(
        arch,
        tensor=layouts.tensor,
        pipeline=layouts.pipeline,
        recompute=layouts.recompute,
        chunked_loss=layouts.chunked,
        seq_len=float(work.seq_len),
        activation_ratio=calibration.value_at("memory.activation_ratio", ("*",), base)
        * np.where(
            layouts.recompute,
            calibration.ratio("memory.activation_ratio", ["@recompute"]),
            calibration.ratio("memory.activation_ratio", ["@adapters"] * job.adapters),
        ),
        logits_ratio=calibration.value_at("memory.logits_ratio", ("*",)),
    )
    rank = work.rank if isinstance(work, Finetune) else 16
    percentile = assumptions["perf.deadline_band_percentile"]
    slow_ratios = np.array([
        [slow_ratio(percentile, spread_log(calibration, arch, job, machine, name)) for machine in machines] for name in names
    ])  # fmt: skip
    return Scene(
        workload=workload, arch=arch, job=job, names=names,
        model=trained_model(arch, work.seq_len, adapters=job.adapters, rank=rank, base="nf4" if quantised else "bf16"),
        states=training_states(arch, work), layouts=layouts, here=here, flops=flops, constants=constants, activation=activation,
        reserve_ratio=calibration.value("memory.reserve_ratio"), slow_ratio=slow_ratios[layouts.precision, layouts.row],
        usable_share=assumptions["perf.training_memory_share"], assumptions=assumptions, calibration=calibration, machines=machines,
        writing=writing,
    )  # fmt: skip


def _tags(arch: Architecture, job: Job) -> list[str]:
    """Return what the calibration should know of the job beside its machine."""
    tags = ["@moe"] * bool(arch.experts) + ["@adapters"] * job.adapters + ["@encoder"] * (arch.kind == "encoder")
    return tags + ["@qlora"] * (isinstance(job.work, Finetune) and job.work.trains == "qlora")


def _constants(
    calibration: Calibration, machines: Sequence[Machine], names: Sequence[str], layouts: Layouts, tags: Sequence[str]
) -> TrainingConstants:
    """Return every row's constants: those of its machine, its number format and the job's tags."""
    sets = [training_constants(calibration, machines, [*tags, f"@{name}"]) for name in names]
    columns = {}
    for field in TrainingConstants.__dataclass_fields__:
        stacked = np.stack([np.asarray(getattr(constants, field), dtype=float) for constants in sets])
        columns[field] = stacked[layouts.precision, layouts.row]
    return TrainingConstants(**columns)


def _most_machines(scene: Scene, max_accelerators: int | None, fixed_machines: int | None) -> FloatArray:
    """Return how many machines a row may take: one where they are not joined as the workload asks."""
    here = scene.here
    most = np.floor(scene.assumptions["perf.most_training_accelerators_count"] / here.count)
    if max_accelerators is not None:
        most = np.where(here.is_cpu, most, np.minimum(most, np.floor(max_accelerators / here.count)))
    joined = here.network_bytes_per_s > 0
    asked = scene.workload.constraints.interconnect
    if asked in {Interconnect.EFA, Interconnect.INFINIBAND}:
        named = np.asarray([machine.network == str(asked) for machine in scene.machines])[scene.layouts.row]
        joined = joined & named
    most = np.where(joined, most, np.minimum(most, 1.0))
    return np.maximum(np.where(here.is_cpu, np.minimum(most, 4096.0), most), 0.0 if fixed_machines is None else 1.0)


def spread_log(calibration: Calibration, arch: Architecture, job: Job, machine: Machine, precision: str) -> float:
    """Return how widely the speed varies: a planned job is a stranger to the published tables, unless the user measured the chip."""
    is_own = calibration.own_rows("train.pace_ratio", machine) is not None
    sort = _class(arch, job, machine, precision) + ("" if is_own else ".stranger")
    return spread(calibration, sort, SPEED_CONSTANT, machine)


def _class(arch: Architecture, job: Job, machine: Machine, precision: str) -> str:
    if machine.accelerator is None:
        return "train.adapters"  # no measured row of a CPU: the widest class of training
    if arch.experts:
        return "train.moe"
    if job.adapters:
        return "train.adapters"
    if machine.accelerator.market_class != "datacenter":
        return "train.consumer"
    return "train.fp8" if math_format(precision) in {"fp8", "fp4"} else "train.dense"
