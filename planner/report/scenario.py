"""The answer to a scenario, as its record and as tables: the verdict, the crossings, and the years."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from planner.costs.breakeven import Crossing
from planner.costs.timeline import Timeline
from planner.report.figures import count, percent, usd
from planner.report.option_words import items_usd
from planner.report.table import Table, headings, table_of
from planner.report.wording import COMPONENTS
from planner.scenario.costs import ScenarioResult
from planner.scenario.schema import Scenario


def scenario_answer(result: ScenarioResult) -> dict[str, Any]:
    """Return the answer in the form of ``gpuplan breakeven --format json``; None means never."""
    pair = result.break_even
    month, hours = pair.discounted_month, result.used_hours_per_month
    rate = result.scenario.money.discount_rate_share_per_year.typical
    return {
        "breakeven_hours": None if month is None else month * hours,
        "breakeven_months": month,
        "simple_breakeven_hours": result.simple_break_even_hours,
        "undiscounted_breakeven_months": pair.month,
        "breakeven_utilisation_share": pair.utilisation_share,
        "breakeven_usd_per_hour": pair.price_usd_per_hour,
        "crossings": [_crossing("month", crossing) for crossing in pair.discounted_crossings],
        "utilisation_crossings": [_crossing("utilisation_share", crossing) for crossing in pair.utilisation_crossings],
        "curve": [asdict(point) for point in result.curve()],
        "saving_usd": pair.saving_usd,
        "used_hours_per_month": hours,
        "rent": _side(result.rent, rate),
        "buy": _side(result.buy, rate),
        "recommendation": result.recommendation,
        "headline": _headline(result),
    }


def _headline(result: ScenarioResult) -> str:
    pair, horizon = result.break_even, result.scenario.horizon_months
    gap = f"{abs(pair.saving_usd):,.0f} USD"
    if pair.discounted_month is None:
        simple = result.simple_break_even_hours
        months = simple / result.used_hours_per_month if simple is not None else 0.0
        longer = f" (one machine kept for good would take {months:,.0f})" if months > horizon else ""
        return f"Rent: owning never pays for itself within {horizon} months{longer} and costs {gap} more (NPV)."
    hours = pair.discounted_month * result.used_hours_per_month
    when = f"after {pair.discounted_month:.1f} months ({hours:,.0f} used hours)"
    if pair.saving_usd > 0:
        return f"Buy: owning pays for itself {when} and saves {gap} over {horizon} months (NPV)."
    return f"Rent: owning breaks even {when} and saves nothing over {horizon} months."


def _side(timeline: Timeline, discount_rate_share_per_year: float) -> dict[str, Any]:
    paid, sums = timeline.by_month_usd(), timeline.cumulative_usd()
    return {
        "present_value_usd": float(timeline.present_value_usd(discount_rate_share_per_year)),
        "total_usd": float(timeline.total_usd()),
        "usd_per_useful_hour": float(timeline.usd_per_useful_gpu_hour(discount_rate_share_per_year)),
        "by_component_usd": items_usd(timeline),
        "by_month": [
            {
                "month": month,
                "cost_usd": float(paid[month]),
                "cumulative_usd": float(sums[month]),
                "components_usd": {
                    name: float(usd) for name in timeline.components if (usd := timeline.component_usd(name)[month])
                },
            }
            for month in range(timeline.months + 1)
        ],
    }


def _crossing(axis: str, crossing: Crossing) -> dict[str, Any]:
    return {axis: crossing.at, "cheaper_after": crossing.cheaper_after}


def month_rows(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return both sides month by month, unrounded."""
    return [
        {
            "month": rent["month"],
            "rent_usd": rent["cost_usd"],
            "rent_cumulative_usd": rent["cumulative_usd"],
            "buy_usd": buy["cost_usd"],
            "buy_cumulative_usd": buy["cumulative_usd"],
        }
        for rent, buy in zip(answer["rent"]["by_month"], answer["buy"]["by_month"], strict=True)
    ]


def inputs_in_force(scenario: Scenario) -> list[dict[str, Any]]:
    """Return every value that a scenario is worked out from, and whether the user stated it."""

    def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        by_name: dict[str, Any] = {}
        for key, value in values.items():
            has_parts = isinstance(value, Mapping) and not {"low", "typical", "high"} >= value.keys()
            by_name |= flat(value, f"{prefix}{key}.") if has_parts else {prefix + key: value}
        return by_name

    typed = flat(scenario.model_dump(mode="json", exclude_unset=True))
    values = flat(scenario.model_dump(mode="json"))
    return [{"name": name, "value": value, "is_default": name not in typed} for name, value in values.items()]


def _input_text(value: object) -> str:
    match value:
        case {"low": low, "typical": typical, "high": high}:
            return f"{typical:,.10g}" if low == high else f"{typical:,.10g} ({low:,.10g} to {high:,.10g})"
        case bool() | None:
            return "-" if value is None else str(value).lower()
        case int() | float():
            return f"{value:,.10g}"
        case list():
            return ", ".join(map(_input_text, value)) or "-"
        case _:
            return str(value)


def explained_tables(answer: Mapping[str, Any]) -> list[Table]:
    """Return the values in force, defaults marked, and each side year by year and item by item."""
    columns: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "input": lambda row: row["name"],
        "value": lambda row: _input_text(row["value"]),
        "": lambda row: "default" if row["is_default"] else "",
    }
    tables = [table_of("Values in force", answer["inputs"], columns)]
    for side, title in (("rent", "Renting, year by year"), ("buy", "Owning, year by year")):
        months = answer[side]["by_month"]
        items = sorted({name for month in months for name in month["components_usd"]})
        years = sorted({(month["month"] + 11) // 12 for month in months})
        in_year = {year: [month for month in months if (month["month"] + 11) // 12 == year] for year in years}
        rows = tuple(
            (_item(item), *(usd(sum(m["components_usd"].get(item, 0.0) for m in in_year[year])) for year in years))
            for item in items
        )
        heads = headings(" | ".join(["item", *(f"year {year} [USD]:" if year else "today [USD]:" for year in years)]))
        tables.append(Table(title, heads, rows))
    return tables


def scenario_tables(answer: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a terminal or a document, the verdict first."""
    rent, buy = answer["rent"], answer["buy"]
    month, hours = answer["breakeven_months"], answer["breakeven_hours"]
    share, price = answer["breakeven_utilisation_share"], answer["breakeven_usd_per_hour"]
    facts = (
        ("owning pays off after", "never within the horizon" if month is None else f"{month:.1f} months ({count(round(hours))} used hours)"),
        ("owning is cheaper above", "at no utilization" if share is None else f"{percent(share)} of the clock hours"),
        ("owning is cheaper above a rent of", "-" if price is None else f"{usd(price)} USD/h"),
        *((f"crossing at month {crossing['month']:.1f}", f"{crossing['cheaper_after']} is cheaper from then on") for crossing in answer["crossings"]),
    )  # fmt: skip
    sides = {
        "NPV": [side["present_value_usd"] for side in (rent, buy)],
        "a useful hour (NPV)": [side["usd_per_useful_hour"] for side in (rent, buy)],
        "total, not discounted": [side["total_usd"] for side in (rent, buy)],
    }
    for name in sorted({*rent["by_component_usd"], *buy["by_component_usd"]}):
        sides[f"- {_item(name)}"] = [side["by_component_usd"].get(name, 0.0) for side in (rent, buy)]
    last = len(rent["by_month"]) - 1
    return [
        Table(answer["headline"], headings("question | answer"), facts),
        Table(
            "Both sides",
            headings("over the horizon | rent [USD]: | buy [USD]:"),
            tuple((name, *map(usd, costs)) for name, costs in sides.items()),
        ),
        table_of(
            "Paid up to the end of a month, not discounted",
            (row for row in month_rows(answer) if row["month"] % 12 == 0 or row["month"] == last),
            {
                "month:": lambda row: str(row["month"]),
                "rent [USD]:": lambda row: usd(row["rent_cumulative_usd"]),
                "buy [USD]:": lambda row: usd(row["buy_cumulative_usd"]),
                "cheaper so far": lambda row: (
                    "rent" if row["rent_cumulative_usd"] < row["buy_cumulative_usd"] else "buy"
                ),
            },
        ),
        *_risk_tables(answer),
    ]


def _item(name: str) -> str:
    return COMPONENTS.get(name, name.replace("_", " "))


def _saving(saving_usd: float) -> str:
    """Say what owning saves; what it costs more where that is negative."""
    return f"saves {usd(saving_usd)} USD" if saving_usd >= 0 else f"costs {usd(-saving_usd)} USD more"


def _risk_tables(answer: Mapping[str, Any]) -> list[Table]:
    """Return what the ranges of the scenario make of the verdict; nothing where none is stated."""
    tables = []
    risk = answer.get("risk")
    if risk:
        facts = [
            ("owning is cheaper", f"in {percent(risk['probability_buy_cheaper_share'])} of {risk['draws']:,} draws"),
            ("in the median draw", f"owning {_saving(risk['saving_p50_usd'])}"),
            ("at the 5th percentile", f"owning {_saving(risk['saving_p5_usd'])}"),
            ("at the 95th percentile", f"owning {_saving(risk['saving_p95_usd'])}"),
            ("on average", f"owning {_saving(risk['expected_usd']['rent'] - risk['expected_usd']['buy'])}"),
            ("expected regret of renting", f"{usd(risk['regret_usd']['rent'])} USD"),
            ("expected regret of buying", f"{usd(risk['regret_usd']['buy'])} USD"),
            (
                f"perfect information is worth, if you would {min(risk['regret_usd'], key=risk['regret_usd'].__getitem__)}",
                f"{usd(risk['value_of_knowing_usd'])} USD",
            ),
        ]
        if "value_of_waiting_usd" in risk:
            facts.append((f"waiting {risk['wait_months']} months is worth", f"{usd(risk['value_of_waiting_usd'])} USD"))
        tables.append(Table("How certain the verdict is (NPV)", headings("question | answer"), tuple(facts)))
    if answer.get("tornado"):
        bars: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "value": lambda bar: bar["name"],
            "range": lambda bar: f"{bar['low']:g} to {bar['high']:g}",
            "owning saves, NPV [USD, at low]:": lambda bar: usd(bar["saving_at_low_usd"]),
            "owning saves, NPV [USD, at high]:": lambda bar: usd(bar["saving_at_high_usd"]),
            "": lambda bar: "changes the decision" if bar["turns_verdict"] else "",
        }
        tables.append(table_of("What would change the decision", answer["tornado"], bars))
    if answer.get("sobol"):
        shares: dict[str, Callable[[Mapping[str, Any]], str]] = {
            "value": lambda index: index["name"],
            "alone:": lambda index: percent(max(index["first_order_share"], 0.0)),
            "with others:": lambda index: percent(max(index["total_share"], 0.0)),
        }
        tables.append(table_of("What the variance comes from", answer["sobol"], shares))
    return tables
