"""What each assumption alone does to the saving of owning, from the plan's own ranges."""

from __future__ import annotations

from typing import Any

from planner.report.live import Live, priced_names

__all__ = ["bars_of"]

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
    base = _saving_usd(live, live.beliefs)
    held = live.record["risk"]
    if given and held:
        # The plan's own bars are about the pair that it held against each other, which need not be ours.
        by_id = {option["id"]: option["cost"]["present_value_usd"] for option in live.record["options"]}
        base = by_id.get(held["rent_id"], 0.0) - by_id.get(held["buy_id"], 0.0)
    if given:
        bars = [
            {
                "name": bar["name"],
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
        names = set(priced_names())
        bars = []
        for row in live.record["assumptions"]:
            if row["name"] not in names or row["low"] == row["high"]:
                continue
            low, high = (_saving_usd(live, live.beliefs | {row["name"]: row[end]}) for end in ("low", "high"))
            bars.append(
                {
                    "name": row["name"],
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


def _saving_usd(live: Live, beliefs: dict[str, float]) -> float:
    """Return what owning saves over the rent that it is held against."""
    pair = live.pair()
    assert pair is not None
    rent, own = pair
    whole = {
        name: round(value) if name in {"own.life_months", "own.lead_time_months"} else value
        for name, value in beliefs.items()
    }
    inputs = live.planned
    bought = live.bridged_cost(own, inputs, whole)
    return live.cost(rent, inputs, whole).present_value_usd - bought.present_value_usd
