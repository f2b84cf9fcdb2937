"""What a mix of capacity is chosen from and for: tiers, a demand curve, limits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from planner.arrays import FloatArray
from planner.errors import PlanningError


class TierKind(StrEnum):
    """How capacity is had."""

    OWNED = "owned"
    COMMITTED = "committed"
    SPOT = "spot"
    ON_DEMAND = "on_demand"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One way to have capacity.

    Attributes
    ----------
    name : str
        Of the tier.
    kind : TierKind
        Owned and committed machines are chosen once and paid every hour; spot and on-demand ones are taken by the hour.
    fixed_usd_per_machine_hour : float
        Paid for every hour of a chosen machine, used or not.
    usd_per_unit_hour : float
        Paid for every unit (accelerator) at work; for spot and on-demand, for every unit of a machine taken.
    units_per_machine : int
        Units in a machine.
    max_machines : int, optional
        Most that can be had.
    whole : bool
        Whether machines come whole; a spend commitment (savings plan) can be any amount.
    term_hours : int
        Shortest time for which a machine is chosen; 0, or one that is as long as the curve, is chosen once for the
        whole of it, and the curve is taken to repeat.
    start_every_hours : int
        How often a shorter term may begin.
    capex_usd_per_machine, kw_per_machine : float
        What counts against the budget and the power limit.
    max_share_of_demand : float
        Largest part of an hour's demand that may rest on this tier (spot).
    availability_share : float
        Part of the hours taken that does useful work (interruptions).
    """

    name: str
    kind: TierKind
    fixed_usd_per_machine_hour: float = 0.0
    usd_per_unit_hour: float = 0.0
    units_per_machine: int = 1
    max_machines: int | None = None
    whole: bool = True
    term_hours: int = 0
    start_every_hours: int = 168
    capex_usd_per_machine: float = 0.0
    kw_per_machine: float = 0.0
    max_share_of_demand: float = 1.0
    availability_share: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        faults = [
            f"{name} must not be negative, got {value:g}"
            for name in (
                "fixed_usd_per_machine_hour",
                "usd_per_unit_hour",
                "capex_usd_per_machine",
                "kw_per_machine",
                "term_hours",
            )
            if not (value := getattr(self, name)) >= 0
        ]
        if self.units_per_machine < 1 or self.start_every_hours < 1:
            faults.append("units_per_machine and start_every_hours must be 1 or more")
        if not (0 <= self.max_share_of_demand <= 1 and 0 < self.availability_share <= 1):
            faults.append("max_share_of_demand lies in 0..1, availability_share above 0 and up to 1")
        if faults:
            raise PlanningError(f"tier {self.name}: " + "; ".join(faults))

    @property
    def is_chosen_once(self) -> bool:
        """Whether it is capacity that is paid every hour."""
        return self.kind in {TierKind.OWNED, TierKind.COMMITTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandCurve:
    """Units needed in each hour.

    Attributes
    ----------
    units : FloatArray, shape (hours,)
        Demand.
    deferrable_share : float
        Part of each hour's demand that may wait.
    deadline_hours : int
        For how long.
    """

    units: FloatArray
    deferrable_share: float = 0.0
    deadline_hours: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.units.ndim != 1 or not self.units.size:
            raise PlanningError("a demand curve needs an hour or more")
        if not np.isfinite(self.units).all() or (self.units < 0).any():
            raise PlanningError("demand must be a number that is not negative in every hour")
        if not 0 <= self.deferrable_share <= 1 or self.deadline_hours < 0:
            raise PlanningError("deferrable_share lies in 0..1, and deadline_hours is not negative")

    def rounded_up(self, step_units: float) -> DemandCurve:
        """Return the curve with demand rounded up to whole steps; 0 leaves it as it is."""
        if step_units == 0:
            return self
        return replace(self, units=np.ceil(self.units / step_units - 1e-9) * step_units)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the mix has to respect.

    Attributes
    ----------
    max_capex_usd, max_kw : float
        Budget for hardware, and power at the site.
    """

    max_capex_usd: float = math.inf
    max_kw: float = math.inf

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if not (self.max_capex_usd >= 0 and self.max_kw >= 0):
            raise PlanningError("budget and power limit must not be negative")
