"""Replicas: the largest request rate that each holds within the limits, and how many of them a rate takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from planner.arrays import BoolArray, FloatArray, IntArray
from planner.assumptions import Assumptions
from planner.demand.architecture import Architecture
from planner.demand.workload import Workload
from planner.supply.calibration import Calibration, slow_ratio
from planner.supply.hardware import Hardware, hardware
from planner.supply.machines import Machine
from planner.supply.serving.candidates import (
    BATCHES,
    MOST_MACHINES_PER_REPLICA,
    Demand,
    Grid,
    Replicas,
    evaluate,
    format_choices,
    format_on,
    replicas_of,
    within_bounds,
)
from planner.supply.serving.model import ServedModel, served_model
from planner.supply.serving.stacks import speed_spreads
from planner.supply.serving.tails import LateTimes

FEW_MACHINES = 64
"""So few are asked again and again, at other rates; all of a catalog are asked once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What each candidate can take, as one of many replicas and, for what may be planned, alone.

    Attributes
    ----------
    rate : FloatArray, shape (candidates,)
        Largest request rate within all limits; -1 where no batch size keeps them.
    column : IntArray
        The batch size of that rate.
    planned_rate : FloatArray
        What may be planned: within the limits, and no more than the planned share of the full rate; -1 as for `rate`.
    alone_rate : FloatArray
        What may be planned with a replica that has no others beside it: nobody evens out its bursts.
    fits, quick, smooth : boolean arrays
        Whether any batch size keeps to memory, to it and the limit on the first token, to it and those on further ones and on all of them.
    """

    rate: FloatArray
    column: IntArray
    planned_rate: FloatArray
    alone_rate: FloatArray
    fits: BoolArray
    quick: BoolArray
    smooth: BoolArray

    def rate_on(self, replicas: FloatArray, at: IntArray) -> FloatArray:
        """Return what may be planned of each of so many replicas of the candidates at these rows; 0 where nothing may.

        The bursts of one replica are evened out by the others as the square root of their number grows (the square-root
        staffing of Halfin and Whitt 1981).
        """
        planned = self.planned_rate[at]
        lost = planned - np.maximum(self.alone_rate[at], 0.0)
        return np.maximum(planned - lost / np.sqrt(np.maximum(replicas, 1.0)), 0.0)


def replicas_for(rate_per_s: FloatArray | float, planned_rate: FloatArray, alone_rate: FloatArray) -> FloatArray:
    """Return the fewest replicas of which so much may be planned; infinite where nothing may.

    Examples
    --------
    >>> replicas_for(np.array([1.0, 1.1, 8.0]), np.array([2.0, 2.0, 2.0]), np.array([1.0, 1.0, 1.0])).tolist()
    [1.0, 2.0, 6.0]
    """
    lost = planned_rate - np.clip(alone_rate, 0.0, planned_rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = (lost + np.sqrt(lost**2 + 4.0 * planned_rate * rate_per_s)) / (2.0 * planned_rate)
        count = np.maximum(np.ceil(root**2 - 1e-9), 1.0)
    return np.asarray(np.where(planned_rate > 0, count, np.inf), dtype=float)


def capacity_of(
    grid: Grid, demand: Demand, *, ttft_ratio: FloatArray | float = 1.0, tpot_ratio: FloatArray | float = 1.0
) -> Capacity:
    """Return what each candidate can take within the limits.

    The limits are tested once, at the rate that is planned: headroom is kept against the full rate, not against the rate at
    which a limit is reached.

    Parameters
    ----------
    ttft_ratio, tpot_ratio : FloatArray, shape (candidates,)
        Times at the percentile of the speed band for which the limits hold, over typical ones.
    """
    fits = BATCHES[None, :] <= np.maximum(grid.most_requests, 0.0)[:, None]
    if not demand.spread.score:
        return _within(grid, demand, fits, grid.late, grid.most_requests, ttft_ratio, tpot_ratio)
    among_many = _within(grid, demand, fits, grid.late, grid.late_requests, ttft_ratio, tpot_ratio)
    alone = _within(grid, demand, fits, grid.alone_late, grid.alone_requests, ttft_ratio, tpot_ratio)
    return replace(among_many, alone_rate=alone.planned_rate)


def _within(
    grid: Grid, demand: Demand, fits: BoolArray, late: LateTimes, held: FloatArray, ttft_ratio: FloatArray | float,
    tpot_ratio: FloatArray | float,
) -> Capacity:  # fmt: skip
    """Return what each candidate can take with these late times, where its memory holds so many requests under way."""
    ttft_s, tpot_s, total_s = (
        times * np.reshape(ratio, (-1, 1))
        for times, ratio in ((late.ttft_s, ttft_ratio), (late.tpot_s, tpot_ratio), (late.total_s, tpot_ratio))
    )
    quick = ttft_s <= demand.ttft_limit_s
    smooth = (tpot_s <= demand.tpot_limit_s) & (total_s <= demand.total_limit_s)
    full_share = BATCHES[None, :] / np.maximum(held, 1e-9)[:, None]
    roomy = (full_share <= 1.0) | (BATCHES[None, :] <= 1.0)
    rate = np.where(fits & quick & smooth & roomy, grid.rate_per_s, -1.0)
    best = np.argmax(rate, axis=1)
    rate = rate[np.arange(len(rate)), best]
    # A limit is reached between two batch sizes: both rate and times are taken as straight lines there.
    after = np.minimum(best + 1, len(BATCHES) - 1)
    rows = np.flatnonzero((rate > 0) & fits[np.arange(len(rate)), after])
    below, above = (rows, best[rows]), (rows, after[rows])
    share = np.ones(len(rows))
    limits = (
        (ttft_s, demand.ttft_limit_s),
        (tpot_s, demand.tpot_limit_s),
        (total_s, demand.total_limit_s),
        (full_share, 1.0),
    )
    for figures, limit in limits:
        is_reached = figures[above] > limit
        step = np.where(is_reached, figures[above] - figures[below], 1.0)
        share = np.where(is_reached, np.minimum(share, (limit - figures[below]) / step), share)
    rate[rows] += np.maximum(share, 0.0) * np.maximum(grid.rate_per_s[above] - rate[rows], 0.0)
    # Where not even one request at a time always finds room, it may be under way only a part of the time.
    rate /= np.maximum(full_share[:, 0], 1.0)
    full = np.max(np.where(fits, grid.rate_per_s, -1.0), axis=1)
    return Capacity(
        rate=rate,
        column=np.asarray(best, dtype=np.int64),
        planned_rate=np.minimum(rate, full * demand.load_share),
        alone_rate=np.minimum(rate, full * demand.load_share),
        fits=np.asarray(fits.any(axis=1), dtype=np.bool_),
        quick=np.asarray((fits & quick).any(axis=1), dtype=np.bool_),
        smooth=np.asarray((fits & smooth).any(axis=1), dtype=np.bool_),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospects:
    """Every replica worth trying on every machine, and what it can do: nothing here depends on how much is asked.

    Attributes
    ----------
    tried : sequence of int
        The machines.
    formats : tuple of str
        Formats of the weights that were tried; ``16`` is whichever 16-bit one a machine has.
    is_fallback : bool
        Whether they are smaller ones, tried on machines that hold no other.
    models : list of ServedModel
        By format.
    reps, grid : Replicas, Grid
        The replicas, and their times by batch size.
    capacity : Capacity
        What each replica can take.
    late_ratio : FloatArray, shape (replicas,)
        Times for which the deadline of work that ends has to hold, over typical ones.
    """

    tried: Sequence[int]
    formats: tuple[str, ...]
    is_fallback: bool
    models: list[ServedModel]
    reps: Replicas
    grid: Grid
    capacity: Capacity
    late_ratio: FloatArray

    def of_machine(self, row: int) -> IntArray:
        """Return the replicas of a machine; none where it computes in none of the formats."""
        return np.flatnonzero(self.reps.row == row)

    def machines_for(self, rate_per_s: FloatArray, at: IntArray, demand: Demand) -> FloatArray:
        """Return the machines that each rate takes of each replica, shape (replicas, rates); infinite where nothing may be planned."""
        late, planned, alone = (figure[at][:, None] for figure in (self.late_ratio, self.capacity.planned_rate, self.capacity.alone_rate))  # fmt: skip
        asked = replicas_for(rate_per_s[None, :] * late, planned, alone)
        return self.reps.machines_for(within_bounds(asked, rate_per_s, demand), at)

    def in_order(self, at: IntArray, *, ends: bool) -> IntArray:
        """Return replicas in the order in which equal counts are decided: the quickest for work that ends, else the smoothest."""
        if ends:
            tie = -self.capacity.planned_rate[at] * np.maximum(self.reps.per_machine[at], 1)
        else:
            tie = self.grid.tpot_s[at, self.capacity.column[at]]
        return at[np.argsort(tie, kind="stable")]

    def fewest_on(self, row: int, demand: Demand, rate_per_s: FloatArray) -> tuple[IntArray, FloatArray]:
        """Return, by rate, the replica that takes the fewest of a machine, and how many; infinite where nothing may be planned."""
        at = self.of_machine(row)
        at = self.in_order(at[self.capacity.planned_rate[at] > 0], ends=demand.requests > 0)
        if not at.size:
            return np.full(len(rate_per_s), -1), np.full(len(rate_per_s), np.inf)
        count = self.machines_for(rate_per_s, at, demand)
        best = np.argmin(count, axis=0)
        return at[best], count[best, np.arange(len(best))]


def prospects_by_formats(
    workload: Workload, arch: Architecture, machines: Sequence[Machine], hw: Hardware, demand: Demand,
    assumptions: Assumptions, calibration: Calibration, *, most_machines: int | None = None,
) -> Iterator[Prospects]:  # fmt: skip
    """Yield what every replica of all machines can do, then, in smaller formats, of those whose memory holds no other.

    Parameters
    ----------
    demand : Demand
        Lengths, limits and the load that may be planned; its rates play no part.
    most_machines : int, optional
        Machines that one replica may span.
    """
    shape = (
        str(next(iter(workload.kv_precision), "")), workload.serve.image_tokens if workload.serve else 0.0, arch, tuple(machines),
        most_machines,
    )  # fmt: skip

    def prospects(formats: tuple[str, ...], todo: tuple[int, ...]) -> Prospects:
        if len(machines) > FEW_MACHINES:
            return _prospects(formats, todo, *shape, demand, hw, assumptions, calibration)
        # Of what is asked only its kind counts here: a heap, a closed loop, or neither.
        of_any_rate = replace(
            demand, peak_per_s=0.0, mean_per_s=0.0, requests=min(demand.requests, 1.0), user_count=min(demand.user_count, 1.0)
        )  # fmt: skip
        return _kept(formats, todo, *shape, of_any_rate, _Same(assumptions), _Same(calibration))

    first, smaller = format_choices(workload, arch)
    first_prospects = prospects(first, tuple(range(len(machines))))
    yield first_prospects
    full = [
        row
        for row in first_prospects.tried
        if (mine := first_prospects.of_machine(row)).size and not first_prospects.capacity.fits[mine].any()
    ]
    if smaller and full:
        yield replace(prospects(smaller, tuple(full)), is_fallback=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A value that is equal to itself alone, however large it is."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)


@lru_cache(maxsize=8)
def _kept(  # noqa: PLR0913 - as `_prospects`
    formats: tuple[str, ...], todo: tuple[int, ...], kv_precision: str, image_tokens: float, arch: Architecture,
    machines: tuple[Machine, ...], most_machines: int | None, demand: Demand, assumptions: _Same, calibration: _Same,
) -> Prospects:  # fmt: skip
    return _prospects(
        formats, todo, kv_precision, image_tokens, arch, machines, most_machines, demand, hardware(machines), assumptions.value, calibration.value
    )  # fmt: skip


def _prospects(  # noqa: PLR0913 - sizing hands on all that it was asked
    formats: tuple[str, ...], todo: Sequence[int], kv_precision: str, image_tokens: float, arch: Architecture, machines: Sequence[Machine],
    most_machines: int | None, demand: Demand, hw: Hardware, assumptions: Assumptions, calibration: Calibration,
) -> Prospects:  # fmt: skip
    names: list[str] = []
    wanted: list[tuple[int, int]] = []
    for row in todo:
        usable = [name for name in (format_on(item, hw, row) for item in formats) if name is not None]
        for name in dict.fromkeys(usable):
            if name not in names:
                names.append(name)
            wanted.append((row, names.index(name)))
    # The cache's format: the stated one, else 16 bit, as engines keep it unless told otherwise.
    caches = [kv_precision or ("fp32" if name == "fp32" else "bf16") for name in names]
    models = [
        served_model(arch, name, cache, image_tokens=image_tokens) for name, cache in zip(names, caches, strict=True)
    ]
    flops = [hw.widened_flop_per_s(name) for name in names]
    reps = replicas_of(arch, hw, wanted, most_machines=most_machines or MOST_MACHINES_PER_REPLICA)
    reps = replace(reps, formats=tuple(zip(names, caches, strict=True)))
    grid = evaluate(models, flops, hw, calibration, machines, reps, demand, assumptions)
    # A service holds its limits, and work that ends its deadline, at a stated percentile of the speed band.
    name = "perf.deadline_band_percentile" if demand.requests else "serve.limit_band_percentile"
    tpot_ratio, ttft_ratio = _slow_ratios(arch, machines, demand, calibration, assumptions[name])
    capacity = capacity_of(grid, demand, ttft_ratio=ttft_ratio[reps.row], tpot_ratio=tpot_ratio[reps.row])
    # A replica spans machines only where none inside of one does the work.
    serves_alone = np.zeros(len(machines), dtype=bool)
    serves_alone[reps.row[(capacity.planned_rate > 0) & (reps.machines_each == 1)]] = True
    needless = (reps.machines_each > 1) & serves_alone[reps.row] & (most_machines is None)
    capacity = replace(capacity, planned_rate=np.where(needless, -1.0, capacity.planned_rate))
    late_ratio = tpot_ratio[reps.row] if demand.requests else np.ones(len(reps.row))
    return Prospects(
        tried=todo, formats=formats, is_fallback=False, models=models, reps=reps, grid=grid, capacity=capacity,
        late_ratio=late_ratio,
    )  # fmt: skip


def _slow_ratios(
    arch: Architecture, machines: Sequence[Machine], demand: Demand, calibration: Calibration, percentile: float
) -> tuple[FloatArray, FloatArray]:
    """Return times per token and to the first one at a percentile of the speed band, over typical ones, by machine."""
    if slow_ratio(percentile, 1.0) == 1.0:
        return np.ones(len(machines)), np.ones(len(machines))
    spreads = [speed_spreads(calibration, arch, machine, demand.stack) for machine in machines]
    ratios = np.array([[slow_ratio(percentile, spread_log) for spread_log in pair] for pair in spreads])
    return ratios[:, 0], ratios[:, 1]
