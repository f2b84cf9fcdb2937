"""What each assumption alone does to the saving of owning, from the plan's own ranges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from planner.report.live import Cost, Inputs, Live, priced_names
from planner.words import assumption_label

DEMAND, SERVER_PRICE = "risk.demand_ratio", "risk.server_price_ratio"
"""Assumptions about what comes over what was planned: the use of the machines, the price of a server."""
WHOLE = {"own.life_months", "own.lead_time_months"}
"""Assumptions that are whole months."""

MOST_BARS = 12
LEAST_SHARE = 0.002
"""Bars narrower than this share of the widest say nothing."""


def bars_of(live: Live) -> list[dict[str, Any]]:
    """Return one bar for each assumption that moves the saving, the widest first.

    A plan that brings its own sensitivity (with the speed of the machines in it) shows that; else the assumptions about
    money are moved here, one at a time, over their ranges.

    Parameters
    ----------
    live : Live
        The plan.
    """
    given = [bar for bar in live.record["sensitivity"] if "saving_at_low_usd" in bar]
    pair = live.pair()
    if pair is None:
        return []
    base = _saving_usd(live, live.assumptions)
    held = live.record["risk"]
    if given and held:
        # The plan's own bars are about the pair that it held against each other, which need not be ours.
        by_id = {option["id"]: option["cost"]["present_value_usd"] for option in live.record["options"]}
        base = by_id.get(held["rent_id"], 0.0) - by_id.get(held["buy_id"], 0.0)
    if given:
        bars = [
            {
                "name": bar["name"],
                "label": assumption_label(bar["name"]),
                "low": bar["low"],
                "high": bar["high"],
                "low_usd": bar["saving_at_low_usd"],
                "high_usd": bar["saving_at_high_usd"],
                "base_usd": base,
                "turns_verdict": bar["turns_verdict"],
            }
            for bar in given
        ]
    else:
        names = set(priced_names(live.financing))
        bars = []
        for row in live.record["assumptions"]:
            if row["name"] not in names or row["low"] == row["high"]:
                continue
            low, high = (_saving_usd(live, live.assumptions | {row["name"]: row[end]}) for end in ("low", "high"))
            bars.append(
                {
                    "name": row["name"],
                    "label": assumption_label(row["name"]),
                    "low": row["low"],
                    "high": row["high"],
                    "low_usd": low,
                    "high_usd": high,
                    "base_usd": base,
                    "turns_verdict": len({low > 0, high > 0, base > 0}) > 1,
                }
            )
    bars.sort(key=lambda bar: -abs(bar["high_usd"] - bar["low_usd"]))
    widest = abs(bars[0]["high_usd"] - bars[0]["low_usd"]) if bars else 0.0
    return [bar for bar in bars if abs(bar["high_usd"] - bar["low_usd"]) > LEAST_SHARE * widest][:MOST_BARS]


@dataclass(frozen=True, slots=True)
class Moved:
    """A plan with one assumption at another value, and all else as it was.

    Attributes
    ----------
    live : Live
        The plan.
    inputs : Inputs
        What a reader changes, with the demand that comes.
    assumptions : mapping of str to float
        With the one that moved.
    server_price_ratio : float
        Price of a server over its listed one.
    """

    live: Live
    inputs: Inputs
    assumptions: Mapping[str, float]
    server_price_ratio: float = 1.0

    def rent(self, option: Mapping[str, Any]) -> Cost:
        """Return what a rented option costs."""
        return self.live.cost(option, self.inputs, self.assumptions)

    def own(self, option: Mapping[str, Any]) -> Cost:
        """Return what an owned option costs."""
        price = option["book"]["server_price_usd"] * self.server_price_ratio
        return self.live.cost(
            {**option, "book": {**option["book"], "server_price_usd": price}}, self.inputs, self.assumptions
        )


def moved(
    live: Live, name: str, value: float, inputs: Inputs | None = None, assumptions: Mapping[str, float] | None = None
) -> Moved:
    """Return a plan with one assumption at another value.

    Parameters
    ----------
    live : Live
        The plan.
    name : str
        An assumption of `planner.report.live.priced_names`, `DEMAND` or `SERVER_PRICE`.
    value : float
        What it is instead.
    inputs, assumptions : Inputs, mapping of str to float, optional
        All else; the plan's own by default.
    """
    asked, held = inputs or live.planned, dict(assumptions or live.assumptions)
    match name:
        case "risk.demand_ratio":
            return Moved(live, replace(asked, use_ratio=asked.use_ratio * value), held)
        case "risk.server_price_ratio":
            return Moved(live, asked, held, value)
        case _:
            return Moved(live, asked, held | {name: round(value) if name in WHOLE else value})


def _saving_usd(live: Live, assumptions: dict[str, float]) -> float:
    """Return what owning saves over the rent that it is held against."""
    pair = live.pair()
    assert pair is not None
    rent, own = pair
    whole = {name: round(value) if name in WHOLE else value for name, value in assumptions.items()}
    inputs = live.planned
    bought = live.cost(own, inputs, whole)
    return live.cost(rent, inputs, whole).present_value_usd - bought.present_value_usd
