"""Fewest machines: how many each layout takes, found once for all budgets of time.

A step's time on so many machines does not depend on how many steps there are, so deadline over steps, the *time allowed for a
step*, is all that decides the fleet. The bisections of all budgets walk down one tree together, so that a number of machines is
tried once and not once a budget. A single plan has one budget: its deadline.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.arrays import FloatArray
from planner.supply.constants import take
from planner.supply.training.candidates import Outcome, Scene, outcome_of

IntArray = NDArray[np.intp]

NO_DEADLINE_S = 1e300
"""What the bisection takes for a deadline where there is none; a layout that does not fit takes longer."""


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


def fewest(scene: Scene, most: FloatArray, budgets_s: FloatArray) -> tuple[Branch, Outcome]:
    """Return the leaves of the tree, every layout's smallest number of machines by range of budgets, and what they do.

    Where no number that is allowed is quick enough, a leaf has the largest one.

    Parameters
    ----------
    most : FloatArray, shape (layouts,)
        Machines that are allowed.
    budgets_s : FloatArray
        Seconds allowed for the scene's job, rising.

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
        np.ones(count),
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
    found = Branch(
        *(
            np.concatenate([getattr(leaf, name) for leaf in leaves])
            for name in ("layout", "low", "high", "first", "last")
        )
    )
    found = found.take(np.lexsort((found.first, found.layout)))
    return found, _on(scene, found.layout, found.high)
