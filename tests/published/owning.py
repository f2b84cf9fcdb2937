"""What owning costs, month by month, written a second time: against it the product's formulas are checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike

from planner.arrays import FloatArray
from planner.costs.inputs import Site
from planner.costs.servers import RESALE_AGES_MONTHS, server_power_kw
from planner.costs.timeline import Timeline
from planner.errors import PlanningError
from tests.published.renting import by_month

BUY_COMPONENTS = (
    "servers",
    "network",
    "install",
    "refresh",
    "resale",
    "idle_power",
    "busy_power",
    "colocation",
    "staff",
    "support",
    "spares",
    "software",
    "bridge_rent",
    "bridge_fixed",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResaleCurve:
    """Price of a used server over its price when new, by age.

    Attributes
    ----------
    ages_months : tuple of float
        Ages at which the share is known, rising, above 0.
    shares : tuple of float
        Share of the price when new at these ages.
    decline_log10_per_year : float
        Fall beyond the last age, in powers of ten a year.

    Raises
    ------
    PlanningError
        If ages do not rise, or a share is not in 0..1 or grows with age.

    Examples
    --------
    >>> curve = ResaleCurve(ages_months=(12, 36), shares=(0.64, 0.25), decline_log10_per_year=0.14)
    >>> curve.share_at([0, 6, 12, 24, 36, 48]).round(4).tolist()
    [1.0, 0.8, 0.64, 0.4, 0.25, 0.1811]
    """

    ages_months: tuple[float, ...]
    shares: tuple[float, ...]
    decline_log10_per_year: float

    def __post_init__(self) -> None:
        """Refuse a curve that does not fall."""
        ages, shares = (0.0, *self.ages_months), (1.0, *self.shares)
        if len(ages) != len(shares) or any(b <= a for a, b in pairwise(ages)):
            raise PlanningError(f"ages of a resale curve must rise and have one share each, got {self.ages_months}")
        if any(not 0 <= share <= 1 for share in shares) or any(b > a for a, b in pairwise(shares)):
            raise PlanningError(f"shares of a resale curve must fall from 1 towards 0, got {self.shares}")

    def share_at(self, age_months: ArrayLike) -> FloatArray:
        """Return the share at an age or ages, by straight lines between the logarithms of the known shares.

        A server loses a share of its value each month rather than an amount, hence the logarithms. A known share of 0
        is reached by a straight line of the share itself.
        """
        age = np.asarray(age_months, dtype=float)
        ages = np.array([0.0, *self.ages_months])
        shares = np.array([1.0, *self.shares])
        plain = np.interp(age, ages, shares)
        if (shares <= 0).any():
            return np.asarray(plain)
        by_log = np.exp(np.interp(age, ages, np.log(shares)))
        beyond = np.maximum(age - ages[-1], 0.0)
        return np.asarray(by_log * 10.0 ** (-self.decline_log10_per_year * beyond / 12.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnershipTerms:
    """What owning costs besides the server, as plain numbers.

    Attributes
    ----------
    electricity_usd_per_kwh : float
        Tariff at the site.
    pue_ratio : float
        Power of the whole site over power of the machines; cooling is in it.
    colocation_usd_per_kw_month, rack_usd_per_month, rack_usd_per_kw_month, wholesale_usd_per_kw_month : float
        Rent of space and capacity per kW of contracted (maximum) power, at least that of a rack with its power, at most that
        of a wholesale deal; electricity comes on top.
    idle_power_share, busy_power_share : float
        Draw of a waiting and of a working server, as shares of its maximum.
    network_share : float
        Share of switches and cables in the hardware bill of more than one server.
    install_share : float
        Delivery and installation, as a share of hardware.
    support_share_per_year, spares_share_per_year : float
        Of the hardware's price, a year; of spares, what the support contract does not cover.
    software_usd_per_gpu_year : float
        Licences.
    gpus_per_fte, fte_usd_per_year, staff_floor_fte, staff_share : float
        Accelerators that one full-time person looks after, their loaded cost, the least staffing of a site however
        small, and the part of this that is paid at all (0 where the user does it).
    resale : ResaleCurve
        What used hardware brings.
    selling_cost_share : float
        Of the resale price.
    life_months : int
        Age at which a server is replaced.
    refresh_price_change_share_per_year : float
        How the price of the replacement moves.
    """

    electricity_usd_per_kwh: float
    pue_ratio: float = 1.0
    colocation_usd_per_kw_month: float = 0.0
    rack_usd_per_month: float = 0.0
    rack_usd_per_kw_month: float = 0.0
    wholesale_usd_per_kw_month: float = float("inf")
    idle_power_share: float = 0.25
    busy_power_share: float = 0.75
    network_share: float = 0.0
    install_share: float = 0.0
    support_share_per_year: float = 0.0
    spares_share_per_year: float = 0.0
    software_usd_per_gpu_year: float = 0.0
    gpus_per_fte: float = 64.0
    fte_usd_per_year: float = 0.0
    staff_floor_fte: float = 0.0
    staff_share: float = 1.0
    resale: ResaleCurve
    selling_cost_share: float = 0.0
    life_months: int = 60
    refresh_price_change_share_per_year: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no site can have."""
        faults = []
        if self.pue_ratio < 1:
            faults.append(f"pue_ratio must be at least 1, got {self.pue_ratio:g}")
        if self.life_months < 1:
            faults.append(f"life_months must be at least 1, got {self.life_months:g}")
        if not 0 <= self.network_share < 1:
            faults.append(f"network_share must be at least 0 and below 1, got {self.network_share:g}")
        if self.idle_power_share > self.busy_power_share:
            faults.append("idle_power_share must not exceed busy_power_share")
        faults += [
            f"{name} must not be negative, got {value:g}"
            for name in (
                "electricity_usd_per_kwh",
                "colocation_usd_per_kw_month",
                "idle_power_share",
                "fte_usd_per_year",
            )
            if not (value := getattr(self, name)) >= 0
        ]
        if faults:
            raise PlanningError("; ".join(faults))


def ownership_terms(assumptions: Mapping[str, float], site: Site) -> OwnershipTerms:
    """Look up what owning costs at a site.

    Parameters
    ----------
    assumptions : mapping of str to float
        Assumptions by dotted name (`planner.assumptions`).
    site : {'home', 'colocation'}
        Where the machines stand.

    Returns
    -------
    OwnershipTerms

    Examples
    --------
    >>> from planner.assumptions import default_assumptions
    >>> ownership_terms(default_assumptions(), "home").colocation_usd_per_kw_month
    0.0
    """
    assert site in get_args(Site)
    a, here = assumptions, f"site.{site}."
    return OwnershipTerms(
        electricity_usd_per_kwh=a[here + "electricity_usd_per_kwh"],
        pue_ratio=a[here + "pue_ratio"],
        **(
            {
                "colocation_usd_per_kw_month": a["site.colocation.usd_per_kw_month"],
                "rack_usd_per_month": a["site.colocation.rack_usd_per_month"],
                "rack_usd_per_kw_month": a["site.colocation.rack_usd_per_kw_month"],
                "wholesale_usd_per_kw_month": a["site.colocation.wholesale_usd_per_kw_month"],
            }
            if site == "colocation"
            else {}
        ),
        idle_power_share=a["own.idle_power_share"],
        busy_power_share=a["own.busy_power_share"],
        network_share=a["own.network_share"],
        install_share=a["own.install_share"],
        support_share_per_year=a[here + "support_share_per_year"],
        spares_share_per_year=a["own.spares_share_per_year"],
        software_usd_per_gpu_year=a["own.software_usd_per_gpu_year"],
        gpus_per_fte=a["own.gpus_per_fte"],
        fte_usd_per_year=a["own.fte_usd_per_year"],
        staff_floor_fte=a[here + "staff_floor_fte"],
        staff_share=a[here + "staff_share"],
        resale=ResaleCurve(
            ages_months=RESALE_AGES_MONTHS,
            # No used server is dearer than a younger one.
            shares=tuple(accumulate((a[f"own.resale_after_{age}_months_share"] for age in RESALE_AGES_MONTHS), min)),
            decline_log10_per_year=a["own.resale_decline_log10_per_year"],
        ),
        selling_cost_share=a["own.selling_cost_share"],
        life_months=round(a["own.life_months"]),
        refresh_price_change_share_per_year=a["own.refresh_price_change_share_per_year"],
    )


def buy_timeline(
    *,
    server_price_usd: ArrayLike,
    accelerator_count: ArrayLike,
    server_max_kw: ArrayLike,
    server_count: ArrayLike,
    busy_share: ArrayLike,
    useful_gpu_hours_per_month: ArrayLike,
    months: int,
    terms: OwnershipTerms,
    lead_time_months: int = 0,
    bridge_rent_usd_per_month: ArrayLike = 0.0,
    bridge_fixed_usd_per_month: ArrayLike = 0.0,
    sold_after_months: int | None = None,
    hours_per_month: float = 730.0,
) -> Timeline:
    """Return what one or many owned fleets cost.

    Hardware is paid when it is ordered (column 0) and is at work from the month after `lead_time_months`; until then
    the work is rented. Servers are replaced at the end of their life, the old ones sold. What is left at the end of the
    horizon is sold at its age.

    Parameters
    ----------
    server_price_usd, accelerator_count, server_max_kw, server_count : array_like, shape options
        Price, accelerators and highest draw of a server, and how many servers.
    busy_share : array_like, shape options or options + (months,)
        Share of the clock hours in which they work.
    useful_gpu_hours_per_month : array_like, shape options or options + (months,)
        Accelerator hours of useful work of the whole fleet.
    months : int
        Horizon.
    terms : OwnershipTerms
        What owning costs besides the server (`ownership_terms`).
    lead_time_months : int
        From order to work.
    bridge_rent_usd_per_month, bridge_fixed_usd_per_month : array_like, shape options
        Rent of the same work until delivery: by hours used, and by commitment.
    sold_after_months : int, optional
        The month after which everything is sold, for work that ends before the horizon; nothing is paid afterwards.
    hours_per_month : float
        Clock hours in a month.

    Returns
    -------
    Timeline
        Of shape options + (components, months + 1).

    Raises
    ------
    PlanningError
        If a price or a count is negative, a share is outside 0..1, or the lead time reaches the horizon.

    Examples
    --------
    >>> terms = OwnershipTerms(electricity_usd_per_kwh=0.1, pue_ratio=1.5, resale=ResaleCurve(
    ...     ages_months=(12,), shares=(0.5,), decline_log10_per_year=0.14))
    >>> own = buy_timeline(server_price_usd=100_000, accelerator_count=8, server_max_kw=10, server_count=1,
    ...                    busy_share=0.5, useful_gpu_hours_per_month=2920, months=12, terms=terms)
    >>> own.by_month_usd()[[0, 1, 12]].round(2).tolist()
    [100000.0, 547.5, -49452.5]
    """
    end = months if sold_after_months is None else sold_after_months
    if not 1 <= end <= months or not 0 <= lead_time_months < end:
        raise PlanningError(
            f"hardware that arrives after {lead_time_months} months cannot serve work that ends after {end} months"
        )
    price, gpus, max_kw, servers, rent, rent_fixed = np.broadcast_arrays(
        *(
            np.asarray(value, dtype=float)
            for value in (
                server_price_usd,
                accelerator_count,
                server_max_kw,
                server_count,
                bridge_rent_usd_per_month,
                bridge_fixed_usd_per_month,
            )
        )
    )
    busy = by_month(busy_share, months, price.ndim)
    useful = by_month(useful_gpu_hours_per_month, months, price.ndim)
    if not (np.all(price >= 0) and np.all(servers >= 0) and np.all(max_kw >= 0)):
        raise PlanningError("a server's price, its power and the number of servers must not be negative")
    if not (np.all(busy >= 0) and np.all(busy <= 1 + 1e-9)):
        raise PlanningError(f"the busy share must lie in 0..1, got {float(np.max(busy)):g}")
    shape = np.broadcast_shapes(price.shape, busy.shape[:-1], useful.shape[:-1])
    cash = np.zeros((*shape, len(BUY_COMPONENTS), months + 1))
    row = {name: cash[..., i, :] for i, name in enumerate(BUY_COMPONENTS)}

    server_usd = price * servers
    # The share is of servers and network together, hence s / (1 - s) of the servers.
    joined = terms.network_share / (1 - terms.network_share)
    network_usd = np.where(servers > 1, server_usd * joined, 0.0)
    hardware_usd = server_usd + network_usd
    row["servers"][..., 0] = server_usd
    row["network"][..., 0] = network_usd
    row["install"][..., 0] = hardware_usd * terms.install_share
    bought, ratio = lead_time_months, 1.0
    while bought + terms.life_months < end:
        old = ratio * terms.resale.share_at(terms.life_months) * (1 - terms.selling_cost_share)
        bought += terms.life_months
        row["resale"][..., bought] -= hardware_usd * old
        ratio = (1 + terms.refresh_price_change_share_per_year) ** (bought / 12)
        row["refresh"][..., bought] += hardware_usd * ratio * (1 + terms.install_share)
    left = ratio * terms.resale.share_at(end - bought) * (1 - terms.selling_cost_share)
    row["resale"][..., end] -= hardware_usd * left

    month = np.arange(1, months + 1)
    at_work = (month > lead_time_months) & (month <= end)
    kwh_usd = terms.pue_ratio * terms.electricity_usd_per_kwh * hours_per_month
    fleet_kw = max_kw * servers
    waiting_kw = server_power_kw(fleet_kw, 0.0, terms.idle_power_share, terms.busy_power_share)
    working_kw = server_power_kw(fleet_kw, 1.0, terms.idle_power_share, terms.busy_power_share) - waiting_kw
    fte = np.maximum(servers * gpus / terms.gpus_per_fte, terms.staff_floor_fte) * terms.staff_share
    monthly = {
        "idle_power": waiting_kw * kwh_usd,
        "colocation": np.minimum(
            np.maximum(
                fleet_kw * terms.colocation_usd_per_kw_month,
                terms.rack_usd_per_month + terms.rack_usd_per_kw_month * fleet_kw,
            ),
            terms.wholesale_usd_per_kw_month * np.maximum(fleet_kw, 1000.0),
        ),
        "staff": fte * terms.fte_usd_per_year / 12,
        "support": hardware_usd * terms.support_share_per_year / 12,
        "spares": hardware_usd * max(terms.spares_share_per_year - terms.support_share_per_year, 0.0) / 12,
        "software": servers * gpus * terms.software_usd_per_gpu_year / 12,
    }
    for name, usd in monthly.items():
        row[name][..., 1:] = usd[..., None] * at_work
    row["busy_power"][..., 1:] = (working_kw * kwh_usd)[..., None] * busy * at_work
    row["bridge_rent"][..., 1:] = rent[..., None] * (month <= lead_time_months)
    row["bridge_fixed"][..., 1:] = rent_fixed[..., None] * (month <= lead_time_months)
    done = np.concatenate([np.zeros((*useful.shape[:-1], 1)), useful], axis=-1)
    return Timeline(BUY_COMPONENTS, cash, done)
