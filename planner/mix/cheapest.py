"""The cheapest mix of owned, committed, spot and on-demand capacity for an hourly demand curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from planner.arrays import FloatArray
from planner.errors import NothingFitsError, PlanningError
from planner.mix.capacity import DemandCurve, Limits, Tier
from planner.mix.program import Program, Slots, TierColumns, add_limits, add_tier, add_waiting, periods, slots_of

MOST_LEVELS = 600
"""Different sizes of demand that are kept where it has to be rounded."""
MOST_WHOLE_UNITS = 1e6
"""Of more, a part of a machine is nothing, and whole numbers are beyond the solver."""
MOST_UNKNOWNS = 600_000
"""Hours that differ times tiers; the solver takes some 3 GB for these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TierUse:
    """What the mix takes of one tier.

    Attributes
    ----------
    name : str
        Of the tier.
    machines : float
        Chosen; the most at one time where terms are short. 0 for tiers taken by the hour.
    unit_hours : float
        Useful hours served.
    idle_unit_hours : float
        Paid and not used.
    fixed_usd, variable_usd : float
        Paid for having and for using.
    """

    name: str
    machines: float
    unit_hours: float
    idle_unit_hours: float
    fixed_usd: float
    variable_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MixResult:
    """The cheapest mix.

    Attributes
    ----------
    total_usd : float
        Cost over the curve.
    tiers : tuple of TierUse
        In the order of the question.
    single_tier_usd : dict of str to float
        What each tier would cost that could do everything alone.
    gap_share : float
        How far the optimum may lie below.
    rounded_to_units : float
        Step to which demand was rounded up, since machines taken by the hour come whole; 0 where it was not.
    dispatch_units : FloatArray, shape (tiers, hours)
        Units at work.
    """

    total_usd: float
    tiers: tuple[TierUse, ...]
    single_tier_usd: dict[str, float]
    gap_share: float
    rounded_to_units: float
    dispatch_units: FloatArray = field(repr=False, compare=False)


def cheapest_mix(
    curve: DemandCurve, tiers: Sequence[Tier], limits: Limits | None = None, *, time_limit_s: float = 60.0
) -> MixResult:
    """Find the cheapest mix that serves every hour.

    Parameters
    ----------
    curve : DemandCurve
        Units needed by hour.
    tiers : sequence of Tier
        Ways to have capacity, names different.
    limits : Limits, optional
        Budget, power.
    time_limit_s : float
        The best mix found until then is returned, with its gap.

    Returns
    -------
    MixResult

    Raises
    ------
    NothingFitsError
        If all tiers together cannot serve some hour within the limits.
    PlanningError
        If two tiers share a name, or the time ran out.

    Examples
    --------
    >>> from planner.mix.capacity import TierKind
    >>> steady = DemandCurve(units=np.array([2.0, 2.0, 5.0]))
    >>> mix = cheapest_mix(steady, [Tier(name="reserved", kind=TierKind.COMMITTED, fixed_usd_per_machine_hour=1.9),
    ...                             Tier(name="on demand", kind=TierKind.ON_DEMAND, usd_per_unit_hour=3.4)])
    >>> [round(tier.machines) for tier in mix.tiers], round(mix.total_usd, 6)
    ([2, 0], 21.6)
    """
    limits = limits or Limits()
    if not tiers or len({tier.name for tier in tiers}) != len(tiers):
        raise PlanningError("a mix needs tiers, each with its own name")
    _check_reach(curve, tiers)
    if curve.units.max() > MOST_WHOLE_UNITS:
        tiers = [replace(tier, whole=False) for tier in tiers]
    hours = len(curve.units)
    defers = curve.deferrable_share > 0 and curve.deadline_hours > 0
    period = np.arange(hours) if defers else periods(tiers, hours)
    rounded = _rounding(curve, tiers)
    slots = slots_of(curve.rounded_up(rounded), period)
    if not rounded and len(slots.demand) * len(tiers) > MOST_UNKNOWNS:
        rounded = float(curve.units.max()) / MOST_LEVELS
        slots = slots_of(curve.rounded_up(rounded), period)
    if len(slots.demand) * len(tiers) > MOST_UNKNOWNS:
        raise PlanningError(
            f"{len(slots.demand):,} different hours and {len(tiers)} tiers are more than a solver can hold",
            hint="give fewer hours (a year), or fewer tiers",
        )
    curve = curve.rounded_up(rounded)
    program = Program()
    cost = program.add_columns(1, lower=-np.inf, cost=1.0)
    pay = program.add_rows(1, lower=0.0, upper=0.0)
    program.put(pay, cost, -1.0)
    # No more is at work than is needed: a machine that is paid either way would else seem to be busy.
    most = np.inf if defers else slots.demand
    served = program.add_rows(len(slots.demand), lower=slots.demand * (1 - curve.deferrable_share * defers), upper=most)
    columns = [add_tier(program, tier, slots, hours, served, pay) for tier in tiers]
    if defers:
        add_waiting(program, curve, slots, served)
    add_limits(program, tiers, columns, limits)
    solution = program.solve(time_limit_s=time_limit_s)
    if solution is None:
        raise NothingFitsError(
            "no mix serves this demand within the limits",
            hint="raise the budget or the power limit, or add a tier without a limit (on demand)",
        )
    uses, dispatch = [], []
    for tier, tier_columns in zip(tiers, columns, strict=True):
        use, units = _use(tier, tier_columns, solution.values, slots, hours)
        uses.append(use)
        dispatch.append(units)
    return MixResult(
        total_usd=float(solution.values[cost].item()),
        tiers=tuple(uses),
        single_tier_usd=single_tier_costs_usd(curve, tiers, limits),
        gap_share=solution.gap_share,
        rounded_to_units=rounded,
        dispatch_units=np.stack(dispatch),
    )


def single_tier_costs_usd(curve: DemandCurve, tiers: Sequence[Tier], limits: Limits | None = None) -> dict[str, float]:
    """Return the cost of each tier that could do everything alone, nothing deferred."""
    limits = limits or Limits()
    hours = len(curve.units)
    costs = {}
    for tier in tiers:
        needed = curve.units / (tier.availability_share * tier.units_per_machine)
        machines = np.ceil(needed - 1e-9) if tier.whole else needed
        most = float(machines.max())
        if tier.max_share_of_demand < 1 or (tier.max_machines is not None and most > tier.max_machines):
            continue
        if tier.is_chosen_once:
            if most * tier.capex_usd_per_machine > limits.max_capex_usd or most * tier.kw_per_machine > limits.max_kw:
                continue
            paid_hours = hours if tier.term_hours == 0 else _term_hours(tier, hours)
            work = (curve.units / tier.availability_share).sum()
            costs[tier.name] = most * tier.fixed_usd_per_machine_hour * paid_hours + work * tier.usd_per_unit_hour
        else:
            costs[tier.name] = machines.sum() * tier.units_per_machine * tier.usd_per_unit_hour
    return {name: float(usd) for name, usd in costs.items()}


def _term_hours(tier: Tier, hours: int) -> int:
    """Return the hours that are paid for a machine kept through the curve."""
    return hours if tier.term_hours >= hours else math.ceil(hours / tier.term_hours) * tier.term_hours


def _check_reach(curve: DemandCurve, tiers: Sequence[Tier]) -> None:
    """Say at once when even all tiers together cannot serve the busiest hour."""
    if curve.deferrable_share > 0 or any(tier.max_machines is None and tier.max_share_of_demand == 1 for tier in tiers):
        return
    units = curve.units
    reach = np.zeros_like(units)
    for tier in tiers:
        most = math.inf if tier.max_machines is None else tier.max_machines * tier.units_per_machine
        reach += np.minimum(most * tier.availability_share, tier.max_share_of_demand * units)
    short = units > reach * (1 + 1e-9)
    if short.any():
        hour = int(short.argmax())
        raise NothingFitsError(
            f"hour {hour} needs {units[hour]:g} units, and all tiers together reach {reach[hour]:g}",
            hint="add a tier without a limit (on demand), or raise max_machines",
        )


def _rounding(curve: DemandCurve, tiers: Sequence[Tier]) -> float:
    """Return the step to round demand up to: whole units, or a six-hundredth of the peak, and 0 for no rounding.

    A machine of several units that is taken by the hour makes one whole number for each level of demand. A part of
    an accelerator cannot be had anyway, and many levels are more than any solver should be asked for.
    """
    if all(tier.is_chosen_once or tier.units_per_machine == 1 or not tier.whole for tier in tiers):
        return 0.0
    return float(max(1.0, math.ceil(float(curve.units.max()) / MOST_LEVELS)))


def _use(
    tier: Tier, tier_columns: TierColumns, values: FloatArray, slots: Slots, hours: int
) -> tuple[TierUse, FloatArray]:
    """Read a tier's part from the solution."""
    units = values[tier_columns.units]
    machines = np.rint(values[tier_columns.machines]) if tier.whole else values[tier_columns.machines]
    worked = float(slots.hours @ units)
    present = np.zeros(hours)
    for count, begin, end in zip(machines, tier_columns.begins, tier_columns.ends, strict=True):
        present[begin:end] += count
    if tier.is_chosen_once:
        short = 0 < tier.term_hours < hours
        fixed = float(machines.sum()) * tier.fixed_usd_per_machine_hour * (tier.term_hours if short else hours)
        paid, variable = float(present.sum()) * tier.units_per_machine, worked * tier.usd_per_unit_hour
    else:
        taken = units if tier_columns.taken is None else values[tier_columns.taken] * tier.units_per_machine
        fixed, paid = 0.0, float(slots.hours @ taken)
        variable = paid * tier.usd_per_unit_hour
    use = TierUse(
        name=tier.name,
        machines=float(present.max()) if present.any() else 0.0,
        unit_hours=worked * tier.availability_share,
        idle_unit_hours=max(paid - worked, 0.0),
        fixed_usd=fixed,
        variable_usd=variable,
    )
    return use, units[slots.of_hour]
