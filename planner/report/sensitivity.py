"""What each assumption alone does to the saving of owning: a plan's own bars, or its money worked out anew at both ends of a range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypedDict

from planner.report.live import Cost, Inputs, Live, Pair, cost_inputs, priced_names
from planner.report.words import assumption_label

if TYPE_CHECKING:
    from planner.report.schema.plan import Bar

DEMAND, SERVER_PRICE = "risk.demand_ratio", "risk.server_price_ratio"
"""Assumptions about what comes over what was planned: the use of the machines, the price of a server."""
WHOLE = {"own.life_months", "own.lead_time_months"}
"""Assumptions that are whole months."""

MOST_BARS = 12
LEAST_SHARE = 0.002
"""Bars narrower than this share of the widest say nothing."""


class LiveBar(TypedDict):
    """What one assumption does to the saving of owning, alone, at both ends of its range."""

    name: str
    label: str
    low: float
    high: float
    low_usd: float
    high_usd: float
    base_usd: float
    turns_verdict: bool


def bars_of(live: Live) -> list[LiveBar]:
    """Return one bar for each assumption that moves the saving, the widest first.

    A plan that brings its own sensitivity (with the speed of the machines in it) shows that; else the assumptions about
    money are moved here, one at a time, over their ranges.

    Parameters
    ----------
    live : Live
        The plan.
    """
    pair = live.pair()
    if pair is None:
        return []
    base, risk = _saving_usd(live, pair, live.assumptions), live.record["risk"]
    given = live.record["sensitivity"]
    if given and risk:
        # The plan's own bars are about the pair that it held against each other, which need not be ours.
        by_id = {option["id"]: option["cost"]["present_value_usd"] for option in live.record["options"]}
        base = by_id.get(risk["rent_id"], 0.0) - by_id.get(risk["buy_id"], 0.0)
    bars: list[LiveBar] = [
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
        for bar in given or _priced_bars(live, pair, base)
    ]
    bars.sort(key=lambda bar: -abs(bar["high_usd"] - bar["low_usd"]))
    widest = abs(bars[0]["high_usd"] - bars[0]["low_usd"]) if bars else 0.0
    return [bar for bar in bars if abs(bar["high_usd"] - bar["low_usd"]) > LEAST_SHARE * widest][:MOST_BARS]


def _priced_bars(live: Live, pair: Pair, base_usd: float) -> Iterator[Bar]:
    """Yield what each assumption about money does, in the keys of a plan's own bars."""
    names = set(priced_names(live.financing))
    for row in live.record["assumptions"]:
        if row["name"] in names and row["low"] != row["high"]:
            low_usd, high_usd = (
                _saving_usd(live, pair, live.assumptions | {row["name"]: value}) for value in (row["low"], row["high"])
            )
            yield {
                "name": row["name"],
                "low": row["low"],
                "high": row["high"],
                "saving_at_low_usd": low_usd,
                "saving_at_high_usd": high_usd,
                "turns_verdict": len({saving > 0 for saving in (low_usd, high_usd, base_usd)}) > 1,
            }


def _saving_usd(live: Live, pair: Pair, assumptions: Mapping[str, float]) -> float:
    """Return what owning saves over the rent that it is held against."""
    whole = {name: round(value) if name in WHOLE else value for name, value in assumptions.items()}
    rent, own = (live.cost(option, live.planned, whole) for option in pair)
    return rent.present_value_usd - own.present_value_usd


def moved(
    live: Live,
    pair: Pair,
    name: str,
    value: float,
    inputs: Inputs | None = None,
    assumptions: Mapping[str, float] | None = None,
) -> tuple[Cost, Cost]:
    """Return what a rent and a server cost with one assumption at another value.

    Parameters
    ----------
    live : Live
        The plan.
    pair : tuple of option
        The rent and the server.
    name : str
        An assumption of `planner.report.live.priced_names`, `DEMAND` or `SERVER_PRICE`.
    value : float
        What it is instead.
    inputs, assumptions : Inputs, mapping of str to float, optional
        All else; the plan's own by default.
    """
    inputs, assumptions = inputs or live.planned, assumptions or live.assumptions
    rent, own = pair
    if name == DEMAND:
        inputs = replace(inputs, use_ratio=inputs.use_ratio * value)
    elif name == SERVER_PRICE:
        book = cost_inputs(own)
        assert book["kind"] == "buy"
        own = {**own, "book": {**book, "server_price_usd": book["server_price_usd"] * value}}
    else:
        assumptions = {**assumptions, name: round(value) if name in WHOLE else value}
    return live.cost(rent, inputs, assumptions), live.cost(own, inputs, assumptions)
