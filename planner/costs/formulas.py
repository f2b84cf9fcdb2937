"""What an option costs month by month, as the formulas that plan, portfolio, sensitivity, workbook and page share.

Each item is written for one month (month 0 is today), so that a cell of a workbook can hold it as well as an array.

Names: ``money.discount_rate_share_per_year`` and its like are the assumptions, ``site.*`` those of the option's own site,
``book.*`` the option's own numbers (`planner.costs.inputs`), ``input.*`` what a reader changes, ``month`` the month.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from planner.costs.expression import (
    Expr,
    absolute,
    at,
    both,
    ceil,
    choose,
    either,
    floor,
    maximum,
    minimum,
    name,
    names_in,
    number,
)
from planner.costs.financing import CASH, IS_REFRESH, Financing, after_tax, financed
from planner.costs.servers import share_at
from planner.costs.timeline import COMPONENTS

COLOCATION = ("usd_per_kw_month", "rack_usd_per_month", "rack_usd_per_kw_month", "wholesale_usd_per_kw_month")
"""What space and power capacity cost by the size of the deal; a home pays no rent for them."""
WHOLESALE_KW = 1000.0
"""From this much on capacity is sold wholesale."""

now = name("month")
"""The month of the row that a formula stands in; 0 is today."""
HORIZON = name("input.horizon_months")
USE = name("input.use_ratio")
"""How much more or less the machines are needed than planned; 1 is as planned."""
HOURS = name("money.hours_per_month")
STORED_USD = name("rent.storage_gb") * name("rent.storage_usd_per_gb_month")
SENT_USD = name("rent.egress_gb_per_month") * name("rent.egress_usd_per_gb")
"""What a month of storage and of data sent out costs."""
DISCOUNT = (1.0 + name("money.discount_rate_share_per_year")) ** (0.0 - now / 12.0)
WEEK_HOURS = 168.0
HAIR = 1e-9
"""A hair's breadth above a whole step is rounding of floats, not a further step."""


@dataclass(frozen=True, slots=True, eq=False)
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
    def names(self) -> frozenset[str]:
        """What the formulas take: assumptions, the option's own numbers and inputs."""
        return _names(self)

    @property
    def total(self) -> Expr:
        """All items of a month together."""
        return _sum([name(line) for line in self.lines])

    @property
    def lumps(self) -> Expr:
        """What is paid at one instant."""
        return _sum([name(line) for line in self.lines if COMPONENTS[line].lump])


@cache
def _names(model: Model) -> frozenset[str]:
    exprs = (DISCOUNT, *model.scalars.values(), *model.lines.values())
    return frozenset(names_in(*exprs) - {*model.scalars, *model.lines, "month"})


def _sum(items: list[Expr]) -> Expr:
    total = number(0.0)
    for item in items:
        total = total + item
    return total


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


def billed_hours(hours: Expr, minimum_hours: Expr, weekly_above_hours: Expr) -> Expr:
    """Return hours rounded up to what is sold: whole steps, and beyond some length whole weeks (0 for no such rule)."""
    steps = maximum(ceil(hours / maximum(minimum_hours, HAIR) - HAIR), 0.0)
    stepped = choose(minimum_hours > 0, steps * minimum_hours, hours)
    weeks = ceil(stepped / WEEK_HOURS - HAIR) * WEEK_HOURS
    return choose(both(weekly_above_hours > 0, stepped > weekly_above_hours), weeks, stepped)


BILLED_HOURS = billed_hours(name("hours"), name("minimum_hours"), name("weekly_above_hours"))


def _price_ratio(interruptible: Expr, month: Expr, *, with_path: bool) -> Expr:
    """Return a rent's price some months from now over today's: a steady change, that of spot its own, and a path around it."""
    steady = name("rent.price_change_share_per_year")
    change = choose(interruptible > 0, name("rent.spot_price_change_share_per_year"), steady)
    ratio = (1.0 + change) ** (month / 12.0)
    return ratio * at(name("rent.path_ratios"), month) if with_path else ratio


@cache
def rent_model(*, once: bool, financing: Financing = CASH, with_path: bool = False) -> Model:
    """Return the formulas of renting: hours used, hours committed, hours bought ahead.

    Without a term the hours used are paid, rounded up to the shortest time sold; with one, every hour of the term is paid
    whatever is used, at the price of the day on which the term began. A term is renewed as long as work is left. The first
    term is paid to its end even where it outlasts the horizon (``rest_of_term``); a renewal that outlasts it counts for the
    months inside, and its upfront payment is credited for the months beyond.

    Parameters
    ----------
    once : bool
        Whether the work is a job that is run once.
    financing : Financing
        How hardware is paid, and whether there is tax.
    with_path : bool
        Whether the price moves around its steady change by ``rent.path_ratios``, one for each month.
    """
    price, upfront, count = name("book.price_usd_per_hour"), name("book.upfront_usd"), name("book.instance_count")
    term, step, advance = name("book.term_months"), name("book.minimum_hours"), name("book.paid_in_advance")
    support = name("rent.support_share")
    weekly, first_months, credit = name("book.weekly_above_hours"), name("book.first_months"), name("book.credit_usd")
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

    def price_ratio(month: Expr) -> Expr:
        return _price_ratio(name("book.interruptible"), month, with_path=with_path)

    def used_usd(month: Expr) -> Expr:
        hours = _hours(once=once, month=month) * name("book.overhead_ratio")
        return price * count * billed_hours(hours, step, weekly)

    if not once:
        scalars["used_usd"] = used_usd(
            now
        )  # the same in every month; by itself it keeps a spreadsheet's formulas short

    def used(month: Expr) -> Expr:
        """Return the bill for the hours used in a month without a term."""
        return (used_usd(month) if once else name("used_usd")) * price_ratio(month - 1)

    def saved_at_first(months: Expr) -> Expr:
        """Return how many of the bills of so many months are saved, where another price holds for the first of them."""
        other = name("book.first_usd_per_hour") / maximum(price, HAIR)
        return choose(first_months > 0, minimum(months, first_months) * (1.0 - other), 0.0)

    # The month of the horizon that has begun `month - 1` months from today, and the term that then runs.
    began = floor((now - 1) / safe_term) * safe_term
    is_bound = both(committed, either(began < 1, began < last))
    locked = price_ratio(began)
    starts = floor(now / safe_term).equals(now / safe_term)
    began_last = floor((HORIZON - 1) / safe_term) * safe_term
    is_bound_last = both(committed, either(began_last < 1, began_last < last))
    beyond = maximum(began_last + safe_term - HORIZON, 0.0)
    at_end = now.equals(HORIZON)
    locked_last = price_ratio(began_last)
    paid_upfront = choose(
        committed,
        choose(
            both(both(starts, now < HORIZON), either(now < 1, now < last)),
            upfront * count * price_ratio(now),
            0.0,
        )
        - choose(
            both(both(at_end, is_bound_last), began_last >= 1),
            beyond / safe_term * upfront * count * locked_last,
            0.0,
        ),
        choose(now.equals(0), upfront * count, 0.0),
    )
    # A run is one block, bought as a whole; work that comes again every month takes a block each month.
    whole = name("book.run_hours") * USE * name("book.overhead_ratio")
    ahead = (
        choose(now.equals(0), price * count * billed_hours(whole, step, weekly), 0.0)
        if once
        else choose(now < HORIZON, used(now + 1), 0.0)
    )
    lines = {
        "on_demand": choose(
            both(both(term <= 0, advance <= 0), _is_open()),
            used(now) * (1.0 - (saved_at_first(now) - saved_at_first(now - 1))),
            0.0,
        ),
        "in_advance": choose(both(term <= 0, advance > 0), ahead, 0.0),
        "commitment": choose(both(_is_open(), is_bound), monthly * locked, 0.0),
        "upfront": paid_upfront,
        "rest_of_term": choose(both(both(at_end, is_bound_last), began_last < 1), beyond * monthly, 0.0),
    }
    # A credit pays the bill from the first month on, as long as it lasts; of the month in which it expires, the part before.
    bill = lines["on_demand"] + lines["commitment"]
    if once:
        month_hours = HOURS * name("book.overhead_ratio")
        hours_before = billed_hours(minimum(whole, month_hours * (now - 1)), step, weekly)
        paid_before = price * count * (hours_before - month_hours * saved_at_first(now - 1))
    else:
        paid_before = lines["commitment"] * (now - 1) + choose(
            term <= 0, used(now) * (now - 1 - saved_at_first(now - 1)), 0.0
        )
    valid_share = minimum(maximum(name("book.credit_months") - (now - 1), 0.0), 1.0)
    used_credit = minimum(bill * valid_share, maximum(credit - paid_before, 0.0))
    lines["credit"] = choose(credit > 0, 0.0 - used_credit, 0.0)
    lines["support_of_use"] = support * (lines["on_demand"] + lines["in_advance"])
    lines["support_of_commitment"] = support * (lines["commitment"] + lines["rest_of_term"])
    lines["support_of_upfront"] = support * lines["upfront"]
    working = both(now >= 1, now <= last)
    lines["storage"] = choose(working, STORED_USD * name("stored_ratio"), 0.0)
    lines["egress"] = choose(working, SENT_USD, 0.0)
    return Model(scalars, after_tax(lines, financing))


@cache
def bridge_model(*, with_path: bool = False) -> Model:
    """Return the formulas of the bridge: what does the work until owned servers are delivered.

    Hours used are paid as they are used. A commitment is paid for whole terms, and a dated block for a length that is sold:
    both reach over the lead time, whatever part of it is used, and count as paid when the servers are ordered. The price
    moves as in `rent_model`.
    """
    lead, usd_per_hour = name("lead_months"), name("book.bridge_usd_per_hour")
    step, weekly = name("book.bridge_minimum_hours"), name("book.bridge_weekly_above_hours")
    term, tokens = name("book.bridge_term_months"), name("book.bridge_tokens_usd_per_month")
    price_ratio = _price_ratio(name("book.bridge_interruptible"), now - 1, with_path=with_path)
    used = usd_per_hour * billed_hours(name("book.bridge_hours_per_month") * USE, step, weekly) * price_ratio
    safe_term = maximum(term, 1.0)
    terms = ceil(lead / safe_term - HAIR) * safe_term * HOURS
    fixed = usd_per_hour * choose(term > 0, terms, billed_hours(lead * HOURS, step, weekly))
    is_fixed = either(term > 0, weekly > 0)
    support = 1.0 + name("rent.support_share")
    kept = choose(usd_per_hour > 0, STORED_USD + SENT_USD, 0.0)
    waiting = both(now >= 1, now <= lead)
    return Model(
        {"lead_months": name("own.lead_time_months")},
        {
            "bridge_rent": choose(waiting, choose(is_fixed, 0.0, used * support) + tokens * USE + kept, 0.0),
            "bridge_ahead": choose(both(now.equals(0), is_fixed), fixed * support, 0.0),
        },
    )


def _colocation_usd_per_month(power_kw: Expr) -> Expr:
    """Return the rent of space and power capacity by the size of the deal.

    A few boxes are a retail deal: a fixed part for the rack, and less for each kW. From some 30 kW on a kW costs what it costs
    in a deal of hundreds of kW; who needs nearly 1,000 may as well take these, wholesale.
    """
    rate, rack, rack_rate, wholesale = (name(f"site.{key}") for key in COLOCATION)
    retail = maximum(rate * power_kw, rack + rack_rate * power_kw)
    return minimum(retail, wholesale * maximum(power_kw, WHOLESALE_KW))


@cache
def buy_model(*, once: bool, financing: Financing = CASH) -> Model:
    """Return the formulas of owning: hardware, power, space, people, and what is left at the end.

    Hardware is paid when it is ordered and is at work from the month after the lead time; until then a bridge does the work.
    Servers are replaced at the end of their life, the old ones sold. What is left at the end is sold at its age.

    Parameters
    ----------
    once : bool
        Whether the work is a job that is run once; its server is sold at the end of it.
    financing : Financing
        How hardware is paid, and whether there is tax.
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
        "colocation_usd_per_month": _colocation_usd_per_month(name("power_kw")),
        "staff_fte": maximum(count * gpus / name("own.gpus_per_fte"), name("site.staff_floor_fte"))
        * name("site.staff_share"),
        "refresh_count": maximum(ceil((last - lead) / life) - 1, 0.0),
        "last_bought_month": lead + refreshes * life,
        "resale_share_at_replacement": share_at(life),
        "resale_share_at_end": share_at(last - bought_last),
    }
    is_at_work = both(now > lead, now <= last)
    price_ratio = (1.0 + change) ** (now / 12.0)
    price_ratio_before = (1.0 + change) ** (choose(now - life > lead, (now - life) / 12.0, 0.0))
    price_ratio_last = (1.0 + change) ** (choose(refreshes > 0, bought_last / 12.0, 0.0))
    old = choose(IS_REFRESH, hardware * price_ratio_before * name("resale_share_at_replacement") * sale, 0.0)
    left = choose(now.equals(last), hardware * price_ratio_last * name("resale_share_at_end") * sale, 0.0)
    today = now.equals(0)

    def while_at_work(usd: Expr) -> Expr:
        return choose(is_at_work, usd, 0.0)

    lines = {
        "servers": choose(today, name("servers_usd"), 0.0),
        "network": choose(today, name("network_usd"), 0.0),
        "install": choose(today, hardware * install, 0.0),
        "refresh": choose(IS_REFRESH, hardware * price_ratio * (1.0 + install), 0.0),
        "resale": 0.0 - old - left,
        "idle_power": while_at_work(power * idle * kwh_usd),
        "busy_power": while_at_work(
            power * (busy - idle) * kwh_usd * _hours(once=once) * name("book.busy_ratio") / HOURS
        ),
        "colocation": while_at_work(name("colocation_usd_per_month")),
        "staff": while_at_work(name("staff_fte") * name("own.fte_usd_per_year") / 12.0),
        "support": while_at_work(hardware * name("site.support_share_per_year") / 12.0),
        # Parts are in a support contract: spares are what is planned for beyond it.
        "spares": while_at_work(
            hardware * maximum(name("own.spares_share_per_year") - name("site.support_share_per_year"), 0.0) / 12.0
        ),
        "software": while_at_work(count * gpus * name("own.software_usd_per_gpu_year") / 12.0),
        **bridge_model().lines,
    }
    return Model(*financed(scalars, lines, financing))


@cache
def token_model(*, once: bool, financing: Financing = CASH) -> Model:
    """Return the formulas of an API that is paid per token: each month at its end.

    Parameters
    ----------
    once : bool
        Whether the work is a job that is run once.
    financing : Financing
        How hardware is paid, and whether there is tax.
    """
    paid = now.equals(1) if once else _is_open()
    bill = name("book.run_usd" if once else "book.usd_per_month") * USE
    last = number(1.0) if once else HORIZON
    return Model({"last_month": last}, after_tax({"tokens": choose(paid, bill, 0.0)}, financing))


def site_names(site: str) -> dict[str, str]:
    """Return the assumptions behind the names ``site.*`` of the formulas.

    A room of one's own is run as colocation is; neither it nor a home pays for `COLOCATION`.
    """
    like = "colocation" if site == "own_room" else site
    keys = ("electricity_usd_per_kwh", "pue_ratio", "support_share_per_year", "staff_floor_fte", "staff_share")
    names = {f"site.{key}": f"site.{like}.{key}" for key in keys}
    return names | ({f"site.{key}": f"site.colocation.{key}" for key in COLOCATION} if site == "colocation" else {})
