"""A plan that can be worked out anew: its options as formulas with their numbers, under inputs that a reader changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from planner.assumptions import default_assumptions
from planner.costs.timeline import COMPONENTS, FloatArray
from planner.report.formulas import Expr
from planner.report.model import DISCOUNT, Model, buy_model, rent_model, run, token_model
from planner.report.values import Record

__all__ = [
    "LONGEST_MONTHS",
    "Cost",
    "Inputs",
    "Live",
    "book_values",
    "is_bridge",
    "names_in",
    "priced_names",
    "runs_once",
    "site_names",
]

LONGEST_MONTHS = 60
"""Months that a reader can look ahead, or the plan's own horizon where that is longer."""
WAITS = "delivery takes"
"""How the reason starts that goes away when the horizon grows."""


def names_in(expr: Expr) -> set[str]:
    """Return the names that a formula uses."""
    if expr.op == "name":
        return {expr.args[0]}
    return set().union(*(names_in(arg) for arg in expr.args if isinstance(arg, Expr)), set())


def priced_names() -> tuple[str, ...]:
    """Return the assumptions by which a plan can be made anew without sizing machines again, ``site.`` for each site."""
    found = names_in(DISCOUNT)
    for model in (rent_model(once=False), rent_model(once=True), buy_model(once=False), buy_model(once=True)):
        for expr in (*model.scalars.values(), *model.lines.values()):
            found |= names_in(expr)
    plain = {each for each in found if "." in each and each.split(".")[0] in {"money", "own", "rent"}}
    sites = {name for site in ("home", "colocation") for name in site_names(site).values()}
    return tuple(sorted(plain | sites | {"verdict.buy_margin_share"}))


def site_names(site: str) -> dict[str, str]:
    """Return the assumptions behind the names ``site.*`` of the formulas; a home pays no rent for space."""
    keys = ("electricity_usd_per_kwh", "pue_ratio", "support_share_per_year", "staff_floor_fte", "staff_share")
    names = {f"site.{key}": f"site.{site}.{key}" for key in keys}
    return names | ({"site.usd_per_kw_month": "site.colocation.usd_per_kw_month"} if site == "colocation" else {})


def book_values(option: Mapping[str, Any]) -> dict[str, float]:
    """Return an option's own numbers under the names that the formulas use."""
    return {f"book.{key}": float(value) for key, value in option["book"].items() if isinstance(value, int | float)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a reader changes besides assumptions.

    Attributes
    ----------
    horizon_months : int
        How far the comparison looks.
    use_ratio : float
        How much more or less the machines are needed than planned; 1 is as planned.
    price_usd_per_hour : mapping of str to float
        Prices of one's own, by the ids of options.
    """

    horizon_months: int
    use_ratio: float = 1.0
    price_usd_per_hour: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Cost:
    """What an option costs under some inputs; `lines` holds its items by month, as `planner.report.model.run` does."""

    present_value_usd: float
    usd_per_month: float
    lines: dict[str, FloatArray]

    def present_value_of_usd(self, *, with_use: bool | None = None, with_rent_price: bool | None = None) -> float:
        """Return the present value of the items that do (or do not) move with use, or with the price of the rent."""
        chosen = [
            cells
            for item, cells in self.lines.items()
            if item in COMPONENTS
            and (with_use is None or COMPONENTS[item].with_use is with_use)
            and (with_rent_price is None or COMPONENTS[item].with_rent_price is with_rent_price)
        ]
        return float((np.sum(chosen, axis=0) * self.lines["discount_ratio"]).sum()) if chosen else 0.0


def runs_once(record: Record) -> bool:
    """Tell whether the work of a plan is a job that is run once."""
    return bool(record.get("runs_once"))


class Live:
    """The options of a plan that can be worked out anew.

    Parameters
    ----------
    record : Record
        The plan.
    most : int
        How many options besides owned ones; those that verdict and break-evens name come with them.
    """

    def __init__(self, record: Record, *, most: int = 60) -> None:
        self.record = record
        self.once = runs_once(record)
        self.beliefs = dict(default_assumptions()) | {row["name"]: row["value"] for row in record["assumptions"]}
        self.months = max(LONGEST_MONTHS, record["horizon_months"])
        named = {record["verdict"]["option_id"]}
        named |= {pair[key] for pair in record["break_evens"] for key in ("rent_id", "buy_id")}
        booked = [option for option in record["options"] if option.get("book")]
        others = [option for option in booked if option["kind"] != "buy"]
        kept = {option["id"] for option in others[:most]} | named
        self.options = [option for option in booked if option["kind"] == "buy" or option["id"] in kept]
        self.by_id = {option["id"]: option for option in self.options}

    def model(self, option: Mapping[str, Any]) -> Model:
        """Return the formulas of an option."""
        models = {"rent": rent_model, "buy": buy_model, "tokens": token_model}
        return models[option["book"]["kind"]](once=self.once)

    def values(
        self, option: Mapping[str, Any], inputs: Inputs, beliefs: Mapping[str, float], bridge_usd_per_month: float = 0.0
    ) -> dict[str, float]:
        """Return what the names of an option's formulas stand for."""
        own = book_values(option)
        if option["id"] in inputs.price_usd_per_hour:
            own["book.price_usd_per_hour"] = inputs.price_usd_per_hour[option["id"]]
        site = {name: beliefs[belief] for name, belief in site_names(option["book"].get("site", "home")).items()}
        return {
            "site.usd_per_kw_month": 0.0,
            **beliefs,
            **site,
            **own,
            "input.horizon_months": inputs.horizon_months,
            "input.use_ratio": inputs.use_ratio,
            "input.bridge_usd_per_month": bridge_usd_per_month,
        }

    def cost(
        self,
        option: Mapping[str, Any],
        inputs: Inputs,
        beliefs: Mapping[str, float] | None = None,
        bridge_usd_per_month: float = 0.0,
    ) -> Cost:
        """Return what one option costs."""
        values = self.values(option, inputs, beliefs or self.beliefs, bridge_usd_per_month)
        lines = run(self.model(option), values, self.months)
        return Cost(
            float((lines["total"] * lines["discount_ratio"]).sum()),
            float(lines["total"].sum() / lines["last_month"]),
            lines,
        )

    def costs(self, inputs: Inputs | None = None, beliefs: Mapping[str, float] | None = None) -> dict[str, Cost]:
        """Return what every option costs, with the cheapest rent on demand until servers are delivered."""
        chosen = inputs or self.planned
        found = {each["id"]: self.cost(each, chosen, beliefs) for each in self.options if each["kind"] != "buy"}
        bridge = self.bridge_usd_per_month(found)
        owned = {each["id"]: self.cost(each, chosen, beliefs, bridge) for each in self.options if each["kind"] == "buy"}
        return {each["id"]: (found | owned)[each["id"]] for each in self.options}

    @property
    def planned(self) -> Inputs:
        """The inputs of the plan itself."""
        return Inputs(horizon_months=self.record["horizon_months"])

    def bridge_usd_per_month(self, costs: Mapping[str, Cost]) -> float:
        """Return the cheapest rent without a commitment."""
        bridges = [costs[each["id"]].usd_per_month for each in self.options if is_bridge(each)]
        return min(bridges, default=0.0)

    def bridges(self) -> list[Mapping[str, Any]]:
        """Return the few cheapest rents without a commitment; with other inputs one of them stays the cheapest."""
        found = [each for each in self.options if is_bridge(each)]
        return sorted(found, key=lambda each: float(each["cost"]["usd_per_month"]))[:3]

    def bridge_as_planned(self) -> float:
        """Return the cheapest rent a month, as planned, until servers are delivered."""
        return min((self.cost(each, self.planned).usd_per_month for each in self.bridges()), default=0.0)

    def bridged_cost(
        self, option: Mapping[str, Any], inputs: Inputs, beliefs: Mapping[str, float] | None = None
    ) -> Cost:
        """Return what one owned option costs, with the cheapest rent on demand until it is delivered."""
        # A run that is done once waits for no delivery, so nothing bridges it.
        found = [] if self.once else [self.cost(each, inputs, beliefs).usd_per_month for each in self.bridges()]
        return self.cost(option, inputs, beliefs, min(found, default=0.0))

    def is_eligible(
        self, option: Mapping[str, Any], inputs: Inputs, beliefs: Mapping[str, float] | None = None
    ) -> bool:
        """Tell whether the verdict may take an option."""
        if option["kind"] != "buy" or self.once:
            return bool(option["choosable"])
        arrives = (beliefs or self.beliefs)["own.lead_time_months"] < inputs.horizon_months
        return arrives and (option["choosable"] or option["reason_not_chosen"].startswith(WAITS))

    def choice(
        self,
        costs: Mapping[str, Cost],
        inputs: Inputs | None = None,
        beliefs: Mapping[str, float] | None = None,
    ) -> str:
        """Return the id of the option to take, by the rule of `planner.verdict`."""
        eligible = [each for each in self.options if self.is_eligible(each, inputs or self.planned, beliefs)]
        margin = (beliefs or self.beliefs)["verdict.buy_margin_share"]
        rest = _cheapest([each for each in eligible if each["kind"] != "buy"], costs)
        owned = _cheapest([each for each in eligible if each["kind"] == "buy"], costs)
        if rest is None or owned is None:
            return str(rest or owned or self.record["verdict"]["option_id"])
        turned = costs[owned].present_value_usd < costs[rest].present_value_usd * (1 - margin)
        return owned if turned else rest

    def pair(self) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        """Return the rent and the server to hold against each other: the verdict's own where it has one."""
        pairs = self.record["break_evens"]
        chosen = self.record["verdict"]["option_id"]
        mine = next((pair for pair in pairs if chosen in {pair["rent_id"], pair["buy_id"]}), None)
        if mine is None and pairs:
            mine = pairs[0]
        if mine is None or mine["rent_id"] not in self.by_id or mine["buy_id"] not in self.by_id:
            return None
        return self.by_id[mine["rent_id"]], self.by_id[mine["buy_id"]]


def is_bridge(option: Mapping[str, Any]) -> bool:
    """Tell whether an option can be rented until servers are delivered."""
    return bool(option["kind"] in {"rent", "cpu"} and option["choosable"] and option["purchase_option"] == "on_demand")


def _cheapest(options: Sequence[Mapping[str, Any]], costs: Mapping[str, Cost]) -> str | None:
    best = min(options, key=lambda option: costs[option["id"]].present_value_usd, default=None)
    return None if best is None else str(best["id"])
