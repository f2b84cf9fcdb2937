"""A request log on the fleet of a plan's option: what it costs, for which percentile, and with how many replicas by the hour."""

from __future__ import annotations

from dataclasses import dataclass

from planner.traffic.autoscaling import Autoscaled
from planner.traffic.percentiles import Limits
from planner.traffic.replay import Fewest, Replay, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ToZero:
    """Replicas that are all given back when idle: requests that wait for a start, and what staying ready costs instead."""

    is_chosen: bool
    waiting_share: float
    staying_ready_usd_per_month: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedFleet:
    """A log on the fleet of a plan's option.

    Attributes
    ----------
    target : Target
        Of which the log was replayed.
    limits : Limits
        What the requests may wait.
    replay : Replay
        How they were served, and on what they could be for less.
    hours_per_month : float
        Of machines that are always on.
    """

    target: Target
    limits: Limits
    replay: Replay
    hours_per_month: float

    def usd_per_month(self, target: Target, fewest: Fewest | None) -> float | None:
        """Return what a fleet of fixed size costs."""
        return target.usd_per_month(fewest, self.hours_per_month)

    def best(self) -> Fewest | None:
        """Return the fewest accelerators of the cheapest option that hold the limits at their percentile."""
        cheapest, percentile = self.replay.cheapest, self.limits.percentile
        return self.replay.fewest_on(cheapest).get(percentile) if cheapest and percentile else None

    def autoscaled_usd_per_month(self, scaled: Autoscaled | None) -> float | None:
        """Return what the cheapest option costs when its replicas follow the log; None where that saves nothing or is not known."""
        target, best = self.replay.cheapest, self.best()
        if target is None or scaled is None or best is None or not target.is_paid_by_hour:
            return None
        usd = self.usd_per_month(target, best)
        return None if usd is None else usd * scaled.paid_share(self.replicas_per_machine(target, best))

    def to_zero(self) -> ToZero | None:
        """Return what scaling to zero when idle changes; None where it changes nothing."""
        chosen, other = self.replay.autoscaled, self.replay.counterpart
        if chosen is None or other is None:
            return None
        zero, ready = sorted((chosen, other), key=lambda scaled: scaled.autoscaling.least_count)
        zero_usd, ready_usd = self.autoscaled_usd_per_month(zero), self.autoscaled_usd_per_month(ready)
        return ToZero(
            is_chosen=zero is chosen, waiting_share=zero.held_back_share,
            staying_ready_usd_per_month=None if zero_usd is None or ready_usd is None else ready_usd - zero_usd,
        )  # fmt: skip

    @staticmethod
    def replicas_per_machine(target: Target, fewest: Fewest) -> int:
        """Return how many replicas a machine holds; 1 where one takes several machines."""
        return max(1, round(1.0 / target.replica_machines(fewest)))

    def p99_added_usd(self) -> float | None:
        """Return what meeting the limits for 99 % costs beyond the cheapest fleet, on whichever option does it for the least."""
        target, replay = self.replay.cheapest, self.replay
        if target is None:
            return None
        here = self.usd_per_month(target, self.best())
        tried = (self.target, *(option for option, _ in replay.others))
        costs = [self.usd_per_month(option, replay.fewest_on(option)[99.0]) for option in tried]
        strict = min((usd for usd in costs if usd is not None), default=None)
        return None if here is None or strict is None else strict - here

    def spare_usd(self, target: Target, fewest: Fewest) -> float | None:
        """Return what keeping the limits with one machine lost costs: without it there are fewer replicas than the fewest that hold."""
        usd = self.usd_per_month(target, fewest)
        return None if usd is None else usd / target.machines_of(fewest) * max(1.0, target.replica_machines(fewest))
