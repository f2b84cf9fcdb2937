"""What a user asks of a mix: the schema of ``demand.yaml``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from planner.costs.timeline import Timeline
from planner.demand.profiles import curve_from_csv, curve_from_profile
from planner.demand.workload import Profile
from planner.inputs.amount import Section
from planner.mix.capacity import DemandCurve, Limits, Tier, TierKind
from pricing.clock import HOURS_PER_MONTH

Positive = Annotated[float, Field(gt=0, le=1e9)]
NotNegative = Annotated[float, Field(ge=0, le=1e12)]
Share = Annotated[float, Field(ge=0, le=1)]


class DemandStated(Section):
    """Accelerators needed by hour; one of `profile`, `gpus_by_hour` and `csv`.

    Attributes
    ----------
    profile : Profile
        ``steady``, ``office_hours``, ``batch_nights`` or ``bursty``, with `mean_gpus` or `peak_gpus`.
    mean_gpus, peak_gpus : float
        Size of the profile.
    hours : int
        Length of a profile's curve.
    gpus_by_hour : tuple of float
        The curve itself.
    csv : str
        A file with one line an hour (``hour,gpus``), beside the request.
    deferrable_share, deadline_hours : float, int
        Part of each hour's demand that may wait, and for how long.
    """

    profile: Profile | None = None
    mean_gpus: Positive | None = None
    peak_gpus: Positive | None = None
    hours: Annotated[int, Field(ge=1, le=100_000)] = 8760
    gpus_by_hour: tuple[NotNegative, ...] = ()
    csv: str = ""
    deferrable_share: Share = 0.0
    deadline_hours: Annotated[int, Field(ge=0, le=8760)] = 0

    @model_validator(mode="after")
    def _one_source(self) -> DemandStated:
        stated = [bool(self.profile), bool(self.gpus_by_hour), bool(self.csv)]
        if sum(stated) != 1:
            raise ValueError("state one of profile, gpus_by_hour and csv")
        if self.profile and (self.mean_gpus is None) == (self.peak_gpus is None):
            raise ValueError("a profile needs mean_gpus or peak_gpus, and not both")
        if self.deferrable_share > 0 and self.deadline_hours == 0:
            raise ValueError("work that may wait needs deadline_hours of 1 or more")
        return self


class TierStated(Section):
    """One way to have capacity; see `planner.mix.capacity.Tier`."""

    name: Annotated[str, Field(min_length=1, max_length=100)]
    kind: Literal["owned", "committed", "spot", "on_demand"]
    fixed_usd_per_machine_hour: NotNegative = 0.0
    usd_per_gpu_hour: NotNegative = 0.0
    gpus_per_machine: Annotated[int, Field(ge=1, le=10_000)] = 1
    max_machines: Annotated[int, Field(ge=0)] | None = None
    whole: bool = True
    term_hours: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    start_every_hours: Annotated[int, Field(ge=1, le=8760)] = 168
    capex_usd_per_machine: NotNegative = 0.0
    kw_per_machine: NotNegative = 0.0
    max_share_of_demand: Share = 1.0
    availability_share: Annotated[float, Field(gt=0, le=1)] = 1.0


class LimitsStated(Section):
    """What the mix has to respect; see `planner.mix.capacity.Limits`. Risk is read and changes nothing, since demand is one curve."""

    max_capex_usd: NotNegative | None = None
    max_kw: NotNegative | None = None
    risk_weight_share: Share = 0.0
    risk_tail_share: Annotated[float, Field(gt=0, le=1)] = 0.05


class MixRequest(Section):
    """Demand, the tiers to serve it from, and limits.

    Attributes
    ----------
    demand : DemandStated
        Accelerators needed by hour.
    gpu : str
        Accelerator whose offers make the tiers where none are stated.
    tiers : tuple of TierStated
        Ways to have capacity, from the user's own prices.
    limits : LimitsStated
        Budget, power.
    """

    demand: DemandStated
    gpu: str = ""
    tiers: tuple[TierStated, ...] = ()
    limits: LimitsStated = LimitsStated()

    @model_validator(mode="after")
    def _has_tiers(self) -> MixRequest:
        if not self.tiers and not self.gpu:
            raise ValueError("state tiers with their prices, or the gpu whose offers are to be used")
        names = [tier.name for tier in self.tiers]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"every tier needs its own name; twice: {', '.join(sorted(twice))}")
        return self

    def curve(self, read_text: Callable[[str], str]) -> DemandCurve:
        """Return the demand curve; `read_text` reads the file that `csv` names."""
        stated = self.demand
        if stated.profile:
            units = curve_from_profile(
                stated.profile, hours=stated.hours, mean_gpus=stated.mean_gpus, peak_gpus=stated.peak_gpus
            )
        elif stated.csv:
            units = curve_from_csv(read_text(stated.csv), stated.csv)
        else:
            units = np.array(stated.gpus_by_hour)
        return DemandCurve(units=units, deferrable_share=stated.deferrable_share, deadline_hours=stated.deadline_hours)

    def stated_tiers(self) -> tuple[Tier, ...]:
        """Return the tiers that the user stated."""
        return tuple(
            Tier(
                kind=TierKind(tier.kind),
                usd_per_unit_hour=tier.usd_per_gpu_hour,
                units_per_machine=tier.gpus_per_machine,
                **tier.model_dump(exclude={"kind", "usd_per_gpu_hour", "gpus_per_machine"}),
            )
            for tier in self.tiers
        )

    def stated_limits(self) -> Limits:
        """Return the limits."""
        return Limits(**self.limits.model_dump(include={"max_capex_usd", "max_kw"}, exclude_none=True))


def owned_tier(
    name: str,
    timeline: Timeline,
    *,
    gpus_per_machine: int,
    capex_usd: float,
    max_kw: float,
    discount_rate_share_per_year: float,
    hours_per_month: float = HOURS_PER_MONTH,
) -> Tier:
    """Return the tier of an owned server from its timeline.

    Parameters
    ----------
    name : str
        Of the tier.
    timeline : Timeline
        Of one server that is always busy (`planner.costs.evaluate.timelines` with a busy share of 1 and no lead time).
    gpus_per_machine : int
        In the server.
    capex_usd, max_kw : float
        What counts against budget and power limit.
    discount_rate_share_per_year, hours_per_month : float
        The server's level cost is the annuity of its present value at this rate, over these hours.
    """
    fixed, with_use = timeline.usd_per_clock_hour(discount_rate_share_per_year, hours_per_month)
    return Tier(
        name=name,
        kind=TierKind.OWNED,
        fixed_usd_per_machine_hour=max(fixed, 0.0),
        usd_per_unit_hour=with_use / gpus_per_machine,
        units_per_machine=gpus_per_machine,
        capex_usd_per_machine=capex_usd,
        kw_per_machine=max_kw,
    )
