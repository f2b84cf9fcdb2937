"""What a scenario comes to: both timelines, where they cross, and which side to take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from planner.costs.breakeven import BreakEven, break_even
from planner.costs.curve import CurvePoint, utilisation_curve
from planner.costs.scenario import Scenario, typical_values, whole_months
from planner.costs.sides import present_value_of, sides_of, timeline_of, used_hours
from planner.costs.timeline import Timeline


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
