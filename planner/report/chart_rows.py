"""What the charts show: rows of numbers, worked out from the costs of a plan's options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from planner.arrays import FloatArray
from planner.report.figures import significant
from planner.report.live import Cost
from planner.report.option_words import label as option_label
from planner.report.words import label

if TYPE_CHECKING:
    from planner.report.schema.option import OptionRecord
    from planner.report.schema.plan import PlanRecord


Rows = list[dict[str, Any]]

KIND_WORDS = {
    "rent": "rented",
    "buy": "owned",
    "api": "per token",
    "cpu": "CPU only",
    "free": "free",
    "have": "paid for already",
}
USE_STEPS = 50
MOST_POINTS = 300


def cost_over_time_rows(costs: Mapping[str, Cost], months: int) -> Rows:
    """Return what has been paid up to each month (NPV), before and after the lumps at its end."""
    rows: Rows = []
    for what, cost in costs.items():
        factor = cost.lines["discount_ratio"]
        after = np.cumsum(cost.lines["total"] * factor)
        before = after - cost.lines["lumps"] * factor
        for month in range(months + 1):
            if month and before[month] != after[month]:
                rows.append({"what": what, "month": month, "usd": float(before[month]), "step": 2 * month})
            rows.append({"what": what, "month": month, "usd": float(after[month]), "step": 2 * month + 1})
    return rows


def break_even_price_usd_per_hour(
    rent: Cost, own: Cost, price_usd_per_hour: float, use: FloatArray, use_now: float
) -> FloatArray:
    """Return the rent of one instance at which both cost the same, for shares of time in use.

    Parameters
    ----------
    rent, own : Cost
        Both under the inputs of now.
    price_usd_per_hour : float
        Rent of now.
    use : FloatArray
        Shares of the clock hours.
    use_now : float
        Share of now.

    Returns
    -------
    FloatArray
        As `planner.costs.breakeven.break_even` has it for one share; NaN where no rent is high enough.
    """
    scale = np.asarray(use) / use_now

    def value(cost: Cost, *, with_rent_price: bool | None = None) -> FloatArray:
        moving = cost.present_value_of_usd(with_use=True, with_rent_price=with_rent_price)
        return cost.present_value_of_usd(with_use=False, with_rent_price=with_rent_price) + moving * scale

    saving = value(rent) - value(own)
    rises = value(rent, with_rent_price=True) - value(own, with_rent_price=True)
    ratio = np.divide(saving, rises, out=np.full(scale.shape, np.nan), where=rises > 0)
    return np.asarray(np.maximum(price_usd_per_hour * (1.0 - ratio), 0.0))


def equal_price_rows(rent: Cost, own: Cost, price_usd_per_hour: float, use_now: float) -> Rows:
    """Return the curve of `break_even_price_usd_per_hour` over the whole range of use."""
    use = np.linspace(1 / USE_STEPS, 1.0, USE_STEPS)
    price = break_even_price_usd_per_hour(rent, own, price_usd_per_hour, use, use_now)
    return [
        {"needed_percent": float(u * 100), "usd_per_hour": float(p)}
        for u, p in zip(use, price, strict=True)
        if np.isfinite(p)
    ]


def memory_rows(option: OptionRecord) -> Rows:
    """Return what fills the memory of one accelerator of an option, the free part last; empty where it is not known."""
    memory = option["memory"]
    if not memory:
        return []
    parts = {label(name): size for name, size in memory["parts_bytes"].items() if size > 0}
    parts["Free"] = max(memory["capacity_bytes"] - memory["total_bytes"], 0.0)
    return [{"part": part, "gb": size / 1e9, "step": step} for step, (part, size) in enumerate(parts.items())]


def limit_rows(record: PlanRecord, option: OptionRecord) -> Rows:
    """Return how much of each limit, or of the deadline, an option takes, in percent; empty where nothing limits it."""
    rows: Rows = []

    def add(what: str, value: float | None, limit: float | None, unit: str) -> None:
        if value is not None and limit:
            said = f"{significant(value, 3):,g} of {significant(limit, 3):,g} {unit}"
            rows.append({"what": what, "percent": 100.0 * value / limit, "said": said, "over": value > limit})

    speed = option["performance"]

    def ms(key: str) -> float | None:
        values: Mapping[str, Any] = speed or {}
        return values.get(key)

    work = record["workload"].get(record["workload"]["kind"]) or {}
    filled = {row["key"].rpartition(".")[2]: row["value"] for row in record.get("defaults") or ()}
    names = {"ttft": "TTFT", "tpot": "TPOT", "total": "Total"}
    for name, said in names.items():
        limit = work.get(f"{name}_limit_ms") or filled.get(f"{name}_limit_ms")
        simulated = {quantile: ms(f"{name}_{quantile}_ms") for quantile in ("p50", "p90", "p95", "p99")}
        if any(simulated.values()):
            for quantile, value in simulated.items():
                add(f"{said} {quantile}", value, limit, "ms")
        else:
            add(f"{said} mean", ms(f"{name}_ms"), limit, "ms")
    hours, deadline_s = option["hours_per_run"], record["requirements"].get("deadline_s")
    if hours is not None and deadline_s:
        add("Run takes", hours, deadline_s / 3600.0, "h")
        rate = speed["rate_per_s"] if speed else None
        if rate and rate["low"] > 0:
            add("Slow end of 80 %", hours * rate["typical"] / rate["low"], deadline_s / 3600.0, "h")
    return rows


def speed_rows(record: PlanRecord) -> tuple[str, Rows]:
    """Return the axis of speed and one row for each option that has one; empty where the work has no speed."""
    rows: Rows = []
    axis = ""
    for option in record["options"][:MOST_POINTS]:
        speed = option["performance"]
        if option["hours_per_run"] is not None:
            axis, value = "hours for one run", option["hours_per_run"]
        elif speed and speed["tpot_ms"] is not None:
            axis, value = "TPOT, ms", speed["tpot_ms"]
        else:
            continue
        usd = option["cost"]["present_value_usd"]
        if usd <= 0 or value <= 0:
            continue
        rows.append(
            {
                "id": option["id"],
                "kind": KIND_WORDS[option["kind"]],
                "what": option_label(option),
                "speed": value,
                "usd": usd,
                "best": False,
                "chosen": option["id"] == record["verdict"]["option_id"],
                "choosable": option["choosable"],
            }
        )
    for row in pareto_front([row for row in rows if row["choosable"]]):
        row["best"] = True
    return axis, rows


def pareto_front(rows: Rows) -> Rows:
    """Return the rows that none beats in both cost and speed, fastest first.

    Examples
    --------
    >>> rows = [{"speed": 1, "usd": 9}, {"speed": 2, "usd": 5}, {"speed": 3, "usd": 6}, {"speed": 4, "usd": 1}]
    >>> [row["speed"] for row in pareto_front(rows)]
    [1, 2, 4]
    """
    front: Rows = []
    for row in sorted(rows, key=lambda row: (row["speed"], row["usd"])):
        if not front or row["usd"] < front[-1]["usd"]:
            front.append(row)
    return front
