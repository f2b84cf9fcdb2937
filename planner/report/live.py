"""A plan that can be worked out anew: its options as formulas with their numbers, under inputs that a reader changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import default_assumptions
from planner.costs.breakeven import crossings
from planner.costs.evaluate import bridge_values, model_of, run, values_of
from planner.costs.expression import substituted
from planner.costs.financing import CASH, Financing, financing_of
from planner.costs.formulas import Model, buy_model, rent_model, site_names
from planner.costs.inputs import Bridge
from planner.costs.timeline import COMPONENTS, Timeline
from planner.options.option import LONGEST_FREE_TERM_MONTHS, RENTED, OptionKind, Reason, ReasonCode
from planner.verdict.ranking import alike
from planner.verdict.weighing import cheapest_of_each_sort, lacks_margin, pays_off_in_time, weighed, without_set_up

if TYPE_CHECKING:
    from planner.report.schema.option import Book, OptionRecord
    from planner.report.schema.plan import PlanRecord


LONGEST_MONTHS = 60
"""Months that a reader can look ahead, or the plan's own horizon where that is longer."""


Pair: TypeAlias = tuple["OptionRecord", "OptionRecord"]
"""A rent and a server of a plan."""
LATER_FACTS = ("book.weekly_above_hours", "book.first_months", "book.first_usd_per_hour", "book.credit_usd", "book.credit_months")  # fmt: skip
"""Facts of a rent that older plans do not state, since there were none."""


VERDICT_NAMES = ("verdict.buy_margin_share", "verdict.last_months_share", "verdict.trivial_usd")
"""What the rule of the verdict takes beside costs (`planner.verdict.choice`)."""
WEIGHED_AGAIN = frozenset({ReasonCode.MARGIN, ReasonCode.PAYS_OFF_LATE})
"""Reasons of that rule itself: under other inputs it decides again. Confidence takes draws, which a record does not hold."""


def priced_names(financing: Financing = CASH) -> tuple[str, ...]:
    """Return the assumptions by which a plan can be made anew without sizing machines again, ``site.`` for each site."""
    models = [make(once=once, financing=financing) for make in (rent_model, buy_model) for once in (False, True)]
    names = frozenset().union(*(model.names for model in models))
    plain = {name for name in names if name.startswith(("money.", "own.", "rent."))}
    sites = {name for site in ("home", "colocation") for name in site_names(site).values()}
    return tuple(sorted(plain | sites | {*VERDICT_NAMES}))


def cost_inputs(option: OptionRecord) -> Book:
    """Return what an option's money is worked out from; all options of a `Live` have that."""
    book = option["book"]
    assert book is not None
    return book


def book_values(option: OptionRecord) -> dict[str, float]:
    """Return an option's own numbers under the names that the formulas use."""
    book = cost_inputs(option)
    bridge: Mapping[str, Any] = book.get("bridge", {}) if book["kind"] == "buy" else {}
    # Older plans do not say which rent is spot, which is sold by the week, and what does the work until delivery.
    missing = (
        bridge_values(Bridge())
        if book["kind"] == "buy"
        else {"book.interruptible": float(option["purchase_option"] == "spot"), **dict.fromkeys(LATER_FACTS, 0.0)}
        if book["kind"] == "rent"
        else {}
    )
    return (
        missing
        | {f"book.{key}": float(value) for key, value in book.items() if isinstance(value, int | float)}
        | {f"book.bridge_{key}": float(value) for key, value in bridge.items() if key != "option_id"}
    )


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
    """What an option costs under some inputs; `lines` holds its items by month, as `planner.costs.evaluate.run` does."""

    present_value_usd: float
    total_usd: float
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


def financing_of_plan(record: PlanRecord) -> Financing:
    """Return how the hardware of a plan is paid, and whether there is tax."""
    return financing_of(dict(default_assumptions()) | {row["name"]: row["value"] for row in record["assumptions"]})


def runs_once(record: PlanRecord) -> bool:
    """Tell whether the work of a plan is a job that is run once."""
    return bool(record.get("runs_once"))


class Live:
    """The options of a plan that can be worked out anew.

    Parameters
    ----------
    record : PlanRecord
        The plan.
    most : int
        How many options besides owned ones; those that verdict and break-evens name come with them.
    """

    def __init__(self, record: PlanRecord, *, most: int = 60) -> None:
        self.record = record
        self.once = runs_once(record)
        self.assumptions = dict(default_assumptions()) | {row["name"]: row["value"] for row in record["assumptions"]}
        self.financing = financing_of_plan(record)
        self.months = max(LONGEST_MONTHS, record["horizon_months"])
        named = {record["verdict"]["option_id"]}
        named |= {pair[key] for pair in record["break_evens"] for key in ("rent_id", "buy_id")}
        booked = [option for option in record["options"] if option.get("book")]
        others = [option for option in booked if option["kind"] != "buy"]
        kept = {option["id"] for option in others[:most]} | named
        self.options = [option for option in booked if option["kind"] == "buy" or option["id"] in kept]
        self._models: dict[tuple[float, ...], Model] = {}
        self.by_id = {option["id"]: option for option in self.options}

    def model(self, option: OptionRecord) -> Model:
        """Return the formulas of an option; what does the work until delivery is a fact of the plan, but for its price."""
        model = model_of(cost_inputs(option)["kind"], self.assumptions, once=self.once)
        facts = {key: value for key, value in book_values(option).items() if key.startswith("book.bridge_")}
        facts.pop("book.bridge_usd_per_hour", None)
        if not facts:
            return model
        key = tuple(facts.values())
        if key not in self._models:
            lines = {line: substituted(expr, facts) for line, expr in model.lines.items()}
            self._models[key] = Model(model.scalars, lines)
        return self._models[key]

    def values(self, option: OptionRecord, inputs: Inputs, assumptions: Mapping[str, float]) -> dict[str, float]:
        """Return what the names of an option's formulas stand for."""
        own = book_values(option)
        if option["id"] in inputs.price_usd_per_hour:
            own["book.price_usd_per_hour"] = inputs.price_usd_per_hour[option["id"]]
        bridge_id = bridge_id_of(option)
        listed_usd = self.by_id[bridge_id]["price_usd_per_hour"] if bridge_id in self.by_id else None
        if bridge_id in inputs.price_usd_per_hour and listed_usd:
            own["book.bridge_usd_per_hour"] *= inputs.price_usd_per_hour[bridge_id] / listed_usd
        values = values_of(
            self.model(option),
            own,
            assumptions,
            horizon_months=inputs.horizon_months,
            site=site_of(option),
            use_ratio=inputs.use_ratio,
        )
        return {name: float(value) for name, value in values.items()}

    def cost(self, option: OptionRecord, inputs: Inputs, assumptions: Mapping[str, float] | None = None) -> Cost:
        """Return what one option costs."""
        values = self.values(option, inputs, assumptions or self.assumptions)
        lines = run(self.model(option), values, self.months)
        total_usd = float(lines["total"].sum())
        today_usd = float((lines["total"] * lines["discount_ratio"]).sum())
        return Cost(today_usd, total_usd, total_usd / float(lines["last_month"]), lines)

    def costs(self, inputs: Inputs | None = None, assumptions: Mapping[str, float] | None = None) -> dict[str, Cost]:
        """Return what every option costs."""
        return {option["id"]: self.cost(option, inputs or self.planned, assumptions) for option in self.options}

    @property
    def planned(self) -> Inputs:
        """The inputs of the plan itself."""
        return Inputs(horizon_months=self.record["horizon_months"])

    def is_eligible(self, option: OptionRecord, inputs: Inputs, assumptions: Mapping[str, float] | None = None) -> bool:
        """Tell whether the verdict may take an option."""
        lead_months = (assumptions or self.assumptions)["own.lead_time_months"]
        arrives = option["kind"] != "buy" or self.once or lead_months < inputs.horizon_months
        return arrives and self.may_be_eligible(option)

    def may_be_eligible(self, option: OptionRecord) -> bool:
        """Tell whether nothing speaks against an option but what other inputs can change."""
        mended = WEIGHED_AGAIN if self.once else WEIGHED_AGAIN | {ReasonCode.DELIVERED_TOO_LATE}
        reasons = option["not_recommended"]
        return option["choosable"] or (bool(reasons) and all(reason["code"] in mended for reason in reasons))

    def choice(
        self, costs: Mapping[str, Cost], inputs: Inputs | None = None, assumptions: Mapping[str, float] | None = None
    ) -> str:
        """Return the id of the option to take, by the rule of `planner.verdict.choice`."""
        eligible = [option for option in self.options if self.is_eligible(option, inputs or self.planned, assumptions)]
        values = assumptions or self.assumptions
        months = (inputs or self.planned).horizon_months
        # Options that cost the same but for rounding keep the order of the plan.
        worth_usd = np.array([costs[option["id"]].present_value_usd for option in eligible])
        ranked = [eligible[row] for row in np.argsort(alike(worth_usd), kind="stable")]
        best = cheapest_of_each_sort(
            LiveContender(
                option["id"], OptionKind(option["kind"]), binds(option), costs[option["id"]].present_value_usd
            )
            for option in ranked
        )
        if not best:
            return self.record["verdict"]["option_id"]
        rent = next((other for other in best if other.kind in RENTED), None)

        def against(row: int, rival: int) -> Reason | None:
            own = best[row]
            if (reason := lacks_margin(own, best[rival], values)) or own.kind is not OptionKind.BUY or rent is None:
                return reason
            month = crossing_month(costs[rent.id], costs[own.id])
            return None if pays_off_in_time(month, months, values) else Reason(ReasonCode.PAYS_OFF_LATE)

        taken, _ = weighed(best, against)
        return best[without_set_up(best, taken, values["verdict.trivial_usd"])].id

    def pair(self) -> Pair | None:
        """Return the rent and the server to hold against each other: the verdict's own where it has one."""
        pairs = self.record["break_evens"]
        chosen = self.record["verdict"]["option_id"]
        mine = next((pair for pair in pairs if chosen in {pair["rent_id"], pair["buy_id"]}), next(iter(pairs), None))
        if mine is None or mine["rent_id"] not in self.by_id or mine["buy_id"] not in self.by_id:
            return None
        return self.by_id[mine["rent_id"]], self.by_id[mine["buy_id"]]


def crossing_month(rent: Cost, own: Cost) -> float | None:
    """Return from which month on owning stays cheaper (NPV); None means never."""
    return crossings(discounted(rent), discounted(own))[0]


def discounted(cost: Cost) -> Timeline:
    """Return what an option costs by month as NPV."""
    items = tuple(item for item in cost.lines if item in COMPONENTS)
    cash = np.stack([cost.lines[item] * cost.lines["discount_ratio"] for item in items])
    return Timeline(items, cash, np.zeros(cash.shape[-1]))


class LiveContender(NamedTuple):
    """An option that may be taken, at what it costs under the inputs of now."""

    id: str
    kind: OptionKind
    binds: bool
    present_value_usd: float


def binds(option: OptionRecord) -> bool:
    """Tell whether an option binds for more than a year."""
    book = cost_inputs(option)
    return book["kind"] == "buy" or (book["kind"] == "rent" and book["term_months"] > LONGEST_FREE_TERM_MONTHS)


def bridge_id_of(option: OptionRecord) -> str:
    """Return the id of the option that does the work until a server is delivered; empty where there is none."""
    book = cost_inputs(option)
    return book.get("bridge", {}).get("option_id", "") if book["kind"] == "buy" else ""


def site_of(option: OptionRecord) -> str:
    """Return the site of a bought server; empty for other options."""
    book = cost_inputs(option)
    return book["site"] if book["kind"] == "buy" else ""
