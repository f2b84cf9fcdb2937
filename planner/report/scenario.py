"""The answer to a scenario as tables: the verdict, the crossings, and the years."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.figures import count, percent, usd
from planner.report.table import Column, Table

__all__ = ["month_rows", "scenario_tables"]


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


def scenario_tables(answer: Mapping[str, Any]) -> list[Table]:
    """Return the tables of a terminal or a document, the verdict first."""
    rent, buy = answer["rent"], answer["buy"]
    month, hours = answer["breakeven_months"], answer["breakeven_hours"]
    share, price = answer["breakeven_utilisation_share"], answer["breakeven_usd_per_hour"]
    facts = (
        (
            "owning pays off after",
            "never within the horizon" if month is None else f"{month:.1f} months ({count(round(hours))} used hours)",
        ),
        ("owning is cheaper above", "at no utilisation" if share is None else f"{percent(share)} of the clock hours"),
        ("owning is cheaper above a rent of", "-" if price is None else f"{usd(price)} USD/h"),
        *(
            (f"crossing at month {each['month']:.1f}", f"{each['cheaper_after']} is cheaper after it")
            for each in answer["crossings"]
        ),
    )
    sides = (
        ("total", usd(rent["total_usd"]), usd(buy["total_usd"])),
        ("NPV", usd(rent["present_value_usd"]), usd(buy["present_value_usd"])),
        ("a useful hour", usd(rent["usd_per_useful_hour"]), usd(buy["usd_per_useful_hour"])),
        *(
            (
                name.replace("_", " "),
                usd(rent["by_component_usd"].get(name, 0.0)),
                usd(buy["by_component_usd"].get(name, 0.0)),
            )
            for name in sorted({*rent["by_component_usd"], *buy["by_component_usd"]})
        ),
    )
    years = tuple(
        (
            str(row["month"]),
            usd(row["rent_cumulative_usd"]),
            usd(row["buy_cumulative_usd"]),
            "rent" if row["rent_cumulative_usd"] < row["buy_cumulative_usd"] else "buy",
        )
        for row in month_rows(answer)
        if row["month"] % 12 == 0 or row["month"] == len(rent["by_month"]) - 1
    )
    tables = [
        Table(answer["headline"], (Column("question"), Column("answer")), facts),
        Table(
            "Both sides",
            (Column("over the horizon"), Column("rent", "USD", is_number=True), Column("buy", "USD", is_number=True)),
            sides,
        ),
        Table(
            "Paid up to the end of a month",
            (
                Column("month", is_number=True),
                Column("rent", "USD", is_number=True),
                Column("buy", "USD", is_number=True),
                Column("cheaper so far"),
            ),
            years,
        ),
    ]
    return tables + _risk_tables(answer)


def _risk_tables(answer: Mapping[str, Any]) -> list[Table]:
    """Return what the ranges of the scenario make of the verdict; nothing where none is stated."""
    tables = []
    risk = answer.get("risk")
    if risk:
        facts = [
            ("owning is cheaper", f"in {percent(risk['probability_buy_cheaper_share'])} of {risk['draws']:,} draws"),
            (
                "owning saves",
                f"{usd(risk['saving_p50_usd'])} USD ({usd(risk['saving_p5_usd'])} to {usd(risk['saving_p95_usd'])}, 5 to 95 %)",
            ),
            ("expected regret of renting", f"{usd(risk['regret_usd']['rent'])} USD"),
            ("expected regret of buying", f"{usd(risk['regret_usd']['buy'])} USD"),
            ("knowing for certain is worth", f"{usd(risk['value_of_knowing_usd'])} USD"),
        ]
        if "value_of_waiting_usd" in risk:
            facts.append((f"waiting {risk['wait_months']} months is worth", f"{usd(risk['value_of_waiting_usd'])} USD"))
        tables.append(Table("How sure that is", (Column("question"), Column("answer")), tuple(facts)))
    if answer.get("tornado"):
        bars = tuple(
            (
                bar["name"],
                f"{bar['low']:g} to {bar['high']:g}",
                usd(bar["saving_at_low_usd"]),
                usd(bar["saving_at_high_usd"]),
                "turns it" if bar["turns_verdict"] else "",
            )
            for bar in answer["tornado"]
        )
        columns = (
            Column("value"),
            Column("from to"),
            Column("owning saves", "USD, at low", is_number=True),
            Column("owning saves", "USD, at high", is_number=True),
            Column(""),
        )
        tables.append(Table("What would turn it", columns, bars))
    if answer.get("sobol"):
        indices = tuple(
            (index["name"], percent(max(index["first_order_share"], 0.0)), percent(max(index["total_share"], 0.0)))
            for index in answer["sobol"]
        )
        tables.append(
            Table(
                "What the variance comes from",
                (Column("value"), Column("alone", is_number=True), Column("with others", is_number=True)),
                indices,
            )
        )
    return tables
