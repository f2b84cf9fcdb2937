"""Published rent-or-buy studies, computed again: one formula for each way of putting the question."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from planner.costs.spot import cluster_hours_between_interruptions
from planner.errors import PlanningError
from tests.published import closed_forms as cf
from tests.published.formulas import payment_usd, young_interval_hours
from tests.published.stated import HOURS_PER, StatedInputs

__all__ = ["STUDY_FORMULAS", "study_value"]

Formula: TypeAlias = Callable[[StatedInputs, str, str], float | None]


def study_value(formula_id: str, inputs: Mapping[str, object], output_name: str = "", unit: str = "") -> float | None:
    """Compute a study's figure from its inputs.

    Parameters
    ----------
    formula_id : str
        A key of `STUDY_FORMULAS`.
    inputs : mapping
        As the study states them.
    output_name, unit : str
        Which figure, where a formula has several, and the unit to give it in.

    Returns
    -------
    float or None
        None where the study's answer is "never".

    Raises
    ------
    PlanningError
        If the formula is not known, or an input is missing or impossible.

    Examples
    --------
    >>> inputs = {"capex_usd": 833806, "own_opex_usd_per_hour": 0.87, "rent_usd_per_hour": 98.32}
    >>> round(study_value("breakeven_hours", inputs), 2)
    8556.24
    """
    if formula_id not in STUDY_FORMULAS:
        raise PlanningError(f"no formula is known for {formula_id!r}", hint=f"known: {', '.join(STUDY_FORMULAS)}")
    known = OUTPUT_NAMES.get(formula_id)
    if known and output_name and not re.search(known, output_name):
        raise PlanningError(f"{formula_id} has no figure called {output_name!r}", hint=f"known: names with {known}")
    return STUDY_FORMULAS[formula_id](StatedInputs(inputs), output_name, unit)


def _hours(x: StatedInputs) -> float | None:
    return cf.break_even_hours(
        capex_usd=x.get("capex_usd"),
        rent_usd_per_hour=x.get("rent_usd_per_hour"),
        own_usd_per_hour=x.get("own_opex_usd_per_hour", default=0.0),
    )


def _breakeven_hours(x: StatedInputs, _output: str, _unit: str) -> float | None:
    return _hours(x)


def _breakeven_months(x: StatedInputs, _output: str, _unit: str) -> float | None:
    hours = _hours(x)
    return None if hours is None else hours / x.get("hours_per_month", default=cf.HOURS_PER_MONTH)


def _breakeven_years(x: StatedInputs, _output: str, _unit: str) -> float | None:
    hours = _hours(x)
    return None if hours is None else hours / (x.get("hours_per_day") * x.get("days_per_year", default=365.0))


def _own_opex_hourly(x: StatedInputs, _output: str, _unit: str) -> float:
    year_hours = x.get("year_hours", default=cf.HOURS_PER_YEAR)
    colocation = x.get("colo_usd_per_month", default=0.0) / x.get("colo_hours_per_month", default=cf.HOURS_PER_MONTH)
    maintenance = x.get("capex_usd") * x.get("maintenance_fraction_per_year", default=0.0) / year_hours
    return x.get("power_and_cooling_usd_per_hour", default=0.0) + colocation + maintenance


def _power_cooling_hourly(x: StatedInputs, _output: str, _unit: str) -> float:
    return x.get("it_kw") * (x.get("usd_per_kwh") + x.get("cooling_usd_per_kwh", default=0.0))


RENTED = r"rent|cloud"
OWNED = r"own|dedicated|on_?prem|buy|colo"


def _rent_total(x: StatedInputs) -> float:
    if (by_year := x.total(RENTED)) is not None:
        return by_year
    if "rent_total_usd" in x:
        return x.get("rent_total_usd")
    return x.get("rent_usd_per_hour") * x.get("year_hours", default=cf.HOURS_PER_YEAR) * x.get("years")


def _own_total(x: StatedInputs) -> float:
    if (by_year := x.total(OWNED)) is not None:
        return by_year
    if "own_total_usd" in x:
        return x.get("own_total_usd")
    return cf.own_total_usd(
        capex_usd=x.get("capex_usd"),
        own_usd_per_hour=x.get("own_opex_usd_per_hour", default=0.0),
        years=x.get("years"),
        year_hours=x.get("year_hours", default=cf.HOURS_PER_YEAR),
    )


def _savings(x: StatedInputs, _output: str, _unit: str) -> float:
    return _rent_total(x) - _own_total(x)


def _savings_fraction(x: StatedInputs, output: str, unit: str) -> float:
    # Each study measures the saving against the dearer side, whichever that is.
    rent, own = _rent_total(x), _own_total(x)
    share = 1.0 - min(rent, own) / max(rent, own)
    return share * 100.0 if "percent" in output or unit.strip() == "%" else share


def _own_hourly_amortised(x: StatedInputs, _output: str, _unit: str) -> float:
    return _own_total(x) / (x.get("year_hours", default=cf.HOURS_PER_YEAR) * x.get("years"))


def _own_usd_per_gpu_hour(x: StatedInputs, _output: str, _unit: str) -> float:
    """Capital and hosting of a month over its accelerators and hours."""
    capital = x.one_of(r"capital|loan|lease|depreciation|capex", but="rate|apr|share|fraction|years|months$")
    hosting = sum(
        x.named(r"hosting|colo|opex|electric|power|staff|support", but="kw$|kwh|rate|share|fraction").values()
    )
    gpus = x.one_of(r"gpu", but="usd|hour|price")
    hours = x.get("hours_per_month", "hours", "month_hours", default=cf.HOURS_PER_MONTH)
    share = x.get("utilisation", "utilization", "utilisation_share", default=1.0)
    return (capital + hosting) / (gpus * hours * share)


def _threshold_hours_per_day(x: StatedInputs, _output: str, _unit: str) -> float:
    if "own_total_usd" in x:
        return x.get("own_total_usd") / (
            x.get("rent_usd_per_hour") * x.get("days_per_year", default=365.0) * x.get("years")
        )
    return cf.threshold_hours_per_day(
        capex_usd=x.get("capex_usd"),
        rent_usd_per_hour=x.get("rent_usd_per_hour"),
        own_usd_per_hour=x.get("own_opex_usd_per_hour", default=0.0),
        years=x.get("years"),
        year_hours=x.get("year_hours", default=cf.HOURS_PER_YEAR),
        days_per_year=x.get("days_per_year", default=365.0),
    )


def _usd_per_million_tokens(x: StatedInputs, _output: str, _unit: str) -> float:
    return cf.usd_per_million_tokens(x.get("usd_per_hour"), x.get("tokens_per_s"))


def _tokens_m_per_month(x: StatedInputs) -> float:
    return x.get("tokens_per_s") * 3600.0 * x.get("operating_hours_per_month") / 1e6


def _token_capacity(x: StatedInputs, _output: str, _unit: str) -> float:
    return _tokens_m_per_month(x)


def _electricity_usd_per_month(x: StatedInputs) -> float:
    kw = x.get("gpu_count") * x.get("watts_effective") / 1000.0
    return cf.energy_usd(kw, x.get("operating_hours_per_month"), x.get("usd_per_kwh"))


def _electricity(x: StatedInputs, _output: str, _unit: str) -> float:
    return _electricity_usd_per_month(x)


def _api_breakeven_months(x: StatedInputs, _output: str, _unit: str) -> float | None:
    return cf.api_break_even_months(
        capex_usd=x.get("gpu_count") * x.get("gpu_price_usd"),
        tokens_m_per_month=_tokens_m_per_month(x),
        usd_per_million_tokens=cf.blended_usd_per_million_tokens(
            x.get("api_in_usd_per_mtok"), x.get("api_out_usd_per_mtok"), x.get("input_share", default=1.0 / 3.0)
        ),
        own_usd_per_month=_electricity_usd_per_month(x),
    )


def _loan_payment(x: StatedInputs, _output: str, _unit: str) -> float:
    return float(payment_usd(x.get("principal_usd"), x.get("apr"), x.get("months")))


def _unit_cost_vs_utilisation(x: StatedInputs, output: str, _unit: str) -> float:
    cloud, dedicated = x.get("cloud_usd_per_unit_hour"), x.get("dedicated_usd_per_clock_hour")
    if "breakeven" in output:
        return dedicated / cloud
    unit_cost = cf.cost_per_useful_hour_usd(
        fixed_usd_per_clock_hour=dedicated, utilisation_share=x.get("utilisation", "utilisation_share")
    )
    if "ratio" in output:
        return unit_cost / cloud
    if "percent" in output:
        return (1.0 - unit_cost / cloud) * 100.0
    if "saving" in output:
        return cloud - unit_cost
    return unit_cost - cloud if "extra" in output else unit_cost


def _server_year_cost(x: StatedInputs, _output: str, _unit: str) -> float:
    running = x.get("hosting_usd_per_year", default=0.0) + x.get("software_usd_per_year", default=0.0)
    return x.get("server_usd") / x.get("depreciation_years") + running


MEAN_TIME = r"mtbf|mttf|mean_time|between"
REFERENCE = r"(^|_)(base|baseline|reference|ref|measured|known|from|observed|original|source|old|1|a)(_|$)"
WANTED = r"(^|_)(target|scaled|new|other|wanted|to|at|larger|2|b)(_|$)"


def _mtbf_hours(x: StatedInputs) -> float:
    if x.named(MEAN_TIME):
        return x.hours(MEAN_TIME)
    return x.get("days") * 24.0 / x.one_of(r"interruption|event|failure", but="per_gpu")


def _cluster_mtbf(x: StatedInputs, _output: str, unit: str) -> float:
    return _in_unit(_mtbf_hours(x), unit)


def _cluster_mtbf_scaled(x: StatedInputs, _output: str, unit: str) -> float:
    """Mean time between interruptions falls as accelerators are added."""
    counts = x.named(r"gpu|chip|accelerator", but="hour|usd|year|day|rate")
    rates = x.named(r"per_gpu_year|per_gpu_and_year|per_gpu_yr")
    if len(counts) == 1 and len(rates) == 1:
        (count,), (rate,) = counts.values(), rates.values()
        return _in_unit(float(cluster_hours_between_interruptions(cf.HOURS_PER_YEAR / rate, count)), unit)
    if len(counts) == 1 and x.named(r"(per|single|one)_gpu|gpu_mt[bt]f"):
        (count,) = counts.values()
        return _in_unit(float(cluster_hours_between_interruptions(_mtbf_hours(x), count)), unit)
    wanted = {name for name in counts if name in x.named(WANTED)}
    known = {name for name in counts if name in x.named(REFERENCE)}
    wanted = wanted or set(counts) - known
    known = known or set(counts) - wanted
    if len(wanted) != 1 or len(known) != 1 or wanted == known:
        raise PlanningError(f"the inputs must state the measured and the wanted number of GPUs, got {list(counts)}")
    ratio = counts[wanted.pop()] / counts[known.pop()]
    return _in_unit(float(cluster_hours_between_interruptions(_mtbf_hours(x), ratio)), unit)


def _young_interval(x: StatedInputs, _output: str, unit: str) -> float:
    delta = x.hours(r"checkpoint|delta|save|write")
    return _in_unit(float(young_interval_hours(delta, _mtbf_hours(x))), unit)


def _commitment_hour(x: StatedInputs, output: str, _unit: str) -> float:
    commitment, used = x.get("commit_usd_per_hour"), x.get("eligible_usage_at_committed_rate", default=0.0)
    if "unused" in output:
        return max(commitment - used, 0.0)
    return commitment + x.get("overage_on_demand", default=0.0)


def _commitment_purchase(x: StatedInputs, output: str, _unit: str) -> float:
    total, upfront = x.get("commit_usd_per_hour") * x.get("term_hours"), x.get("upfront_fraction", default=0.0)
    if "one_time" in output or "upfront" in output:
        return total * upfront
    if "month" in output:
        return total * (1.0 - upfront) * cf.HOURS_PER_MONTH / x.get("term_hours")
    return total * (1.0 - upfront) / x.get("term_hours") if "hour" in output else total


def _chip_energy_usd(x: StatedInputs) -> float:
    kw = x.get("chip_tdp_kw") * x.get("server_power_multiplier", default=1.0) * x.get("power_fraction", default=1.0)
    return cf.energy_usd(kw, x.get("chip_hours"), x.get("usd_per_kwh"), x.get("pue", default=1.0))


def _energy_cost(x: StatedInputs, _output: str, _unit: str) -> float:
    return _chip_energy_usd(x)


def _economic_depreciation(x: StatedInputs, _output: str, _unit: str) -> float:
    hardware = cf.economic_depreciation_usd(
        chip_value_usd=x.get("chip_value_usd_incl_server"),
        chip_hours=x.get("chip_hours"),
        value_decline_log10_per_year=x.get("value_decline_log10_per_year"),
        interconnect_share_of_total=x.get("interconnect_fraction_of_total", default=0.0),
        year_hours=x.get("year_hours", default=8766.0),
    )
    return hardware + _chip_energy_usd(x)


def _in_unit(hours: float, unit: str) -> float:
    return hours / HOURS_PER.get(unit.strip().lower() or "h", 1.0)


STUDY_FORMULAS: dict[str, Formula] = {
    "api_breakeven_months": _api_breakeven_months,
    "breakeven_hours": _breakeven_hours,
    "breakeven_months": _breakeven_months,
    "breakeven_years_at_hours_per_day": _breakeven_years,
    "cluster_mtbf": _cluster_mtbf,
    "cluster_mtbf_scaled": _cluster_mtbf_scaled,
    "commitment_hour": _commitment_hour,
    "commitment_purchase": _commitment_purchase,
    "economic_depreciation_cost": _economic_depreciation,
    "electricity_per_month": _electricity,
    "energy_cost": _energy_cost,
    "loan_payment_monthly": _loan_payment,
    "own_hourly_amortised": _own_hourly_amortised,
    "own_opex_hourly": _own_opex_hourly,
    "own_total": lambda x, _output, _unit: _own_total(x),
    "own_usd_per_gpu_hour": _own_usd_per_gpu_hour,
    "power_cooling_hourly": _power_cooling_hourly,
    "rent_total": lambda x, _output, _unit: _rent_total(x),
    "savings": _savings,
    "savings_fraction": _savings_fraction,
    "server_year_cost": _server_year_cost,
    "threshold_hours_per_day": _threshold_hours_per_day,
    "token_capacity_per_month": _token_capacity,
    "unit_cost_vs_utilisation": _unit_cost_vs_utilisation,
    "usd_per_million_tokens": _usd_per_million_tokens,
    "young_interval": _young_interval,
}
"""Formulas by the id under which tables of studies name them."""

OUTPUT_NAMES = {
    "commitment_hour": r"effective|unused",
    "commitment_purchase": r"one_time|upfront|month|hour|total",
    "unit_cost_vs_utilisation": r"breakeven|ratio|percent|saving|extra|cost",
    "savings": r"saving",
    "savings_fraction": r"saving|fraction|percent",
}
"""What names a figure of a formula that has several, or that says which way round it counts; another name is refused."""
