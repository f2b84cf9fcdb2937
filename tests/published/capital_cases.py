"""Textbook cases of capital budgeting by topic, so that tables of known answers can be checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeAlias

import numpy as np

from planner.costs import financing as depreciation
from planner.costs import spot
from planner.costs.breakeven import crossings
from planner.costs.servers import server_power_kw
from planner.costs.timeline import Timeline
from planner.errors import PlanningError
from tests.published import closed_forms as cf
from tests.published import commitments, finance
from tests.published.formulas import (
    after_tax_proceeds_usd,
    balance_after_usd,
    break_even_hours_between_interruptions,
    interest_usd,
    maximum_regret,
    normal_difference,
    payment_usd,
    tax_shield_usd,
    triangular_mean_and_sd,
    value_of_waiting_usd,
    young_interval_hours,
)

__all__ = ["CAPITAL_TOPICS", "Answer", "Case", "reserved_units_normal"]

Answer: TypeAlias = "float | str | list[Any] | dict[str, float] | None"
Case: TypeAlias = Callable[[Mapping[str, Any], str], Answer]


def _npv(x: Mapping[str, Any], _quantity: str) -> Answer:
    return finance.net_present_value(x["cashflows_t0_first"], x["rate"])


def _irr_multiple(x: Mapping[str, Any], _quantity: str) -> Answer:
    return list(finance.internal_rates_of_return(x["cashflows_t0_first"]))


def _irr(x: Mapping[str, Any], _quantity: str) -> Answer:
    return finance.internal_rate_of_return(x["cashflows_t0_first"])


def _mirr(x: Mapping[str, Any], _quantity: str) -> Answer:
    return finance.modified_rate_of_return(x["cashflows_t0_first"], x["finance_rate"], x["reinvest_rate"])


def _dated(x: Mapping[str, Any]) -> list[tuple[date, float]]:
    if x.get("day_count", "ACT/365") != "ACT/365":
        raise PlanningError(f"days are counted ACT/365 here, not {x['day_count']}")
    return [(date.fromisoformat(day), float(cash)) for day, cash in x["dated_flows"]]


def _loan_payment(x: Mapping[str, Any], _quantity: str) -> Answer:
    payment = payment_usd(
        x["principal"],
        x["apr_nominal_monthly"],
        x["months"],
        balloon_usd=x.get("balloon", 0.0),
        when=x.get("when", "end"),
    )
    return float(payment)


def _loan_split(x: Mapping[str, Any], quantity: str) -> Answer:
    part = interest_usd if quantity == "interest_part" else balance_after_usd
    return part(x["principal"], x["apr_nominal_monthly"], x["months"], x["month"])


def _wacc(x: Mapping[str, Any], _quantity: str) -> Answer:
    return finance.weighted_cost_of_capital(
        equity=x["equity"],
        debt=x["debt"],
        cost_equity=x["cost_equity"],
        cost_debt_pre_tax=x["cost_debt_pre_tax"],
        tax_share=x["tax"],
    )


def _economic_life(x: Mapping[str, Any], quantity: str) -> Answer:
    by_life = finance.equivalent_annual_cost_by_life(x["capex"], x["om_by_year"], x["salvage_by_year"], x["rate"])
    return float(np.argmin(by_life)) + 1.0 if "best" in quantity else by_life.tolist()


def _syd(x: Mapping[str, Any], _quantity: str) -> Answer:
    return list(depreciation.sum_of_years_usd(x["cost"], x["salvage"], x["years"]))


def _ddb(x: Mapping[str, Any], _quantity: str) -> Answer:
    written = depreciation.declining_balance_usd(
        x["cost"], x["salvage"], x["years"], switch=bool(x.get("switch_to_sl", False))
    )
    return list(written)


def _macrs(basis: float) -> list[float]:
    return [float(share) * basis for share in depreciation.MACRS_5_SHARES]


def _after_tax_salvage(x: Mapping[str, Any], _quantity: str) -> Answer:
    book = x["basis"] - sum(_macrs(x["basis"])[: x["macrs5_years_taken"]])
    return after_tax_proceeds_usd(x["sale_price"], book, x["tax"])


def _lease_vs_buy(x: Mapping[str, Any], quantity: str) -> Answer:
    lease, buy, gain = finance.net_advantage_of_leasing(**x)
    return {"npv_lease": lease, "npv_buy": buy}.get(quantity, gain)


def _breakeven_hours(x: Mapping[str, Any], _quantity: str) -> Answer:
    return cf.break_even_hours(
        capex_usd=x["capex"], rent_usd_per_hour=x["rent_per_hour"], own_usd_per_hour=x["own_opex_per_hour"]
    )


def _fixed_usd_per_month(x: Mapping[str, Any]) -> float:
    return cf.monthly_equivalent_cost_usd(
        capex_usd=x["capex"],
        residual_usd=x.get("residual", 0.0),
        months=x["months"] if "months" in x else round(x["years"] * 12),
        fixed_opex_usd_per_month=x.get("fixed_opex_per_month", 0.0),
        rate_share_per_year=x.get("rate_annual", 0.0),
    )


def _breakeven_utilisation(x: Mapping[str, Any], _quantity: str) -> Answer:
    return cf.break_even_utilisation_share(
        fixed_usd_per_month=_fixed_usd_per_month(x),
        rent_usd_per_hour=x["rent_per_hour"],
        own_usd_per_busy_hour=x.get("var_opex_per_busy_hour", 0.0),
    )


def _breakeven_rent(x: Mapping[str, Any], _quantity: str) -> Answer:
    return cf.rent_of_equal_cost_usd_per_hour(
        fixed_usd_per_month=_fixed_usd_per_month(x),
        utilisation_share=x["utilisation"],
        own_usd_per_busy_hour=x.get("var_opex_per_busy_hour", 0.0),
    )


def _cost_per_useful_hour(x: Mapping[str, Any], _quantity: str) -> Answer:
    return cf.cost_per_useful_hour_usd(
        fixed_usd_per_clock_hour=_fixed_usd_per_month(x) / cf.HOURS_PER_MONTH,
        utilisation_share=x["utilisation"],
        own_usd_per_busy_hour=x.get("var_opex_per_busy_hour", 0.0),
    )


def _declining_rent_pv(x: Mapping[str, Any], _quantity: str) -> Answer:
    return cf.declining_rent_present_value_usd(
        rent_usd_per_month=x["rent_per_month_0"],
        price_change_share_per_year=x["price_change_per_year"],
        rate_share_per_year=x["rate_annual"],
        months=x["months"],
    )


def _line(name: str, months: int, today: float, monthly: Any, later: Mapping[int, float] | None = None) -> Timeline:
    """Make a timeline of a purchase, level or moving payments, and later purchases."""
    cash = np.zeros((2, months + 1))
    cash[0, 0] = today
    cash[1, 1:] = monthly
    for month, usd in (later or {}).items():
        cash[0, month] += usd
    return Timeline(("servers", name), cash, np.zeros(months + 1))


def _payback_declining_rent(x: Mapping[str, Any], _quantity: str) -> Answer:
    months = x["horizon_months"]
    path = (1.0 + x["price_change_per_year"]) ** (np.arange(months) / 12.0)
    rent = _line("on_demand", months, 0.0, x["rent_per_month_0"] * path)
    own = _line("running", months, x["capex"], x["own_per_month"])
    month, found = crossings(rent, own, x["rate_annual"])
    # The first pay-back, even where a falling rent overtakes it later.
    return next((one.at for one in found if one.cheaper_after == "buy"), month)


def _multiple_crossings(x: Mapping[str, Any], _quantity: str) -> Answer:
    months = x["horizon"]
    later = {int(month): float(usd) for month, usd in x.get("own_later_capex", [])}
    rent = _line("on_demand", months, 0.0, x["rent_per_month"])
    own = _line("running", months, x["own_capex_0"], x["own_per_month"], later)
    words = {"buy": "own becomes cheaper", "rent": "rent becomes cheaper"}
    return [[one.at, words[one.cheaper_after]] for one in crossings(rent, own)[1]]


def _commitment_rate(x: Mapping[str, Any], _quantity: str) -> Answer:
    return commitments.committed_rate_usd_per_hour(
        upfront_usd=x["upfront"], hourly_usd=x["hourly"], term_months=x["term_months"]
    )


def _commitment_payback(x: Mapping[str, Any], _quantity: str) -> Answer:
    return commitments.payback_months(
        upfront_usd=x["upfront"],
        hourly_usd=x["hourly"],
        on_demand_usd_per_hour=x["on_demand_rate"],
        term_months=x["term_months"],
        utilisation_share=x.get("utilisation", 1.0),
    )


def _commitment_pv(x: Mapping[str, Any], _quantity: str) -> Answer:
    return commitments.present_value_of_saving_usd(
        upfront_usd=x["upfront"],
        hourly_usd=x["hourly"],
        on_demand_usd_per_hour=x["on_demand_rate"],
        term_months=x["term_months"],
        rate_share_per_year=x["rate_annual"],
        utilisation_share=x.get("utilisation", 1.0),
    )


def _savings_plan_bill(x: Mapping[str, Any], quantity: str) -> Answer:
    bill = commitments.committed_bill(
        x["usage_instances_by_hour"],
        commitment_usd_per_hour=x["commit_per_hour"],
        committed_usd_per_hour=x["sp_rate"],
        on_demand_usd_per_hour=x["on_demand_rate"],
    )
    return {"total_cost": bill.total_usd, "unused_commitment": bill.unused_usd}.get(
        quantity, bill.effective_savings_share
    )


def _spot(x: Mapping[str, Any], quantity: str) -> Answer:
    slow = float(spot.slowdown_ratio(x["checkpoint_hours"], x["mtbf_hours"], x["restart_hours"]))
    if quantity == "usd_per_useful_hour":
        return float(x["spot_price"]) * slow
    if quantity == "mtbf_hours":
        return break_even_hours_between_interruptions(
            checkpoint_hours=x["checkpoint_hours"],
            restart_hours=x["restart_hours"],
            spot_usd_per_hour=x["spot_price"],
            on_demand_usd_per_hour=x["on_demand_price"],
        )
    return slow


def reserved_units_normal(
    *, mean: float, sd: float, reserved_usd_per_hour: float, on_demand_usd_per_hour: float
) -> tuple[float, float]:
    """Return how many units to reserve for normal demand, and the expected cost of an hour (the news-vendor's cut).

    Reserve what is busy more often than the reserved price is part of the on-demand price.

    Examples
    --------
    >>> units, usd = reserved_units_normal(mean=40, sd=12, reserved_usd_per_hour=1.85, on_demand_usd_per_hour=2.99)
    >>> round(units, 3), round(usd, 3)
    (36.374, 87.675)
    """
    if not (sd > 0 and 0 < reserved_usd_per_hour < on_demand_usd_per_hour):
        raise PlanningError("the reserved price must lie below the on-demand price, and demand must vary")
    from statistics import NormalDist

    unit = NormalDist()
    z = unit.inv_cdf(1.0 - reserved_usd_per_hour / on_demand_usd_per_hour)
    units = mean + sd * z
    beyond = sd * (unit.pdf(z) - z * (1.0 - unit.cdf(z)))
    return units, reserved_usd_per_hour * units + on_demand_usd_per_hour * beyond


def _newsvendor(x: Mapping[str, Any], quantity: str) -> Answer:
    units, usd = reserved_units_normal(
        mean=x["mean"],
        sd=x["sd"],
        reserved_usd_per_hour=x["reserved_rate"],
        on_demand_usd_per_hour=x["on_demand_rate"],
    )
    return usd if "cost" in quantity else units


def _commitment_exit(x: Mapping[str, Any], quantity: str) -> Answer:
    monthly, term, month = x["monthly"], x["term_months"], x["exit_month"]
    if "refund" in quantity:
        return commitments.cost_with_refund_usd(
            monthly, term, month, refund_cap_usd=x["refund_cap"], termination_fee_share=x.get("termination_fee", 0.0)
        )
    if "resale" in quantity:
        return commitments.cost_with_resale_usd(
            monthly,
            term,
            month,
            resale_price_share=x["resale_price_fraction_of_remaining"],
            marketplace_fee_share=x["marketplace_fee"],
        )
    return commitments.cost_if_kept_usd(monthly, term)


def _api(x: Mapping[str, Any], quantity: str) -> Answer:
    blended = cf.blended_usd_per_million_tokens(x["api_in"], x["api_out"], x["input_share"])
    if quantity == "usd_per_million":
        return blended
    volume = cf.api_break_even_tokens_m(x["self_host_per_month"], blended)
    if quantity == "million_tokens_per_month":
        return volume
    capacity = x["tokens_per_s"] * 3600.0 * cf.HOURS_PER_MONTH * x.get("max_utilisation", 1.0) / 1e6
    return float(volume / capacity)


def _energy_cost_month(x: Mapping[str, Any], _quantity: str) -> Answer:
    gpus_kw = float(server_power_kw(x["gpus"] * x["tdp_w"] / 1000.0, x["utilisation"], x["idle_w"] / x["tdp_w"], 1.0))
    return cf.energy_usd(gpus_kw + x["host_w"] / 1000.0, cf.HOURS_PER_MONTH, x["usd_per_kwh"], x["pue"])


def _normal_difference(x: Mapping[str, Any]) -> tuple[float, float]:
    return normal_difference(
        mean_a=x["mean_own"],
        sd_a=x["sd_own"],
        mean_b=x["mean_rent"],
        sd_b=x["sd_rent"],
        correlation=x.get("corr", 0.0),
    )


def _triangular(x: Mapping[str, Any], quantity: str) -> Answer:
    return triangular_mean_and_sd(x["low"], x["mode"], x["high"])[0 if quantity == "mean" else 1]


def _option_to_wait(x: Mapping[str, Any], quantity: str) -> Answer:
    now, wait, worth = value_of_waiting_usd(**x)
    return {"npv_buy_now": now, "npv_wait_one_period": wait}.get(quantity, worth)


def _minimax(x: Mapping[str, Any], quantity: str) -> Answer:
    regret, choice = maximum_regret(x["cost_by_option_by_scenario"])
    return choice if quantity == "choice" else regret


CAPITAL_TOPICS: dict[str, Case] = {
    "after_tax_salvage": _after_tax_salvage,
    "api_blended_price": _api,
    "api_breakeven_feasible": _api,
    "api_breakeven_volume": _api,
    "breakeven_hours": _breakeven_hours,
    "breakeven_rent_price_npv": _breakeven_rent,
    "breakeven_utilisation": _breakeven_utilisation,
    "breakeven_utilisation_npv": _breakeven_utilisation,
    "checkpoint_interval_daly": lambda x, _: float(spot.daly_interval_hours(x["checkpoint_hours"], x["mtbf_hours"])),
    "checkpoint_interval_young": lambda x, _: float(young_interval_hours(x["checkpoint_hours"], x["mtbf_hours"])),
    "commitment_breakeven_utilisation": lambda x, _: commitments.break_even_utilisation_share(
        x["committed_rate"], x["on_demand_rate"]
    ),
    "commitment_effective_rate": _commitment_rate,
    "commitment_exit": _commitment_exit,
    "commitment_payback": _commitment_payback,
    "commitment_pv_vs_on_demand": _commitment_pv,
    "cost_per_useful_hour": _cost_per_useful_hour,
    "declining_rent_pv": _declining_rent_pv,
    "depreciation_ddb": _ddb,
    "depreciation_sl": lambda x, _: float(depreciation.straight_line_usd(x["cost"], x["salvage"], x["years"])[0]),
    "depreciation_syd": _syd,
    "discounted_payback": lambda x, _: finance.payback_periods(x["cashflows_t0_first"], x["rate"]),
    "discounted_payback_declining_rent": _payback_declining_rent,
    "eac": lambda x, _: finance.equivalent_annual_cost(x["costs_t0_first"], x["rate"]),
    "economic_life": _economic_life,
    "energy_cost_month": _energy_cost_month,
    "expected_regret_of_buying_normal": lambda x, _: _normal_difference(x)[1],
    "irr": _irr,
    "irr_multiple": _irr_multiple,
    "irr_none": _irr,
    "lease_vs_buy": _lease_vs_buy,
    "loan_payment": _loan_payment,
    "loan_split": _loan_split,
    "macrs5": lambda x, _: list(_macrs(x["basis"])),
    "minimax_regret": _minimax,
    "mirr": _mirr,
    "monthly_equivalent_own_cost": lambda x, _: _fixed_usd_per_month(x),
    "multiple_crossings": _multiple_crossings,
    "newsvendor_normal": _newsvendor,
    "npv": _npv,
    "npv_excel_convention": lambda x, _: finance.spreadsheet_npv(x["cashflows_first_at_t1"], x["rate"]),
    "option_to_wait": _option_to_wait,
    "payback": lambda x, _: finance.payback_periods(x["cashflows_t0_first"]),
    "prob_own_cheaper_normal": lambda x, _: _normal_difference(x)[0],
    "profitability_index": lambda x, _: finance.profitability_index(x["cashflows_t0_first"], x["rate"]),
    "pv_of_costs": lambda x, _: finance.net_present_value(x["costs_t0_first"], x["rate"]),
    "rate_conversion": lambda x, _: finance.monthly_rate(x["effective_annual"]),
    "real_rate": lambda x, _: finance.real_rate(x["nominal"], x["inflation"]),
    "savings_plan_bill": _savings_plan_bill,
    "spot_breakeven_mtbf": _spot,
    "spot_effective_price": _spot,
    "spot_slowdown": _spot,
    "tax_shield_bonus": lambda x, _: tax_shield_usd(np.array([x["basis"]]), x["tax"], x["rate"]),
    "tax_shield_macrs5": lambda x, _: tax_shield_usd(np.array(_macrs(x["basis"])), x["tax"], x["rate"]),
    "tax_shield_sl": lambda x, _: tax_shield_usd(
        depreciation.straight_line_usd(x["basis"], 0.0, x["years"]), x["tax"], x["rate"]
    ),
    "triangular_moments": _triangular,
    "wacc": _wacc,
    "xirr": lambda x, _: finance.xirr(_dated(x)),
    "xnpv": lambda x, _: finance.xnpv(_dated(x), x["rate_effective_annual"]),
}
"""Cases by topic; each gets its inputs and the quantity asked for."""
