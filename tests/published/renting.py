"""What renting costs, month by month, written a second time: against it the product's formulas are checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.costs.timeline import Timeline
from planner.errors import PlanningError

RENT_COMPONENTS = (
    "upfront",
    "commitment",
    "on_demand",
    "in_advance",
    "rest_of_term",
    "support_of_upfront",
    "support_of_commitment",
    "support_of_use",
    "storage",
    "egress",
    "fees",
)


def by_month(value: ArrayLike, months: int, option_axes: int) -> FloatArray:
    """Give a value a last axis of months: its own where it has one axis more than the options, else a constant one.

    Parameters
    ----------
    value : array_like, shape options or options + (months,)
        Of each option, or of each option and month.
    months : int
        Horizon.
    option_axes : int
        Number of axes of the options.

    Returns
    -------
    FloatArray, shape options + (months,)

    Examples
    --------
    >>> by_month(2.0, 3, 0).tolist(), by_month([1.0, 0.0, 0.0], 3, 0).tolist()
    ([2.0, 2.0, 2.0], [1.0, 0.0, 0.0])
    """
    array = np.asarray(value, dtype=float)
    if array.ndim <= option_axes:
        return np.repeat(array[..., None], months, axis=-1)
    if array.shape[-1] != months:
        raise ValueError(f"values by month must have {months} months, got {array.shape[-1]}")
    return array


def price_path_ratio(price_change_share_per_year: ArrayLike, months: int) -> FloatArray:
    """Return the rent of each month over today's, for a steady change.

    Parameters
    ----------
    price_change_share_per_year : array_like
        Change in a year, above -1; the first month is charged at today's price, the thirteenth at (1 + change) times it.
    months : int
        Horizon.

    Returns
    -------
    FloatArray, shape of the change + (months,)

    Raises
    ------
    PlanningError
        If a change is not a number above -1.

    Examples
    --------
    >>> price_path_ratio(-0.19, 24)[[0, 6, 12]].round(6).tolist()
    [1.0, 0.9, 0.81]
    """
    change = np.asarray(price_change_share_per_year, dtype=float)
    if not np.all(np.isfinite(change)) or np.any(change <= -1):
        raise PlanningError(f"a yearly price change must be a number above -1, got {price_change_share_per_year!r}")
    path: FloatArray = (1.0 + change[..., None]) ** (np.arange(months) / 12.0)
    return path


def billed_hours(hours: ArrayLike, minimum_hours: ArrayLike) -> FloatArray:
    """Round hours up to whole billing steps.

    Parameters
    ----------
    hours : array_like
        Hours used.
    minimum_hours : array_like
        Shortest time that is sold, and the step above it (24 for a Capacity Block); 0 bills what is used.

    Returns
    -------
    FloatArray

    Examples
    --------
    >>> billed_hours([0, 1, 24, 25, 36.5], [24, 24, 24, 24, 0]).tolist()
    [0.0, 24.0, 24.0, 48.0, 36.5]
    """
    used, step = np.broadcast_arrays(np.asarray(hours, dtype=float), np.asarray(minimum_hours, dtype=float))
    steps = np.divide(used, step, out=np.zeros(used.shape), where=step > 0)
    # A hair's breadth above a whole day is rounding of floats, not a second day.
    return np.where(step > 0, np.ceil((steps - 1e-9).clip(min=0.0)) * step, used)


def rent_timeline(
    *,
    price_usd_per_hour: ArrayLike,
    instance_count: ArrayLike,
    paid_hours_per_month: ArrayLike,
    useful_gpu_hours_per_month: ArrayLike,
    months: int,
    upfront_usd: ArrayLike = 0.0,
    term_months: ArrayLike = 0,
    minimum_hours: ArrayLike = 0.0,
    paid_in_advance: ArrayLike = False,
    price_change_share_per_year: ArrayLike = 0.0,
    price_path: ArrayLike | None = None,
    overhead_ratio: ArrayLike = 1.0,
    storage_usd_per_month: ArrayLike = 0.0,
    egress_usd_per_month: ArrayLike = 0.0,
    fees_usd_per_month: ArrayLike = 0.0,
    support_share: ArrayLike = 0.0,
    hours_per_month: float = 730.0,
) -> Timeline:
    """Return what one or many rented fleets cost.

    Without a term the hours used are paid, rounded up to `minimum_hours`; with one, every hour of the term is paid
    whatever is used, at the price of the day on which the term began. A term is renewed as long as work is left. The
    first term is paid to its end even where it outlasts the horizon (``rest_of_term``); a renewal that outlasts it
    counts for the months inside, and its upfront payment is credited for the months beyond.

    Parameters
    ----------
    price_usd_per_hour : array_like, shape options
        Of one instance, with an upfront payment spread over the term (as `pricing.facts.offers.Offer` states it).
    instance_count : array_like, shape options
        Instances.
    paid_hours_per_month : array_like, shape options or options + (months,)
        Hours a month in which an instance is on; a job that is run once has hours in its first months only. Where all
        options share the months, the leading axis is 1.
    useful_gpu_hours_per_month : array_like, shape options or options + (months,)
        Accelerator hours of useful work of the whole fleet.
    months : int
        Horizon.
    upfront_usd : array_like, shape options
        Paid for one instance at the start of each term; without a term, once.
    term_months : array_like of int, shape options
        Length of the commitment; 0 without one.
    minimum_hours : array_like, shape options
        Shortest time sold, and the step above it.
    paid_in_advance : array_like of bool, shape options
        Whether the hours of a month are paid when it begins (capacity blocks).
    price_change_share_per_year : array_like, shape options
        Steady change of the price; see `price_path_ratio`.
    price_path : array_like, shape (months,) or options + (months,), optional
        Price of each month over today's; stands instead of the steady change.
    overhead_ratio : array_like, shape options
        Wall time over useful time of interruptible machines (see `planner.costs.spot`); stretches hours without a term.
    storage_usd_per_month, egress_usd_per_month, fees_usd_per_month : array_like, shape options
        Of the whole fleet, while there is work.
    support_share : array_like, shape options
        Support plan, as a share of the bill for machines.
    hours_per_month : float
        Clock hours in a month, which a commitment pays.

    Returns
    -------
    Timeline
        Of shape options + (components, months + 1).

    Raises
    ------
    PlanningError
        If a price, a count or hours are negative.

    Examples
    --------
    Ten days of a job under on-demand, and the same under a one-year term:

    >>> once = [[240.0] + [0.0] * 11]
    >>> both = rent_timeline(price_usd_per_hour=[10.0, 6.0], instance_count=1, paid_hours_per_month=once,
    ...                      useful_gpu_hours_per_month=once, months=12, term_months=[0, 12])
    >>> both.total_usd().tolist()
    [2400.0, 52560.0]
    """
    price, count, upfront, term, step, advance, overhead, storage, egress, fees, support = np.broadcast_arrays(
        *(
            np.asarray(value, dtype=float)[..., None]
            for value in (
                price_usd_per_hour,
                instance_count,
                upfront_usd,
                term_months,
                minimum_hours,
                paid_in_advance,
                overhead_ratio,
                storage_usd_per_month,
                egress_usd_per_month,
                fees_usd_per_month,
                support_share,
            )
        )
    )
    hours = by_month(paid_hours_per_month, months, price.ndim - 1)
    useful = by_month(useful_gpu_hours_per_month, months, price.ndim - 1)
    for name, value in (
        ("price", price),
        ("instance count", count),
        ("upfront payment", upfront),
        ("term", term),
        ("paid hours", hours),
        ("useful hours", useful),
    ):
        # Comparing this way round refuses NaN as well.
        if not np.all(value >= 0):
            raise PlanningError(f"{name} must not be negative, got {float(np.min(value)):g}")
    path = (
        price_path_ratio(price_change_share_per_year, months)
        if price_path is None
        else np.asarray(price_path, dtype=float)
    )
    hours, useful, path, price, count, upfront, term, advance, *extras = np.broadcast_arrays(
        hours, useful, path, price, count, upfront, term, advance, step, overhead, storage, egress, fees, support
    )
    step, overhead, storage, egress, fees, support = extras
    month = np.arange(months)  # 0 is the first month
    committed = term > 0
    safe_term = np.where(committed, term, 1.0)
    began = np.floor(month / safe_term) * safe_term  # month in which the running term began
    at_work = (hours > 0) | (useful > 0)
    last = np.where(at_work, month + 1, 0).max(axis=-1, keepdims=True)
    bound = committed & ((began == 0) | (began < last))
    locked = np.take_along_axis(path, began.astype(np.intp), axis=-1)
    starts = bound & (began == month)

    hourly = np.where(committed, price - upfront / (safe_term * hours_per_month), price)
    # Offers state effective prices with few digits: an all-upfront one leaves a hair, not a credit.
    hourly = np.where(np.abs(hourly) < 1e-6 * price, 0.0, hourly)
    if np.any(hourly < 0):
        raise PlanningError("an upfront payment is larger than the effective price times the hours of the term")
    monthly_usd = hourly * hours_per_month * count
    used_usd = np.where(committed, 0.0, price * path * count * billed_hours(hours * overhead, step))

    cash = np.zeros((*path.shape[:-1], len(RENT_COMPONENTS), months + 1))
    row = {name: cash[..., i, :] for i, name in enumerate(RENT_COMPONENTS)}
    row["commitment"][..., 1:] = np.where(bound, monthly_usd * locked, 0.0)
    row["on_demand"][..., 1:] = np.where(advance > 0, 0.0, used_usd)
    row["in_advance"][..., :-1] = np.where(advance > 0, used_usd, 0.0)
    row["upfront"][..., :-1] = np.where(starts, upfront * count * locked, 0.0)
    row["upfront"][..., 0] += np.where(committed[..., 0], 0.0, (upfront * count)[..., 0])
    beyond = np.where(bound, began + safe_term - months, 0.0)[..., -1].clip(min=0.0)
    first_term = began[..., -1] == 0
    row["rest_of_term"][..., -1] = np.where(first_term, beyond * monthly_usd[..., -1], 0.0)
    unexpired = beyond / safe_term[..., -1] * (upfront * count * locked)[..., -1]
    row["upfront"][..., -1] -= np.where(first_term, 0.0, unexpired)
    row["support_of_use"][...] = support[..., :1] * (row["on_demand"] + row["in_advance"])
    row["support_of_commitment"][...] = support[..., :1] * (row["commitment"] + row["rest_of_term"])
    row["support_of_upfront"][...] = support[..., :1] * row["upfront"]
    working = month < last
    row["storage"][..., 1:] = np.where(working, storage, 0.0)
    row["egress"][..., 1:] = np.where(working, egress, 0.0)
    row["fees"][..., 1:] = np.where(working, fees, 0.0)
    done = np.concatenate([np.zeros((*useful.shape[:-1], 1)), useful], axis=-1)
    return Timeline(RENT_COMPONENTS, cash, done)
