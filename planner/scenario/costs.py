"""A scenario's two sides by month, from the plan's own formulas (`planner.costs.formulas`): where they cross, which to take.

Values go by their dotted names in ``scenario.yaml``. Each is a number, or draws of shape (draws, 1); whole months (term, life,
lead time) are the same for all draws.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

import numpy as np

from planner.arrays import FloatArray
from planner.costs.breakeven import BreakEven, CurvePoint, break_even, utilisation_curve
from planner.costs.evaluate import Value, present_value_usd, run
from planner.costs.expression import name as named
from planner.costs.financing import Financing, after_tax
from planner.costs.formulas import HOURS, Model, bridge_model, buy_model, rent_model
from planner.costs.timeline import Timeline
from planner.scenario.schema import Scenario, typical_values, whole_months

Values = Mapping[str, Value]
WholeMonths = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSpan:
    """Formulas at numbers, from a month of the comparison on: the rent, the bridge until delivery, or the life of one server.

    Attributes
    ----------
    model : Model
        The formulas.
    values : mapping of str to number or array
        What their names stand for.
    months : int
        How long it lasts.
    first_month : int
        The month of the comparison that is month 0 of the formulas.
    items : dict of str to str
        Names of items that differ from those of the formulas.
    """

    model: Model
    values: Values
    months: int
    first_month: int = 0
    items: dict[str, str] = field(default_factory=dict)


def used_hours(v: Values) -> Value:
    """Return the hours of work in a month."""
    return v["money.hours_per_month"] * v["use.hours_per_day"] / 24.0 * v["use.utilisation_share"]


def sides_of(
    scenario: Scenario, values: Values, months: WholeMonths, *, wait_months: int = 0
) -> tuple[list[CostSpan], list[CostSpan]]:
    """Return what renting and owning are worked out from; owning may begin with some months of renting."""
    v = {**values}
    path = _path_ratios(scenario, v)
    if path is not None:
        v["rent.path_ratios"] = path
    return _rent_spans(scenario, v, months), _own_spans(scenario, v, months, wait_months)


def timeline_of(spans: Sequence[CostSpan], scenario: Scenario, useful_hours_per_month: float) -> Timeline:
    """Return what a side costs at plain numbers."""
    horizon = scenario.horizon_months
    cash: dict[str, FloatArray] = {}
    for span in spans:
        figures = run(span.model, span.values, span.months)
        for item in span.model.lines:
            by_month = cash.setdefault(span.items.get(item, item), np.zeros(horizon + 1))
            by_month[span.first_month : span.first_month + span.months + 1] += figures[item].reshape(-1)
    useful = np.full(horizon + 1, useful_hours_per_month)
    useful[0] = 0.0
    return Timeline(tuple(cash), np.array(list(cash.values())), useful)


def present_value_of(spans: Sequence[CostSpan]) -> FloatArray:
    """Return what a side comes to today, shape (draws,)."""
    worth: FloatArray = np.zeros(1)
    for span in spans:
        rate = np.ravel(span.values["money.discount_rate_share_per_year"])
        by_draw, _ = present_value_usd(span.model, span.values, span.months)
        worth = worth + by_draw * (1.0 + rate) ** (-span.first_month / 12.0)
    return worth


def _path_ratios(scenario: Scenario, v: Values) -> FloatArray | None:
    """Return each month's rent over that of a steady change: agreed steps and a drawn walk; None where there are neither.

    A random walk over the horizon is a sum of sine waves with independent normal heights (Karhunen-Loeve); its mean is kept at
    1, so that volatility does not make rents dearer by itself.
    """
    horizon, heights = scenario.horizon_months, [v[name] for name in v if name.startswith("rent.walk_")]
    if not heights and not scenario.rent.price_steps:
        return None
    ratios: FloatArray = np.ones((1, horizon + 1))
    if heights:
        volatility, at = v["rent.price_volatility_share_per_year"], np.arange(horizon + 1) / horizon
        angles = (np.arange(len(heights))[:, None] + 0.5) * np.pi
        waves = np.sqrt(horizon / 6.0) * np.sin(angles * at) / angles
        log_path = volatility * np.einsum("dk,km->dm", np.hstack(heights), waves)
        ratios = np.exp(log_path - 0.5 * volatility**2 * (waves**2).sum(axis=0))
    for step in scenario.rent.price_steps:
        ratios[:, step.month - 1 :] *= 1.0 + step.change_share
    return ratios


def _rent_spans(scenario: Scenario, v: Values, months: WholeMonths) -> list[CostSpan]:
    """Return what renting is worked out from.

    Without a term, hours are paid at the price of their month; with one, all clock hours at the price of the month in which
    the term began.
    """
    own = {
        "book.price_usd_per_hour": v["rent.usd_per_hour"],
        "book.hours_per_month": _paid_hours(scenario, v),
        "book.overhead_ratio": 1.0,
        "book.upfront_usd": v["rent.upfront_usd"],
        "book.term_months": float(months["rent.term_months"]),
        "book.instance_count": 1.0,
    }
    model = _rent_model(_financing(scenario), "rent.path_ratios" in v)
    items = {} if scenario.use.idle_hours == "given_back" else {"on_demand": "kept_hours"}
    return [_span(model, v, own, months=scenario.horizon_months, items=items)]


def _own_spans(scenario: Scenario, v: Values, months: WholeMonths, wait_months: int) -> list[CostSpan]:
    """Return what owning is worked out from: the bridge until delivery, then one server after the other.

    Hardware is ordered after `wait_months` and works from the month after the lead time on; until then the work is rented by
    the hour. At the end of its life, and in each refresh month, it is sold and bought again; at the horizon it is sold.
    """
    financing, lead = _financing(scenario), months["buy.lead_time_months"]
    rented = {
        "book.bridge_usd_per_hour": v["rent.usd_per_hour"],
        "book.bridge_hours_per_month": _paid_hours(scenario, v),
        "own.lead_time_months": float(wait_months + lead),
    }
    bridge = _bridge_model(financing, "rent.path_ratios" in v)
    items = {} if scenario.use.idle_hours == "given_back" else {"bridge_rent": "bridge_fixed"}
    spans = [_span(bridge, v, rented, months=wait_months + lead, items=items)] if wait_months + lead else []
    with_use = scenario.buy.opex_charged == "used_hours"
    numbers = _server_numbers(v, used_hours(v) if with_use else v["money.hours_per_month"], with_use=with_use)
    life = months["buy.life_months"]
    numbers |= {"own.life_months": float(life), "money.loan_months": float(scenario.money.loan_months or life)}
    items = {"software": "running_with_use" if with_use else "running"}
    for ordered, delivered, sold in _servers(scenario, life, wait_months, wait_months + lead):
        own = {**numbers, "own.lead_time_months": float(delivered - ordered)}
        spans.append(_span(_server_model(financing), v, own, months=sold - ordered, first_month=ordered, items=items))
        items = {**items, "servers": "refresh"}
    return spans


def _span(
    model: Model, v: Values, own: Values, *, months: int, items: dict[str, str], first_month: int = 0
) -> CostSpan:
    """Return formulas at a scenario's numbers; what a scenario knows nothing of costs nothing."""
    values = {**dict.fromkeys(model.names, 0.0), **v, **own}
    values |= {"input.horizon_months": float(months), "input.use_ratio": 1.0}
    return CostSpan(model=model, values=values, months=months, first_month=first_month, items=items)


def _server_numbers(v: Values, running_hours: Value, *, with_use: bool) -> dict[str, Value]:
    """Return a server's numbers under the names of the formulas; what an hour of running costs stands for its software."""
    return {
        "book.server_count": 1.0,
        "book.accelerator_count": 1.0,
        "book.server_price_usd": v["buy.capex_usd"],
        "book.server_max_kw": v["buy.power_kw"],
        "book.hours_per_month": used_hours(v),
        "book.busy_ratio": 1.0,
        "own.busy_power_share": 1.0,
        "own.idle_power_share": 0.0 if with_use else 1.0,
        "site.pue_ratio": v["buy.pue"],
        "site.electricity_usd_per_kwh": v["buy.electricity_usd_per_kwh"],
        "site.usd_per_kw_month": v["buy.colocation_usd_per_kw_month"],
        "site.wholesale_usd_per_kw_month": v["buy.colocation_usd_per_kw_month"],
        "site.support_share_per_year": v["buy.support_share_per_year"],
        "own.gpus_per_fte": 1.0,
        "own.fte_usd_per_year": v["buy.staff_usd_per_year"],
        "site.staff_share": 1.0,
        "own.software_usd_per_gpu_year": v["buy.opex_usd_per_hour"] * running_hours * 12.0,
    }


def _servers(scenario: Scenario, life: int, ordered: int, delivered: int) -> Iterator[tuple[int, int, int]]:
    """Yield when each server is ordered, delivered and sold."""
    while ordered < scenario.horizon_months:
        refreshes = (month for month in scenario.buy.refresh_months if month > delivered)
        sold = min(delivered + life, scenario.horizon_months, *refreshes)
        yield ordered, delivered, sold
        ordered = delivered = sold


def _paid_hours(scenario: Scenario, v: Values) -> Value:
    """Return the hours of a month that a renter without a term pays."""
    if scenario.use.idle_hours == "given_back":
        return used_hours(v)
    return v["money.hours_per_month"] * v["use.hours_per_day"] / 24.0


def _financing(scenario: Scenario) -> Financing:
    money = scenario.money
    if not money.tax_share.high:
        return Financing(money.financing)
    return Financing(money.financing, money.depreciation, money.depreciation_years)


@cache
def _rent_model(financing: Financing, with_path: bool) -> Model:
    """Return the formulas of renting at an hourly price that does not hold the upfront payment."""
    model = rent_model(once=False, financing=financing, with_path=with_path)
    return Model(model.scalars | {"monthly_usd": named("book.price_usd_per_hour") * HOURS}, model.lines)


@cache
def _bridge_model(financing: Financing, with_path: bool) -> Model:
    model = bridge_model(with_path=with_path)
    return Model(model.scalars, after_tax(model.lines, financing))


@cache
def _server_model(financing: Financing) -> Model:
    """Return the formulas of one server, sold at a share of its price that does not depend on its age."""
    model, resale = buy_model(once=False, financing=financing), named("buy.resale_share")
    shares = {"resale_share_at_replacement": resale, "resale_share_at_end": resale}
    return Model(
        model.scalars | shares, {item: usd for item, usd in model.lines.items() if not item.startswith("bridge")}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioResult:
    """The answer to a scenario at its typical values.

    Attributes
    ----------
    scenario : Scenario
        The question.
    rent, buy : Timeline
        What both sides cost; their useful hours are hours of the stated machine.
    break_even : BreakEven
        Where they cross.
    used_hours_per_month : float
        Hours of work.
    """

    scenario: Scenario
    rent: Timeline
    buy: Timeline
    break_even: BreakEven
    used_hours_per_month: float

    @property
    def recommendation(self) -> Literal["rent", "buy"]:
        """The side that costs less over the horizon; renting where both cost the same, since it binds less."""
        return "buy" if self.break_even.saving_usd > 0 else "rent"

    @property
    def simple_break_even_hours(self) -> float | None:
        """Used hours after which one machine kept for good has cost less than today's rent; None for never.

        Plain dollars, no resale, no replacement and no end: the figure that studies print, to be held against life and
        horizon.
        """
        rent_usd = float((self.rent.by_month_usd() - self.rent.lumps_by_month_usd())[1])
        own_usd = float((self.buy.by_month_usd() - self.buy.lumps_by_month_usd())[-1])
        own_usd -= float(self.buy.component_usd("loan")[-1])
        keep = 1.0 - self.scenario.money.tax_share.typical
        months = None
        if rent_usd > own_usd:
            months = self.scenario.buy.capex_usd.typical * keep / (rent_usd - own_usd)
        return None if months is None else months * self.used_hours_per_month

    def curve(self) -> tuple[CurvePoint, ...]:
        """Return both sides over shares of the hours used, from 5 to 100 %."""
        values = typical_values(self.scenario)
        return utilisation_curve(
            self.rent,
            self.buy,
            utilisation_share=self.used_hours_per_month / values["money.hours_per_month"],
            price_usd_per_hour=values["rent.usd_per_hour"],
            discount_rate_share_per_year=values["money.discount_rate_share_per_year"],
            hours_per_month=values["money.hours_per_month"],
        )


def break_even_of(scenario: Scenario) -> ScenarioResult:
    """Compare renting and owning at the typical values of a scenario.

    Examples
    --------
    The Lenovo study of 2025 (LP2225), whose opex is charged for used hours:

    >>> lenovo = Scenario.model_validate({"rent": {"usd_per_hour": 98.32},
    ...                                   "buy": {"capex_usd": 833806, "opex_usd_per_hour": 0.87}})
    >>> result = break_even_of(lenovo)
    >>> round(result.break_even.discounted_month * result.used_hours_per_month, 2)
    8556.24
    """
    values = typical_values(scenario)
    hours = float(used_hours(values))
    rate, price = values["money.discount_rate_share_per_year"], values["rent.usd_per_hour"]
    rent, buy = (timeline_of(side, scenario, hours) for side in sides_of(scenario, values, whole_months(scenario)))
    result = break_even(
        rent,
        buy,
        discount_rate_share_per_year=rate,
        utilisation_share=hours / values["money.hours_per_month"],
        price_usd_per_hour=price,
    )
    if price == 0:
        result = replace(result, price_usd_per_hour=_price_of_equal_cost(scenario, values))
    return ScenarioResult(
        scenario=scenario,
        rent=rent,
        buy=buy,
        break_even=result,
        used_hours_per_month=hours,
    )


def _price_of_equal_cost(scenario: Scenario, values: Mapping[str, float]) -> float | None:
    """Find the hourly price of equal cost from two prices, since the saving is a straight line in the price."""
    savings = []
    for price in (0.0, 1.0):
        rent, buy = sides_of(scenario, {**values, "rent.usd_per_hour": price}, whole_months(scenario))
        savings.append(float((present_value_of(rent) - present_value_of(buy))[0]))
    at_no_usd, at_one_usd = savings
    return max(-at_no_usd / (at_one_usd - at_no_usd), 0.0) if at_one_usd > at_no_usd else None
