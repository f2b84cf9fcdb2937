"""A mixed-integer linear program, put together in blocks and solved by HiGHS."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from planner.errors import PlanningError

__all__ = ["Program", "Solution"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Solution:
    """The best point that was found.

    Attributes
    ----------
    objective : float
        Its cost.
    values : FloatArray, shape (columns,)
        The variables.
    gap_share : float
        How far the optimum may lie below, as a share of the cost; 0 is proven optimal.
    """

    objective: float
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

    def solve(self, *, time_limit_s: float = 60.0, relative_gap: float = 1e-7) -> Solution | None:
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
        import highspy
        from scipy.sparse import coo_array

        rows, columns, factors = (np.concatenate(part) for part in zip(*self._entries, strict=True))
        matrix = coo_array((factors, (rows, columns)), shape=(self.rows, self.columns)).tocsc()
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = self.columns, self.rows
        lp.col_cost_ = np.concatenate(self._cost)
        lp.col_lower_ = np.concatenate(self._lower)
        lp.col_upper_ = np.concatenate(self._upper)
        lp.row_lower_ = np.concatenate(self._row_lower)
        lp.row_upper_ = np.concatenate(self._row_upper)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        lp.a_matrix_.num_col_, lp.a_matrix_.num_row_ = self.columns, self.rows
        lp.a_matrix_.start_ = matrix.indptr
        lp.a_matrix_.index_ = matrix.indices
        lp.a_matrix_.value_ = matrix.data
        whole = np.concatenate(self._whole)
        if whole.any():
            kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
            lp.integrality_ = [kinds[int(one)] for one in whole]
        solver = highspy.Highs()  # type: ignore[no-untyped-call]
        options = {"output_flag": False, "time_limit": time_limit_s, "mip_rel_gap": relative_gap, "threads": 1}
        for name, value in options.items():
            solver.setOptionValue(name, value)
        solver.passModel(lp)
        solver.run()
        status = solver.getModelStatus()
        known = highspy.HighsModelStatus
        if status in {known.kInfeasible, known.kUnboundedOrInfeasible}:
            return None
        if status == known.kUnbounded:
            raise PlanningError("the cheapest mix has no lower bound: some tier must have a negative price")
        info = solver.getInfo()
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            raise PlanningError(
                f"no mix was found within {time_limit_s:g} s",
                hint="use fewer hours or tiers, or allow more time",
            )
        gap = float(info.mip_gap) if whole.any() and np.isfinite(info.mip_gap) else 0.0
        return Solution(float(info.objective_function_value), np.array(solver.getSolution().col_value), max(gap, 0.0))
