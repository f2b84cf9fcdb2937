"""The money of an option by month, as formulas: the same arithmetic as `planner.costs`, for workbook and page to follow.

`planner.costs` works on arrays of whole timelines; a cell of a workbook knows its own month alone. So each item is written
here for one month (month 0 is today) in closed form; `tests/report/test_model.py` holds both to the same cents.

Names: ``money.discount_rate_share_per_year`` and its like are the assumptions, ``site.*`` those of the option's own site,
``book.*`` the option's own numbers (`planner.options.book`), ``input.*`` what a reader changes, ``month`` the month.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from planner.costs.buy import RESALE_AGES_MONTHS
from planner.costs.timeline import COMPONENTS, FloatArray
from planner.report.formulas import (
    Expr,
    absolute,
    both,
    ceil,
    choose,
    either,
    evaluate,
    exp,
    floor,
    log,
    maximum,
    minimum,
    name,
    number,
    substituted,
)

__all__ = ["DISCOUNT", "Model", "buy_model", "inlined", "now", "rent_model", "run", "share_at", "token_model"]

now = name("month")
"""The month of the row that a formula stands in; 0 is today."""
HORIZON = name("input.horizon_months")
USE = name("input.use_ratio")
"""How much more or less the machines are needed than planned; 1 is as planned."""
HOURS = name("money.hours_per_month")
DISCOUNT = (1.0 + name("money.discount_rate_share_per_year")) ** (0.0 - now / 12.0)
HAIR = 1e-9
"""A hair's breadth above a whole step is rounding of floats, not a further step."""


@dataclass(frozen=True, slots=True)
class Model:
    """Formulas of one kind of option.

    Attributes
    ----------
    scalars : dict of str to Expr
        Figures of the whole timeline; each may use those above it.
    lines : dict of str to Expr
        Items by month, by their names in `planner.costs.timeline.COMPONENTS`; each may use the scalars.
    """

    scalars: dict[str, Expr] = field(default_factory=dict)
    lines: dict[str, Expr] = field(default_factory=dict)

    @property
    def total(self) -> Expr:
        """All items of a month together."""
        return _sum([name(line) for line in self.lines])

    @property
    def lumps(self) -> Expr:
        """What is paid at one instant."""
        return _sum([name(line) for line in self.lines if COMPONENTS[line].lump])


def _sum(items: list[Expr]) -> Expr:
    total = number(0.0)
    for item in items:
        total = total + item
    return total


def run(model: Model, values: Mapping[str, float], months: int) -> dict[str, FloatArray]:
    """Return the scalars, and the lines for months 0 to `months`, with ``total``, ``lumps`` and ``discount_ratio``."""
    known: dict[str, float | FloatArray] = dict(values)
    for key, expr in model.scalars.items():
        known[key] = evaluate(expr, known)
    parts: dict[int, FloatArray] = {}
    known["month"] = np.arange(months + 1, dtype=float)
    # Kept while parts are remembered by their identity: a formula made on the way could take the place of one that is gone.
    wanted = {**model.lines, "total": model.total, "lumps": model.lumps, "discount_ratio": DISCOUNT}
    for key, expr in wanted.items():
        known[key] = np.broadcast_to(evaluate(expr, known, parts), (months + 1,)).astype(float)
    return {key: np.asarray(value) for key, value in known.items() if key not in values}


def inlined(model: Model, values: Mapping[str, Expr | float]) -> Expr:
    """Return all items of a month in one formula, with what is known of an option put in its place."""
    known: dict[str, Expr | float] = dict(values)
    for key, expr in model.scalars.items():
        known[key] = substituted(expr, known)
    return substituted(_sum(list(model.lines.values())), known)


def _is_open() -> Expr:
    return both(now >= 1, now <= HORIZON)


def _hours(*, once: bool, month: Expr = now) -> Expr:
    """Return the hours on in a month."""
    if not once:
        return name("book.hours_per_month") * USE
    total = name("book.run_hours") * USE
    return maximum(minimum(total, HOURS * month) - minimum(total, HOURS * (month - 1)), 0.0)


def _last_month(*, once: bool) -> Expr:
    """Return the month in which the work ends."""
    if not once:
        return HORIZON
    total = name("book.run_hours") * USE
    return maximum(minimum(ceil(total / HOURS - HAIR), HORIZON), 1.0)


@cache
def rent_model(*, once: bool) -> Model:
    """Return the formulas of `planner.costs.rent.rent_timeline`.

    Parameters
    ----------
    once : bool
        Whether the work is a job that is run once.
    """
    price, upfront, count = name("book.price_usd_per_hour"), name("book.upfront_usd"), name("book.instance_count")
    term, step, advance = name("book.term_months"), name("book.minimum_hours"), name("book.paid_in_advance")
    change, support = name("rent.price_change_share_per_year"), name("rent.support_share")
    last, hourly_raw, monthly = name("last_month"), name("hourly_unsnapped"), name("monthly_usd")
    committed = term > 0
    safe_term = maximum(term, 1.0)
    scalars = {
        "last_month": _last_month(once=once),
        "stored_ratio": minimum(name("book.run_hours") * USE / (HOURS * last), 1.0) if once else number(1.0),
        "hourly_unsnapped": price - choose(committed, upfront / (safe_term * HOURS), 0.0),
        # Offers state effective prices with few digits: an all-upfront one leaves a hair, not a credit.
        "monthly_usd": choose(absolute(hourly_raw) < 1e-6 * price, 0.0, hourly_raw) * HOURS * count,
    }

    def used(month: Expr) -> Expr:
        """Return the bill for the hours used in a month without a term."""
        hours = _hours(once=once, month=month) * name("book.overhead_ratio")
        steps = maximum(ceil(hours / maximum(step, HAIR) - HAIR), 0.0)
        billed = choose(step > 0, steps * step, hours)
        return price * count * billed * (1.0 + change) ** ((month - 1) / 12.0)

    # The month of the horizon that has begun `month - 1` months from today, and the term that then runs.
    began = floor((now - 1) / safe_term) * safe_term
    is_bound = both(committed, either(began < 1, began < last))
    locked = (1.0 + change) ** (began / 12.0)
    starts = floor(now / safe_term).equals(now / safe_term)
    began_last = floor((HORIZON - 1) / safe_term) * safe_term
    is_bound_last = both(committed, either(began_last < 1, began_last < last))
    beyond = maximum(began_last + safe_term - HORIZON, 0.0)
    at_end = now.equals(HORIZON)
    locked_last = (1.0 + change) ** (began_last / 12.0)
    paid_upfront = choose(
        committed,
        choose(
            both(both(starts, now < HORIZON), either(now < 1, now < last)),
            upfront * count * (1.0 + change) ** (now / 12.0),
            0.0,
        )
        - choose(
            both(both(at_end, is_bound_last), began_last >= 1),
            beyond / safe_term * upfront * count * locked_last,
            0.0,
        ),
        choose(now.equals(0), upfront * count, 0.0),
    )
    lines = {
        "on_demand": choose(both(both(term <= 0, advance <= 0), _is_open()), used(now), 0.0),
        "in_advance": choose(both(both(term <= 0, advance > 0), now < HORIZON), used(now + 1), 0.0),
        "commitment": choose(both(_is_open(), is_bound), monthly * locked, 0.0),
        "upfront": paid_upfront,
        "rest_of_term": choose(both(both(at_end, is_bound_last), began_last < 1), beyond * monthly, 0.0),
    }
    lines["support_of_use"] = support * (lines["on_demand"] + lines["in_advance"])
    lines["support_of_commitment"] = support * (lines["commitment"] + lines["rest_of_term"])
    lines["support_of_upfront"] = support * lines["upfront"]
    working = both(now >= 1, now <= last)
    stored = name("rent.storage_gb") * name("rent.storage_usd_per_gb_month") * name("stored_ratio")
    sent = name("rent.egress_gb_per_month") * name("rent.egress_usd_per_gb")
    lines["storage"] = choose(working, stored, 0.0)
    lines["egress"] = choose(working, sent, 0.0)
    return Model(scalars, lines)


def share_at(age_months: Expr) -> Expr:
    """Return the formula of `planner.costs.resale.ResaleCurve.share_at`."""
    ages = [0.0, *map(float, RESALE_AGES_MONTHS)]
    shares = [number(1.0), *(name(f"own.resale_after_{age}_months_share") for age in RESALE_AGES_MONTHS)]
    by_line, by_log = shares[-1], log(shares[-1])
    for i in range(len(ages) - 1, 0, -1):
        part = (age_months - ages[i - 1]) / (ages[i] - ages[i - 1])
        here = age_months < ages[i]
        by_line = choose(here, shares[i - 1] + (shares[i] - shares[i - 1]) * part, by_line)
        by_log = choose(here, log(shares[i - 1]) + (log(shares[i]) - log(shares[i - 1])) * part, by_log)
    beyond = maximum(age_months - ages[-1], 0.0)
    falling = exp(by_log) * 10.0 ** (0.0 - name("own.resale_decline_log10_per_year") * beyond / 12.0)
    # Shares fall with age, so the last one is 0 where any is.
    return choose(shares[-1] <= 0, by_line, falling)


@cache
def buy_model(*, once: bool) -> Model:
    """Return the formulas of `planner.costs.buy.buy_timeline`.

    Parameters
    ----------
    once : bool
        Whether the work is a job that is run once; its server is sold at the end of it.
    """
    count, gpus = name("book.server_count"), name("book.accelerator_count")
    last, lead, life, hardware = name("last_month"), name("lead_months"), name("own.life_months"), name("hardware_usd")
    change, sale = name("own.refresh_price_change_share_per_year"), 1.0 - name("own.selling_cost_share")
    network, install = name("own.network_share"), name("own.install_share")
    refreshes, bought_last, power = name("refresh_count"), name("last_bought_month"), name("power_kw")
    kwh_usd = name("site.pue_ratio") * name("site.electricity_usd_per_kwh") * HOURS
    idle, busy = name("own.idle_power_share"), name("own.busy_power_share")
    waits = choose(name("own.lead_time_months") >= last, 0.0, name("own.lead_time_months"))
    scalars = {
        "last_month": _last_month(once=once),
        "lead_months": number(0.0) if once else waits,
        "servers_usd": name("book.server_price_usd") * count,
        # The share is of servers and network together, hence s / (1 - s) of the servers.
        "network_usd": choose(count > 1, name("servers_usd") * network / (1.0 - network), 0.0),
        "hardware_usd": name("servers_usd") + name("network_usd"),
        "power_kw": name("book.server_max_kw") * count,
        "staff_fte": maximum(count * gpus / name("own.gpus_per_fte"), name("site.staff_floor_fte"))
        * name("site.staff_share"),
        "refresh_count": maximum(ceil((last - lead) / life) - 1, 0.0),
        "last_bought_month": lead + refreshes * life,
        "resale_share_at_replacement": share_at(life),
        "resale_share_at_end": share_at(last - bought_last),
    }
    is_refresh = both(both(now > lead, now < last), floor((now - lead) / life).equals((now - lead) / life))
    is_at_work = both(now > lead, now <= last)
    price_ratio = (1.0 + change) ** (now / 12.0)
    price_ratio_before = (1.0 + change) ** (choose(now - life > lead, (now - life) / 12.0, 0.0))
    price_ratio_last = (1.0 + change) ** (choose(refreshes > 0, bought_last / 12.0, 0.0))
    old = choose(is_refresh, hardware * price_ratio_before * name("resale_share_at_replacement") * sale, 0.0)
    left = choose(now.equals(last), hardware * price_ratio_last * name("resale_share_at_end") * sale, 0.0)
    today = now.equals(0)

    def while_at_work(usd: Expr) -> Expr:
        return choose(is_at_work, usd, 0.0)

    lines = {
        "servers": choose(today, name("servers_usd"), 0.0),
        "network": choose(today, name("network_usd"), 0.0),
        "install": choose(today, hardware * install, 0.0),
        "refresh": choose(is_refresh, hardware * price_ratio * (1.0 + install), 0.0),
        "resale": 0.0 - old - left,
        "idle_power": while_at_work(power * idle * kwh_usd),
        "busy_power": while_at_work(
            power * (busy - idle) * kwh_usd * _hours(once=once) * name("book.busy_ratio") / HOURS
        ),
        "colocation": while_at_work(power * name("site.usd_per_kw_month")),
        "staff": while_at_work(name("staff_fte") * name("own.fte_usd_per_year") / 12.0),
        "support": while_at_work(hardware * name("site.support_share_per_year") / 12.0),
        "spares": while_at_work(hardware * name("own.spares_share_per_year") / 12.0),
        "software": while_at_work(count * gpus * name("own.software_usd_per_gpu_year") / 12.0),
        "bridge_rent": choose(both(now >= 1, now <= lead), name("input.bridge_usd_per_month"), 0.0),
    }
    return Model(scalars, lines)


@cache
def token_model(*, once: bool) -> Model:
    """Return the formulas of `planner.costs.api.api_timeline`.

    Parameters
    ----------
    once : bool
        Whether the work is a job that is run once.
    """
    if once:
        return Model({"last_month": number(1.0)}, {"tokens": choose(now.equals(1), name("book.run_usd") * USE, 0.0)})
    bill = name("book.usd_per_month") * USE
    return Model({"last_month": HORIZON}, {"tokens": choose(_is_open(), bill, 0.0)})
