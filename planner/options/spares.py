"""Spares: what machines that stand by add to an option's bill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import BuyInputs, RentInputs
from planner.supply.machines import Fleet


def spare_costs_usd_per_month(
    all_inputs: Sequence[RentInputs | BuyInputs], fleets: Sequence[Fleet], assumptions: Assumptions, costs_usd: FloatArray, *, months: int
) -> FloatArray:  # fmt: skip
    """Return what the spares of each option add to the mean month: its cost, less that of the same machines without them.

    Parameters
    ----------
    books : sequence of RentInputs or BuyInputs
        Of one kind and site.
    fleets : sequence of Fleet
        Their machines; work with spares never ends.
    costs_usd : FloatArray, shape (options,)
        Plain sums of the options, spares counted.
    months : int
        Horizon.
    """
    if not any(fleet.spare_instance_count for fleet in fleets):
        return costs_usd * 0.0
    clock = assumptions["money.hours_per_month"]
    bare = [_without_spares(cost_inputs, fleet, clock) for cost_inputs, fleet in zip(all_inputs, fleets, strict=True)]
    return (costs_usd - timelines(bare, assumptions, months=months).total_usd()) / months


def _without_spares(
    cost_inputs: RentInputs | BuyInputs, fleet: Fleet, hours_per_month: float
) -> RentInputs | BuyInputs:
    """Return an option's numbers without its spares, which are on in every hour."""
    total, spare = fleet.instance_count, fleet.spare_instance_count
    hours = max(cost_inputs.hours_per_month * total - hours_per_month * spare, 0.0) / (total - spare)
    if isinstance(cost_inputs, RentInputs):
        return replace(cost_inputs, instance_count=total - spare, hours_per_month=hours)
    busy_hours = cost_inputs.hours_per_month * cost_inputs.busy_ratio * total / (total - spare)
    return replace(
        cost_inputs, server_count=total - spare, hours_per_month=hours, busy_ratio=busy_hours / hours if hours else 0.0
    )
