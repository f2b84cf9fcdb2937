"""What a fixed set of machines costs for a demand that may differ from the one that it was chosen for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from planner.arrays import FloatArray
from planner.tiers import Tier


def dispatched_usd(level: FloatArray, tiers: Sequence[Tier], machines: Mapping[str, float]) -> float:
    """Return the cost of serving a curve with machines that are there already, and the rest by the hour.

    Owned and committed machines work first, the cheapest hour first; then what is cheapest by the hour, spot up to its
    share of the demand.

    Parameters
    ----------
    level : FloatArray, shape (hours,)
        Accelerators needed.
    tiers : sequence of Tier
        All ways; one that is taken by the hour has to be without a limit, or the cost is infinite.
    machines : mapping of str to float
        How many of each owned or committed tier; none where it does not stand.

    Examples
    --------
    >>> from planner.tiers import TierKind
    >>> own = Tier(name="own", kind=TierKind.OWNED, fixed_usd_per_machine_hour=2.0, units_per_machine=2)
    >>> rent = Tier(name="rent", kind=TierKind.ON_DEMAND, usd_per_unit_hour=3.0)
    >>> dispatched_usd(np.array([1.0, 4.0]), [own, rent], {"own": 1.0})
    10.0
    """
    left = level.astype(float)
    total = 0.0
    chosen = sorted((tier for tier in tiers if tier.is_chosen_once), key=lambda tier: tier.usd_per_unit_hour)
    for tier in chosen:
        count = machines.get(tier.name, 0.0)
        served = np.minimum(left, count * tier.units_per_machine * tier.availability_share)
        total += count * tier.fixed_usd_per_machine_hour * len(level)
        total += float(served.sum()) / tier.availability_share * tier.usd_per_unit_hour
        left = left - served
    hourly = [tier for tier in tiers if not tier.is_chosen_once]
    for tier in sorted(hourly, key=lambda tier: tier.usd_per_unit_hour / tier.availability_share):
        served = np.minimum(left, level * tier.max_share_of_demand)
        if tier.max_machines is not None:
            served = np.minimum(served, tier.max_machines * tier.units_per_machine * tier.availability_share)
        taken = served / tier.availability_share
        if tier.whole:
            taken = np.ceil(taken / tier.units_per_machine - 1e-9) * tier.units_per_machine
        total += float(taken.sum()) * tier.usd_per_unit_hour
        left = left - served
    return total if float(left.max(initial=0.0)) <= 1e-6 else float("inf")
