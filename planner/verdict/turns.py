"""Turns: the prices and the use at which the verdict would be another one, each found by deciding again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from planner.arrays import FloatArray
from planner.assumptions import Assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import BuyInputs, CostInputs, RentInputs, TokenInputs, other_id_of
from planner.demand.workload import (
    Batch,
    Diffusion,
    Embed,
    EmbedService,
    Finetune,
    FinetuneImages,
    GpuHours,
    Pretrain,
    Serve,
    Transcribe,
    Video,
    Workload,
)
from planner.options.option import RENTED, Option, OptionKind
from planner.uncertainty.plan_risk import JointDraws
from planner.verdict.alternatives import break_even_of
from planner.verdict.choice import choose, contenders, price_list
from planner.verdict.supply import Supply
from pricing.clock import HOURS_PER_MONTH

FARTHEST_RATIO = 4.0
"""Prices and use are looked at up to four times, and down to a quarter of what was planned."""
STEPS = 9
"""Halvings of that interval: to a hundredth of the ratio."""
USE_STEPS = 6
"""The same for use, which takes sizing anew: to 2 %."""
USE_DRAWS = 400
"""Enough to tell 0.7 from 0.65."""
MACHINES_OF_A_SORT = 3
LOW_AND_HIGH = (10.0, 90.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A value at which the verdict changes, everything else as planned.

    Attributes
    ----------
    what : str
        ``price`` of an option, or the key of the work that tells how much of it there is (``requests_per_s``).
    option_id : str
        Whose price; empty where it is none.
    planned, value : float
        As planned, and where it turns: at `value` and beyond it, away from `planned`.
    unit : str
        Of both.
    then : str
        The option that is taken there.
    """

    what: str
    option_id: str
    planned: float
    value: float
    unit: str
    then: str


def rivals_of(options: Sequence[Option], named: Sequence[Option]) -> list[Option]:
    """Return what the verdict is held against: the best two of each sort that may be recommended, and what is named besides.

    Parameters
    ----------
    options : sequence of Option
        Ranked.
    named : sequence of Option
        Others whose range is asked for.
    """
    best = contenders(options)
    prices = {price_list(option) for option in best}
    second = contenders([option for option in options if price_list(option) not in prices])
    return list({option.id: option for option in (*best, *second, *named)}.values())


def cost_ranges(draws: JointDraws) -> dict[str, tuple[float, float]]:
    """Return the 10th and 90th percentile of what each option costs, over what is planned; by its id."""
    ranges = {}
    for row, option in enumerate(draws.options):
        if option.present_value_usd > 0:
            drawn = sorted(draws.costs_usd[row].tolist())
            low, high = (drawn[min(int(len(drawn) * p / 100), len(drawn) - 1)] for p in LOW_AND_HIGH)
            ranges[option.id] = (low / option.present_value_usd, high / option.present_value_usd)
    return ranges


def turns_of(
    workload: Workload, taken: Option, draws: JointDraws, supply: Supply, options: Sequence[Option]
) -> tuple[Turn, ...]:
    """Return where the verdict turns: by the price of what is taken, by that of its rivals, and by the use.

    Parameters
    ----------
    workload : Workload
        The work.
    taken : Option
        The verdict.
    draws : JointDraws
        Of `rivals_of`.
    supply : Supply
        What may do the work.
    options : sequence of Option
        All of them, ranked.
    """
    return (*_price_turns(taken, draws, supply.assumptions), *_use_turns(workload, taken, draws, supply, options))


def _price_turns(taken: Option, draws: JointDraws, assumptions: Assumptions) -> Iterator[Turn]:
    """Yield the prices at which something else is taken: of the verdict, of its rivals, and of all rents together."""
    market = _Market(draws, assumptions)
    now = market.taken(1.0, moved=frozenset())
    if now.id != taken.id:  # as close a call as can be: other draws decide it the other way at the very same price
        planned, unit = _price_of(taken, assumptions)
        if planned and price_list(now) != price_list(taken):
            yield Turn(what="price", option_id=taken.id, planned=planned, value=planned, unit=unit, then=now.id)
        return
    first = contenders(sorted(draws.options, key=_cost))
    for option in first:
        planned, unit = _price_of(option, assumptions)
        far = FARTHEST_RATIO if option.id == taken.id else 1 / FARTHEST_RATIO
        same = frozenset(other.id for other in draws.options if price_list(other) == price_list(option))
        turn = _turn(far, partial(market.taken, moved=same), lambda other: price_list(other) != price_list(taken))
        if planned and turn is not None:
            value = planned * turn[0]
            yield Turn(what="price", option_id=option.id, planned=planned, value=value, unit=unit, then=turn[1].id)
    if taken.kind in {OptionKind.RENT, OptionKind.BUY}:
        rents = frozenset(option.id for option in draws.options if option.kind in RENTED)
        far = FARTHEST_RATIO if taken.kind is OptionKind.RENT else 1 / FARTHEST_RATIO
        turn = _turn(far, partial(market.taken, moved=rents), lambda other: other.kind is not taken.kind)
        if turn is not None:
            yield Turn(what="rents", option_id="", planned=1.0, value=turn[0], unit="ratio", then=turn[1].id)


class _Market:
    """The rivals at other prices. What an option costs is a straight line in its price, in every draw, but for what a credit pays."""

    def __init__(self, draws: JointDraws, assumptions: Assumptions) -> None:
        self.draws, self.assumptions = draws, assumptions
        self.at_todays_price = {option.id: option for option in draws.options}
        self.drawn_usd = draws.costs_usd
        self.twice: dict[tuple[str, bool, bool], tuple[FloatArray, float]] = {}

    def taken(self, ratio: float, *, moved: frozenset[str]) -> Option:
        """Return what is taken where some options have another price, by the verdict's own rules."""
        pool: dict[str, Option] = {}
        usd: dict[str, FloatArray] = {}
        for row, option in enumerate(self.draws.options):
            is_moved = not moved.isdisjoint({option.id, other_id_of(option.book)})
            if is_moved and isinstance(option.book, RentInputs) and option.book.credit_usd > 0:
                pool[option.id] = self._valued(option, ratio, moved)
                usd[option.id] = self.draws.usd(row, pool[option.id])
                continue
            twice_usd, worth_usd = self._at_twice(option, row, moved)
            worth = option.present_value_usd + (worth_usd - option.present_value_usd) * (ratio - 1)
            pool[option.id] = replace(option, present_value_usd=worth)
            usd[option.id] = self.drawn_usd[row] + (twice_usd - self.drawn_usd[row]) * (ratio - 1)

        def pays_off_month(rent: Option, owned: Option) -> float | None:
            first, second = (self._valued(option, ratio, moved) for option in (rent, owned))
            return break_even_of(first, second, self.assumptions).month

        best = contenders(sorted(pool.values(), key=_cost))
        return choose(
            best,
            self.assumptions,
            lambda some: np.stack([usd[option.id] for option in some]),
            pays_off_month,
            months=self.draws.months,
        ).option

    def _at_twice(self, option: Option, row: int, moved: frozenset[str]) -> tuple[FloatArray, float]:
        """Return what an option costs at twice the price, in each draw and as planned."""
        key = (option.id, option.id in moved, other_id_of(option.book) in moved)
        if key not in self.twice:
            if not any(key[1:]):
                self.twice[key] = self.drawn_usd[row], option.present_value_usd
            else:
                valued = self._valued(option, 2.0, moved)
                self.twice[key] = self.draws.usd(row, valued), valued.present_value_usd
        return self.twice[key]

    def _valued(self, option: Option, ratio: float, moved: frozenset[str]) -> Option:
        """Return an option at another price of its own, of its bridge, or of what takes over."""
        option = self.at_todays_price[option.id]
        cost_inputs = option.book
        assert cost_inputs is not None
        if option.id in moved:
            cost_inputs = _at_price(cost_inputs, ratio)
        if isinstance(cost_inputs, RentInputs) and cost_inputs.takes_over_id in moved:
            cost_inputs = replace(cost_inputs, price_usd_per_hour=cost_inputs.price_usd_per_hour * ratio)
        if isinstance(cost_inputs, BuyInputs) and cost_inputs.bridge.option_id in moved:
            bridge = cost_inputs.bridge
            dearer = replace(
                bridge,
                usd_per_hour=bridge.usd_per_hour * ratio,
                tokens_usd_per_month=bridge.tokens_usd_per_month * ratio,
            )
            cost_inputs = replace(cost_inputs, bridge=dearer)
        timeline = timelines([cost_inputs], self.assumptions, months=self.draws.months, once=self.draws.once).at(0)
        timeline = replace(timeline, useful_gpu_hours=option.timeline.useful_gpu_hours)
        worth = float(timeline.present_value_usd(self.assumptions["money.discount_rate_share_per_year"]))
        return replace(option, book=cost_inputs, timeline=timeline, present_value_usd=worth)


def _cost(option: Option) -> float:
    return option.present_value_usd


def _price_of(option: Option, assumptions: Assumptions) -> tuple[float, str]:
    """Return the price of an option before tax, and its unit."""
    match option.book:
        case RentInputs():
            return option.price_usd_per_hour or 0.0, "USD/h"
        case BuyInputs() as cost_inputs:
            return cost_inputs.server_price_usd, "USD"
        case _:
            return (option.usd_per_million_tokens or 0.0) / (1.0 - assumptions["money.tax_share"]), "USD/1M tokens"


def _at_price(cost_inputs: CostInputs, ratio: float) -> CostInputs:
    match cost_inputs:
        case RentInputs():
            return replace(
                cost_inputs,
                price_usd_per_hour=cost_inputs.price_usd_per_hour * (1.0 if cost_inputs.takes_over_id else ratio),
                first_usd_per_hour=cost_inputs.first_usd_per_hour * ratio,
                upfront_usd=cost_inputs.upfront_usd * ratio,
            )
        case BuyInputs():
            return replace(cost_inputs, server_price_usd=cost_inputs.server_price_usd * ratio)
        case TokenInputs():
            return replace(
                cost_inputs, usd_per_month=cost_inputs.usd_per_month * ratio, run_usd=cost_inputs.run_usd * ratio
            )


def _turn(
    far: float, then: Callable[[float], Option | None], is_other: Callable[[Option], bool], *, steps: int = STEPS
) -> tuple[float, Option] | None:
    """Return the ratio nearest to 1 at which another option is taken, and that option; None up to `far`."""
    other = then(far)
    if other is None or not is_other(other):
        return None
    near = 1.0
    for _ in range(steps):
        middle = math.sqrt(near * far)
        option = then(middle)
        if option is not None and is_other(option):
            far, other = middle, option
        else:
            near = middle
    return far, other


AMOUNTS: dict[type, tuple[str, str]] = {
    Serve: ("requests_per_s", "requests/s"),
    Diffusion: ("images_per_day", "images/day"),
    Transcribe: ("audio_hours", "hours of audio"),
    Video: ("clips_per_day", "clips/day"),
    GpuHours: ("hours_per_month", "h/month"),
    Batch: ("requests", "requests"),
    Embed: ("documents", "documents"),
    EmbedService: ("requests_per_s", "requests/s"),
    Pretrain: ("tokens_b", "1e9 tokens"),
    Finetune: ("tokens_m", "1e6 tokens"),
    FinetuneImages: ("steps", "steps"),
}
"""What tells how much work there is, by its kind, and the unit."""


def _scaled(workload: Workload, ratio: float) -> Workload | None:
    """Return the workload with more or less to do; None where that cannot be."""
    work = workload.work
    key, _ = AMOUNTS[type(work)]
    amount = getattr(work, key) * ratio
    changed: dict[str, float] = {key: max(round(amount), 1) if isinstance(getattr(work, key), int) else amount}
    if isinstance(work, Serve) and work.peak_requests_per_s:
        changed["peak_requests_per_s"] = work.peak_requests_per_s * ratio
    if isinstance(work, Serve) and work.concurrency:
        changed["concurrency"] = work.concurrency * ratio
    if isinstance(work, GpuHours) and amount > HOURS_PER_MONTH:
        return None
    return workload.model_copy(update={workload.kind: work.model_copy(update=changed)})


def _use_turns(
    workload: Workload, taken: Option, draws: JointDraws, supply: Supply, options: Sequence[Option]
) -> Iterator[Turn]:
    """Yield how much more and how much less work would be done another way: rented, bought, by an API or by a CPU.

    The work is sized again on the machines of the best few options of each sort, and decided by the verdict's own rules;
    where it turns it is decided once more among all machines.
    """
    kept: dict[tuple[OptionKind, bool], list[Option]] = {}
    for option in options:
        sort = kept.setdefault((option.kind, option.binds), [])
        if option.choosable and len(sort) < MACHINES_OF_A_SORT:
            sort.append(option)
    machines = {option.fleet.machine for sort in kept.values() for option in sort if option.fleet is not None}
    part = supply.only(machines, options)
    key, unit = AMOUNTS[type(workload.work)]

    def then(ratio: float, among: Supply = part) -> Option | None:
        asked = _scaled(workload, ratio)
        if asked is None:
            return None
        best = contenders(among.options(asked, among.sized(asked)[0]))
        if not best:
            return None
        return choose(
            best,
            supply.assumptions,
            lambda some: (
                JointDraws.of(
                    some, supply.assumptions, supply.evidence, months=draws.months, once=draws.once, count=USE_DRAWS
                ).costs_usd
            ),
            lambda rent, owned: break_even_of(rent, owned, supply.assumptions).month,
            months=draws.months,
        ).option

    planned = float(getattr(workload.work, key))
    most = HOURS_PER_MONTH / planned if isinstance(workload.work, GpuHours) else FARTHEST_RATIO

    def is_other(option: Option) -> bool:
        return (option.kind, option.binds) != (taken.kind, taken.binds)

    for far in (min(most, FARTHEST_RATIO), 1 / FARTHEST_RATIO):
        turn = _turn(far, then, is_other, steps=USE_STEPS)
        if turn is None:
            continue
        ratio, _ = turn
        other = then(ratio, supply)  # a machine outside those few may do other work for less: then nothing turns there
        if other is not None and is_other(other):
            yield Turn(what=key, option_id="", planned=planned, value=planned * ratio, unit=unit, then=other.id)
