"""A mixed-integer linear program, put together in blocks and solved by HiGHS through SciPy."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.arrays import FloatArray, IntArray
from planner.errors import PlanningError

INFEASIBLE, UNBOUNDED = 2, 3
"""Of SciPy's statuses."""
RELATIVE_GAP = 1e-7
"""How far from the best a mix may be, as a share of its cost."""


@dataclass(frozen=True, slots=True)
class Solution:
    """The best point that was found.

    Attributes
    ----------
    values : FloatArray, shape (columns,)
        The variables.
    gap_share : float
        How far the optimum may lie below, as a share of the cost; 0 is proven optimal.
    """

    values: FloatArray
    gap_share: float


class Program:
    """Columns (variables with costs and bounds) and rows (sums of columns within bounds), added block by block."""

    def __init__(self) -> None:
        self._cost: list[FloatArray] = []
        self._lower: list[FloatArray] = []
        self._upper: list[FloatArray] = []
        self._whole: list[NDArray[np.bool_]] = []
        self._row_lower: list[FloatArray] = []
        self._row_upper: list[FloatArray] = []
        self._entries: list[tuple[IntArray, IntArray, FloatArray]] = []
        self.columns = 0
        self.rows = 0

    def add_columns(
        self,
        count: int,
        *,
        cost: ArrayLike = 0.0,
        lower: ArrayLike = 0.0,
        upper: ArrayLike = np.inf,
        whole: bool = False,
    ) -> IntArray:
        """Add variables and return their numbers."""
        for kept, value in ((self._cost, cost), (self._lower, lower), (self._upper, upper)):
            kept.append(np.broadcast_to(np.asarray(value, dtype=float), (count,)))
        self._whole.append(np.full(count, whole))
        self.columns += count
        return np.arange(self.columns - count, self.columns)

    def add_rows(self, count: int, *, lower: ArrayLike = -np.inf, upper: ArrayLike = np.inf) -> IntArray:
        """Add sums, empty as yet, and return their numbers."""
        for kept, value in ((self._row_lower, lower), (self._row_upper, upper)):
            kept.append(np.broadcast_to(np.asarray(value, dtype=float), (count,)))
        self.rows += count
        return np.arange(self.rows - count, self.rows)

    def put(self, rows: ArrayLike, columns: ArrayLike, factors: ArrayLike) -> None:
        """Add columns times factors to rows; the three are broadcast together."""
        r, c, f = np.broadcast_arrays(np.asarray(rows), np.asarray(columns), np.asarray(factors, dtype=float))
        self._entries.append((r.ravel().astype(np.int64), c.ravel().astype(np.int64), f.ravel()))

    def solve(self, *, time_limit_s: float = 60.0) -> Solution | None:
        """Minimise the cost.

        Returns
        -------
        Solution or None
            None where no point meets all rows.

        Raises
        ------
        PlanningError
            If the time runs out before any point is found, or the cost has no lower bound.
        """
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import coo_array

        rows, columns, factors = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        matrix = coo_array((factors, (rows, columns)), shape=(self.rows, self.columns)).tocsc()
        whole = np.concatenate(self._whole)
        start = time.perf_counter()
        with _silent_standard_output():
            result = milp(
                np.concatenate(self._cost),
                integrality=whole.astype(np.uint8),
                bounds=Bounds(np.concatenate(self._lower), np.concatenate(self._upper)),
                constraints=LinearConstraint(matrix, np.concatenate(self._row_lower), np.concatenate(self._row_upper)),
                options={"time_limit": time_limit_s, "mip_rel_gap": RELATIVE_GAP},
            )
        if result.status == INFEASIBLE:
            return None
        if result.status == UNBOUNDED:
            raise PlanningError("the cheapest mix has no lower bound: some tier must have a negative price")
        if result.x is None:
            if time.perf_counter() - start < time_limit_s:
                raise PlanningError(
                    f"the solver found no mix: {str(result.message).splitlines()[0]}",
                    hint="sizes and prices far apart are hard for it: state GPUs in thousands, or fewer tiers",
                )
            raise PlanningError(
                f"no mix was found within {time_limit_s:g} s",
                hint="use fewer hours or tiers, or allow more time",
            )
        gap = float(result.mip_gap or 0.0) if whole.any() else 0.0
        return Solution(np.asarray(result.x), max(gap, 0.0) if np.isfinite(gap) else 0.0)


@contextmanager
def _silent_standard_output() -> Iterator[None]:
    """Keep what HiGHS prints for its own makers off standard output, which is for data; it has no option for that."""
    try:
        kept = os.dup(1)
    except OSError:  # standard output is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
