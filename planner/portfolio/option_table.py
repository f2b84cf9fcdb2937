"""Options of many workloads as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from planner.arrays import BoolArray, FloatArray
from planner.options.option import LONGEST_FREE_TERM_MONTHS, OptionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridges:
    """What does each workload until owned servers are delivered (`planner.options.substitutes`).

    Attributes
    ----------
    usd : FloatArray, shape (2, workloads)
        Present value and plain sum; infinite where nothing may do it.
    offer : ndarray of int, shape (workloads,)
        Row of the allowed market's offers; -1 where it is none.
    tokens_usd_per_month : FloatArray, shape (workloads,)
        Bill of a hosted API; 0 where it is none.
    """

    usd: FloatArray
    offer: NDArray[np.intp]
    tokens_usd_per_month: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What an option is, however much work it does, by the names of `planner.options.option.Option`.

    Attributes
    ----------
    row : int
        Of the allowed market's offers, or of its servers for what is owned; -1 where it is neither.
    """

    id: str
    kind: OptionKind
    provider: str
    region: str = ""
    instance_type: str
    purchase_option: str
    accelerator: str | None = None
    accelerator_count: float = 0.0
    priced_on: date
    row: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionTable:
    """Options by workload: axis 0 are options, in the order of their ids within each kind, axis 1 workloads.

    Attributes
    ----------
    listed : tuple of Listed
        What each option is.
    kind : ndarray of str
        `planner.options.option.OptionKind` of each option.
    basis : tuple of str
        What the speed of its machines rests on; empty without machines.
    accelerator_count : FloatArray
        In one instance.
    term_months : FloatArray
        For how long an option binds.
    is_open : BoolArray
        Whether it may be recommended.
    present_value_usd, total_usd, usd_per_month : FloatArray
        Its money; infinite where it is not open.
    instance_count, hours_per_run, on_hours : FloatArray
        Machines, hours of one run (NaN for work that never ends), hours on in each month (in all, for a run).
    bridge : Bridges
        What does each workload until owned servers are delivered.
    is_affordable_at_all : ndarray of bool, shape (workloads,)
        Whether some option would be open with any budget.
    """

    listed: tuple[Listed, ...]
    kind: NDArray[np.str_]
    basis: tuple[str, ...]
    accelerator_count: FloatArray
    term_months: FloatArray
    is_open: BoolArray
    present_value_usd: FloatArray
    total_usd: FloatArray
    usd_per_month: FloatArray
    instance_count: FloatArray
    hours_per_run: FloatArray
    on_hours: FloatArray
    bridge: Bridges
    is_affordable_at_all: BoolArray

    @property
    def binds(self) -> BoolArray:
        """Whether each binds for more than a year."""
        return self.term_months > LONGEST_FREE_TERM_MONTHS


@dataclass(slots=True)
class OptionsOfKind:
    """Options of one kind: what each is, the row of its machine (-1 without one), and its figures by workload."""

    listed: list[Listed]
    machine: NDArray[np.intp]
    is_open: BoolArray
    usd: FloatArray  # (2, options, workloads): present value, and plain sum
    months: FloatArray | NDArray[np.int64] | float  # in which there is work
    instance_count: FloatArray
    hours_per_run: FloatArray
    on_hours: FloatArray
