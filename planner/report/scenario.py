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
        ("in today's money", usd(rent["present_value_usd"]), usd(buy["present_value_usd"])),
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
    return [
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
