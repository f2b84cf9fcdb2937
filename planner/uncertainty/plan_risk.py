"""How sure a plan's verdict is, and which assumption would change it: every bar and every draw is the plan's own arithmetic."""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, TypeAlias, cast

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.costs.evaluate import Value, model_of, own_values, present_value_usd, values_of
from planner.costs.inputs import Bridge, BuyInputs, RentInputs, other_id_of
from planner.options.option import Option, OptionKind
from planner.options.price_evidence import Evidence
from planner.uncertainty.assumptions import (
    DEMAND,
    SERVER_PRICE,
    clip_draws,
    correlations_of,
    drawn_inputs,
    draws_of_inputs,
    normals_of,
)
from planner.uncertainty.draws import (
    Draws,
    Evaluate,
    Uncertain,
    at_normals,
    risk,
    risk_record,
)
from planner.uncertainty.tornado import tornado

DRAWS = 10_000
JOINT_DRAWS = 2_000
"""Enough to tell 0.7 from 0.67."""
KnownWorths: TypeAlias = dict[tuple[object, ...], FloatArray]
"""Present values by an option's own numbers, the assumptions that are drawn, and the number of draws."""
LEAST_BAR_USD = 0.005
PRICES_OF_A_RENT = (("book.first_usd_per_hour", "book.upfront_usd"), ("book.price_usd_per_hour",))
"""Its own, and the price of all hours, or of those after the first months."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRisk:
    """What the ranges of the assumptions make of renting against owning.

    Attributes
    ----------
    risk : dict or None
        Probability that owning is cheaper, percentiles of the difference, regret; None where nothing is compared.
    sensitivity : tuple of dict
        What each assumption alone does to the saving of owning, the widest first; those that do nothing are left out.
    """

    risk: dict[str, Any] | None = None
    sensitivity: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A rent and a server that are compared.

    Attributes
    ----------
    rent, own : RentInputs, BuyInputs
        Their own numbers.
    months : int
        Horizon.
    """

    rent: RentInputs
    own: BuyInputs
    months: int


def plan_risk(rent: Option | None, owned: Option | None, assumptions: Assumptions, *, months: int) -> PlanRisk:
    """Draw the assumptions within their ranges, for one rented and one owned option.

    Parameters
    ----------
    rent, owned : Option or None
        The best of each; where one is missing nothing is compared.
    assumptions : Assumptions
        With their ranges; one that the user has set has none.
    months : int
        Horizon.
    """
    if rent is None or owned is None:
        return PlanRisk()
    assert isinstance(rent.book, RentInputs)
    assert isinstance(owned.book, BuyInputs)
    pair = Pair(rent=rent.book, own=owned.book, months=months)
    inputs = pair_inputs(pair, assumptions)
    if not inputs:
        return PlanRisk()
    costs_usd = pair_costs(pair, assumptions)
    outcome = risk(
        (rent.id, owned.id),
        lambda draws: costs_usd(draws_of_inputs(draws, inputs)),
        normals_of(inputs),
        correlations=correlations_of(inputs, assumptions),
        draws=DRAWS,
    )
    widest_first = tornado(costs_usd, inputs)
    return PlanRisk(
        risk={"rent_id": rent.id, "buy_id": owned.id, **risk_record(outcome, owned.id)},
        sensitivity=tuple(
            asdict(bar) for bar in widest_first if abs(bar.saving_at_high_usd - bar.saving_at_low_usd) > LEAST_BAR_USD
        ),
    )


def pair_inputs(pair: Pair, assumptions: Assumptions) -> tuple[Uncertain, ...]:
    """Return the assumptions with a range that stand in the formulas of either side.

    A yearly change of rents that is kept up for years errs less than that of a single year: its range is narrowed by the
    square root of the years, so that the price at the horizon spreads as after a random walk.
    """
    return drawn_inputs([pair.rent, pair.own], assumptions, pair.months)


def pair_costs(pair: Pair, assumptions: Mapping[str, float]) -> Evaluate:
    """Return a function from draws of assumptions to the present values of renting and owning, shape (2, draws).

    Demand moves the hours used and leaves the number of machines as it is.
    """

    def evaluate(draws: Draws) -> FloatArray:
        count = len(next(iter(draws.values()))) if draws else 1
        drawn: dict[str, Value] = {name: values[:, None] for name, values in draws.items()}
        clip_draws(drawn, assumptions, pair.months)
        held: Mapping[str, Value] = ChainMap(
            drawn, cast("dict[str, Value]", assumptions)
        )  # looked up one by one: a plan lists what it rests on
        rent_usd = _rent_usd(pair.rent, held, pair.months)
        owned_usd = _own_usd(pair.own, held, drawn, pair.months)
        return np.stack([np.broadcast_to(usd, (count,)) for usd in (rent_usd, owned_usd)])

    return evaluate


def _own_usd(cost_inputs: BuyInputs, held: Mapping[str, Value], drawn: Mapping[str, Value], months: int) -> FloatArray:
    own = own_values(cost_inputs)
    server = {"book.server_price_usd": own["book.server_price_usd"] * drawn.get(SERVER_PRICE, 1.0)}
    model = model_of("buy", cast("Mapping[str, float]", held), once=False)
    values = values_of(
        model,
        {**own, **server},
        held,
        horizon_months=float(months),
        site=cost_inputs.site,
        use_ratio=drawn.get(DEMAND, 1.0),
    )
    return present_value_usd(model, values, months)[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class JointDraws:
    """The same draws of everything that is not known for sure, for many options at once.

    Drawn are the assumptions in their formulas, demand, how far each price may have moved since it was seen, and the speed of
    the machines within its 80 % band: slower machines are rented for longer or in greater number, and bought in whole ones.

    Attributes
    ----------
    options : sequence of Option
        Whatever can be chosen: rents, commitments, servers, sellers of tokens.
    moved_ratio : FloatArray, shape (options, draws)
        Each option's price over the one that was seen.
    slower_ratio : FloatArray, shape (options, draws)
        Machines or hours needed, over those planned: the same for all machines with one accelerator, and alike for others.
    drawn, held : mapping of str to number or array
        The drawn assumptions, and all of them.
    months : int
        Horizon.
    once : bool
        Whether the work is one run: then neither demand nor the prices of later years play a part.
    inputs : tuple of Uncertain
        The assumptions that are drawn.
    known : dict
        Present values in draws of one plan, which the same option has wherever it is held against others.
    """

    options: Sequence[Option]
    moved_ratio: FloatArray
    slower_ratio: FloatArray
    drawn: Mapping[str, Value]
    held: Mapping[str, Value]
    months: int
    once: bool
    inputs: tuple[Uncertain, ...]
    known: KnownWorths

    @classmethod
    def of(
        cls,
        options: Sequence[Option],
        assumptions: Assumptions,
        evidence: Evidence,
        *,
        months: int,
        once: bool,
        count: int = JOINT_DRAWS,
        known: KnownWorths | None = None,
    ) -> JointDraws:
        """Draw for options.

        Parameters
        ----------
        options : sequence of Option
            One or more.
        assumptions : Assumptions
            With their ranges.
        evidence : Evidence
            How far prices move.
        months : int
            Horizon.
        once : bool
            Whether the work is one run.
        count : int
            Draws.
        known : dict, optional
            As the attribute; filled.
        """
        all_inputs = [option.book for option in options if option.book is not None]
        inputs = () if once else drawn_inputs(all_inputs, assumptions, months)
        own_count, sorts = len(normals_of(inputs)), {option.accelerator for option in options}
        z = _normals(count, own_count + len(options) + 1 + len(sorts))[own_count:]
        drawn: dict[str, Value] = {
            name: values[:, None]
            for name, values in _assumptions_drawn(inputs, tuple(correlations_of(inputs, assumptions).items()), count)
        }
        clip_draws(drawn, assumptions, months)
        return cls(
            options=options,
            moved_ratio=np.stack([np.exp(z[row] * evidence.spread_share(o)) for row, o in enumerate(options)]),
            slower_ratio=_slower_ratios(options, z[len(options) :], assumptions),
            drawn=drawn,
            held=ChainMap(drawn, cast("dict[str, Value]", assumptions)),
            months=months,
            once=once,
            inputs=inputs,
            known={} if known is None else known,
        )

    @cached_property
    def costs_usd(self) -> FloatArray:
        """What the options cost (NPV), shape (options, draws)."""
        return np.stack([self.usd(row) for row in range(len(self.options))])

    def usd(self, row: int, option: Option | None = None) -> FloatArray:
        """Return what an option costs in each draw (NPV), or another one, at another price, in its place; shape (draws,)."""
        taken, moved, slower = option or self.options[row], self.moved_ratio[row], self.slower_ratio[row]
        match taken.book:
            case BuyInputs() as book:
                more = np.maximum(np.rint(taken.instance_count * slower), 1.0) / max(taken.instance_count, 1)
                worth_usd = self._known_usd(taken) * moved
                if book.bridge.option_id:
                    alone_usd = self._known_usd(replace(taken, book=replace(book, bridge=Bridge())))
                    worth_usd += (self._known_usd(taken) - alone_usd) * (self._moved_other(book) - moved)
                return np.asarray(worth_usd * more)
            case RentInputs() as book if book.takes_over_id:
                ratios = moved * slower, self._moved_other(book) * slower
                return _rent_usd(book, self.held, self.months, once=self.once, price_ratios=ratios)
            case RentInputs() as book if book.credit_usd > 0:  # a credit pays what it holds, whatever the bill
                ratios = moved * slower, moved * slower
                return _rent_usd(book, self.held, self.months, once=self.once, price_ratios=ratios)
            case _:
                return np.asarray(self._known_usd(taken) * moved * slower)

    def _moved_other(self, book: BuyInputs | RentInputs) -> FloatArray:
        """Return how far the price has moved of what does the work until delivery or takes over, or of the best rent in its place."""
        rows = {
            option.id: row
            for row, option in reversed(list(enumerate(self.options)))
            if option.kind not in {OptionKind.BUY, OptionKind.HAVE}
        }
        row = rows.get(other_id_of(book), min(rows.values(), default=None))
        return np.ones(self.moved_ratio.shape[1]) if row is None else self.moved_ratio[row]

    def _known_usd(self, taken: Option) -> FloatArray:
        """Return the present value in draws of the assumptions, worked out once for one option."""
        key = (taken.book, self.inputs, self.slower_ratio.shape[1])
        worth_usd = None if self.once else self.known.get(key)
        if worth_usd is None:
            worth_usd = self._worth_usd(taken)
            if isinstance(taken.book, RentInputs | BuyInputs):
                self.known[key] = worth_usd
        return worth_usd

    def _worth_usd(self, option: Option) -> FloatArray:
        """Return the present value of an option in draws of the assumptions."""
        if self.once or option.book is None:
            return np.asarray(option.present_value_usd)
        match option.book:
            case RentInputs():
                return _rent_usd(option.book, self.held, self.months)
            case BuyInputs():
                return _own_usd(option.book, self.held, self.drawn, self.months)
            case _:
                return np.asarray(option.present_value_usd * np.ravel(self.held[DEMAND]))


def _slower_ratios(options: Sequence[Option], z: FloatArray, assumptions: Assumptions) -> FloatArray:
    """Return machines or hours needed over those planned, shape (options, draws), from normals: one for all, then one for each accelerator."""
    names, ratios = list(dict.fromkeys(option.accelerator for option in options)), np.ones((len(options), z.shape[1]))
    for index, option in enumerate(options):
        rate = option.fleet.performance.rate_per_s if option.fleet is not None else None
        if rate is not None and 0 < rate.low < rate.high:
            shared, own = assumptions["risk.correlation_speeds_share"], z[1 + names.index(option.accelerator)]
            low, high = rate.low / rate.typical, rate.high / rate.typical
            speed = Uncertain(name="speed.ratio", low=low, typical=1.0, high=high, kind="amount")
            ratios[index] = 1.0 / speed.value_at(math.sqrt(shared) * z[0] + math.sqrt(1.0 - shared) * own)
    return ratios


@lru_cache(maxsize=16)
def _normals(count: int, rows: int) -> FloatArray:
    """Return rows of standard normals; fewer rows are the first ones of more."""
    return np.random.Generator(np.random.SFC64([0, 0])).standard_normal((rows, count))


@lru_cache(maxsize=8)
def _assumptions_drawn(
    inputs: tuple[Uncertain, ...], correlations: tuple[tuple[tuple[str, str], float], ...], count: int
) -> tuple[tuple[str, FloatArray], ...]:
    """Return draws of the inputs, by name: of the same ones they are the same."""
    own = normals_of(inputs)
    draws = at_normals(own, dict(correlations), _normals(count, len(own)))
    return tuple(draws_of_inputs(draws, inputs).items())


def _rent_usd(
    cost_inputs: RentInputs, assumptions: Mapping[str, Value], months: int, *, once: bool = False, price_ratios: tuple[FloatArray, FloatArray] | None = None
) -> FloatArray:  # fmt: skip
    """Return the present value of a rent in draws of the assumptions, at other prices where ratios are given: of its own, and of those that hold later."""
    model = model_of("rent", cast("Mapping[str, float]", assumptions), once=once)
    own: dict[str, Value] = {**own_values(cost_inputs)}
    for names, ratio in zip(PRICES_OF_A_RENT, price_ratios or (), strict=False):
        own |= {name: own[name] * ratio[:, None] for name in names}
    values = values_of(
        model,
        own,
        assumptions,
        horizon_months=float(months),
        use_ratio=assumptions[DEMAND],
    )
    return present_value_usd(model, values, months)[0]
