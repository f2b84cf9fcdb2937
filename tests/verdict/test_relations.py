"""Relations that hold between the plans of any workload and of the same workload a little different.

The 300 workloads run in ``scripts/test --all``; the everyday run takes a sample.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from planner.assumptions import Assumptions, default_assumptions
from planner.demand.workload import Workload
from planner.errors import NothingFitsError
from planner.options.option import OptionKind
from planner.plan import Plan, make_plan
from pricing.catalog import Catalog, load_bundled
from pricing.errors import NoPricesError
from pricing.facts.offers import Offer
from pricing.facts.token_prices import token_prices
from tests.conftest import TODAY
from tests.verdict.random_workloads import workloads

COUNT, SEED = 300, 20261126
HAIR = 1 + 1e-9


@cache
def _catalog() -> Catalog:
    """Return the bundled offers, of each sort the cheapest region alone, as a plan shows them."""
    bundled = load_bundled()
    cheapest: dict[tuple[str, str, str], Offer] = {}
    for offer in sorted(bundled.offers, key=lambda offer: offer.price_usd_per_hour):
        cheapest.setdefault((offer.provider, offer.instance_type, offer.purchase_option), offer)
    return replace(bundled, offers=tuple(cheapest.values()))


def _plan(work: dict[str, Any], catalog: Catalog | None = None, assumptions: Assumptions | None = None) -> Plan | None:
    """Return a plan; None where nothing fits, or nothing may be recommended."""
    workload = Workload.model_validate(work)
    sells = isinstance(workload.model, str) and workload.kind in {"serve", "batch", "embed"}
    try:
        return make_plan(
            workload, catalog or _catalog(), assumptions or default_assumptions(), today=TODAY, in_full=False,
            token_prices=token_prices(workload.model, TODAY) if sells and isinstance(workload.model, str) else (),
        )  # fmt: skip
    except (NothingFitsError, NoPricesError):
        return None


def _least_usd(plan: Plan | None, *, of: frozenset[OptionKind] = frozenset(OptionKind)) -> float:
    """Return the least cost of all that does the work, recommended or not."""
    if plan is None:
        return float("inf")
    return min((o.present_value_usd for o in plan.options if o.kind in of), default=float("inf"))


def _taken_usd(plan: Plan | None) -> float:
    return float("inf") if plan is None else plan.chosen.present_value_usd


def _with(work: dict[str, Any], **changed: Any) -> dict[str, Any]:
    section = {**work[work["kind"]], **changed}
    return {**work, work["kind"]: section}


def _constrained(work: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {**work, "constraints": {**work["constraints"], **changed}}


AMOUNT = {"serve": "requests_per_s", "pretrain": "tokens_b", "finetune": "tokens_m", "batch": "requests",
          "embed": "documents", "diffusion": "images_per_day"}  # fmt: skip


def _more(work: dict[str, Any], ratio: float) -> dict[str, Any] | None:
    """Return the workload with more to do."""
    kind = work["kind"]
    if kind == "gpu_hours":
        hours = work[kind]["hours_per_month"] * ratio
        return _with(work, hours_per_month=hours) if hours <= 730 else None
    value = work[kind][AMOUNT[kind]] * ratio
    return _with(work, **{AMOUNT[kind]: round(value) if kind in {"batch", "embed"} else value})


Relation = Callable[[dict[str, Any], Plan, random.Random], Iterator[str]]


def same_question_same_answer(work: dict[str, Any], plan: Plan, _: random.Random) -> Iterator[str]:
    again = _plan(work)
    assert again is not None
    if [(o.id, o.present_value_usd) for o in again.options] != [(o.id, o.present_value_usd) for o in plan.options]:
        yield "the same question has another answer"


def ids_are_unique_and_the_verdict_may_be_recommended(
    _w: dict[str, Any], plan: Plan, _: random.Random
) -> Iterator[str]:
    ids = [option.id for option in plan.options]
    if len(ids) != len(set(ids)):
        yield "two options of one id"
    if not plan.chosen.choosable:
        yield "the verdict is not recommended"


def a_cheaper_option_that_was_not_taken_says_why(_w: dict[str, Any], plan: Plan, _: random.Random) -> Iterator[str]:
    passed_over = {name for name, _reason in plan.verdict.passed_over}
    # What speaks against the cheapest of a sort speaks against all of it.
    told = {(option.kind, option.binds) for option in plan.options if option.id in passed_over}
    for option in plan.options:
        is_cheaper = option.present_value_usd < plan.chosen.present_value_usd / HAIR
        if is_cheaper and option.choosable and (option.kind, option.binds) not in told:
            yield f"{option.id} is cheaper, and no reason is told"


def more_work_is_never_cheaper(work: dict[str, Any], plan: Plan, _: random.Random) -> Iterator[str]:
    more = _more(work, 1.3)
    if more and _least_usd(_plan(more)) < _least_usd(plan) / HAIR:
        yield "30 % more work is cheaper"


def twice_the_work_costs_at_most_twice_and_a_machine(
    work: dict[str, Any], plan: Plan, _: random.Random
) -> Iterator[str]:
    """Of what may be reclaimed the rule of the half deadline makes a cliff; the rents that stay are held to it."""
    more = _more(work, 2.0)
    if not more or work["kind"] not in {"serve", "diffusion", "gpu_hours"}:
        return
    before, after = _plan(work), _plan(more)
    if before is None or after is None:
        return
    for option in before.options:
        if option.kind is not OptionKind.RENT or option.fleet is None or option.price_usd_per_hour is None:
            continue
        other = next((o for o in after.options if o.id == option.id), None)
        if other is None or other.fleet is None:
            continue
        machine_usd = option.present_value_usd / max(option.instance_count, 1)
        if other.instance_count > 2 * option.instance_count + 1 and other.present_value_usd > 2.2 * option.present_value_usd + 1.1 * machine_usd:  # fmt: skip
            yield f"twice the work on {option.id} costs {other.present_value_usd:,.0f} after {option.present_value_usd:,.0f}"
            return


def tighter_limits_are_never_cheaper(work: dict[str, Any], plan: Plan, _: random.Random) -> Iterator[str]:
    section = work[work["kind"]]
    tighter = {key: section[key] * 0.6 for key in ("ttft_limit_ms", "tpot_limit_ms") if key in section}
    # Of deadlines this does not hold: the fewest machines are planned, and with twice as many a run may be more than twice as fast
    # (each holds less of the model), or pay less for storage.
    if tighter and _taken_usd(_plan(_with(work, **tighter))) < _taken_usd(plan) / HAIR:
        yield "a tighter limit is cheaper"


def fewer_sellers_are_never_cheaper(work: dict[str, Any], plan: Plan, draw: random.Random) -> Iterator[str]:
    dropped = draw.choice([option.provider for option in plan.options if option.provider != "own"] or ["aws"])
    if dropped not in {offer.provider for offer in _catalog().offers}:
        return
    fewer = _plan(_constrained(work, exclude_providers=[dropped]))
    if _least_usd(fewer) < _least_usd(plan) / HAIR:
        yield f"without {dropped} it is cheaper"


def one_more_way_to_pay_never_makes_the_best_dearer(
    work: dict[str, Any], plan: Plan, draw: random.Random
) -> Iterator[str]:
    ways = sorted({o.purchase_option for o in plan.options if o.kind in {OptionKind.RENT, OptionKind.CPU}})
    if len(ways) < 2:
        return
    fewer = draw.sample(ways, draw.randint(1, len(ways) - 1))
    added = draw.choice(sorted(set(ways) - set(fewer)))
    small, large = (_plan(_constrained(work, purchase=some)) for some in (fewer, [*fewer, added]))
    if small is None or large is None:
        return
    # A purchase option whose price is fresher takes the verdict from one whose price is old: that is meant.
    still_open = any(o.id == small.chosen.id and o.choosable for o in large.options)
    if still_open and _taken_usd(large) > _taken_usd(small) * HAIR and not large.verdict.passed_over:
        yield f"with {added} besides {fewer} the verdict is dearer"
    own = frozenset({OptionKind.BUY})
    allowed = [o.present_value_usd for o in small.options if o.kind is OptionKind.BUY and o.choosable]
    if allowed and _least_usd(large, of=own) > min(allowed) * HAIR:
        yield f"with {added} besides {fewer} owning is dearer"


def a_longer_horizon_is_never_cheaper(work: dict[str, Any], plan: Plan, _: random.Random) -> Iterator[str]:
    longer = _plan({**work, "horizon_months": work["horizon_months"] + 12})
    rents = frozenset({OptionKind.RENT, OptionKind.CPU, OptionKind.API})
    if _least_usd(longer, of=rents) < _least_usd(plan, of=rents) / HAIR:
        yield "a longer horizon is cheaper"


def dearer_rents_never_make_renting_cheaper_or_owning_worse(
    work: dict[str, Any], plan: Plan, _: random.Random
) -> Iterator[str]:
    dearer = replace(_catalog(), offers=tuple(_at(offer, 1.25) for offer in _catalog().offers))
    other = _plan(work, dearer)
    if _taken_usd(other) < _taken_usd(plan) / HAIR:
        yield "25 % dearer rents are cheaper"
    if plan.verdict.choice == "buy" and other is not None and other.verdict.choice in {"rent", "cpu"}:
        yield "25 % dearer rents turn Buy into Rent"
    if other is None or not plan.break_evens or not other.break_evens:
        return
    before, after = plan.break_evens[0], other.break_evens[0]
    if (before.rent_id, before.buy_id) == (after.rent_id, after.buy_id):
        if before.month is not None and (after.month is None or after.month > before.month + 1e-6):
            yield "25 % dearer rents move the break-even back"
        if after.saving_usd < before.saving_usd - 0.01:
            yield "25 % dearer rents lower what owning saves"


def _at(offer: Offer, ratio: float) -> Offer:
    median = offer.price_median_usd_per_hour
    return replace(
        offer,
        price_usd_per_hour=offer.price_usd_per_hour * ratio,
        upfront_usd=offer.upfront_usd * ratio,
        price_parts=(),
        price_history=(),
        price_median_usd_per_hour=median * ratio if median else None,
        price_high_usd_per_hour=offer.price_high_usd_per_hour * ratio if offer.price_high_usd_per_hour else None,
    )


def an_offer_that_is_dearer_than_the_same_elsewhere_changes_nothing(
    work: dict[str, Any], plan: Plan, _: random.Random
) -> Iterator[str]:
    same = [
        o
        for o in _catalog().offers
        if o.provider == plan.chosen.provider and o.instance_type == plan.chosen.instance_type
    ]
    if not same:
        return
    dominated = replace(_at(same[0], 1.2), region="atlantis-1", zone="")
    other = _plan(work, replace(_catalog(), offers=(*_catalog().offers, dominated)))
    if other is None or (other.chosen.id, other.chosen.present_value_usd) != (
        plan.chosen.id,
        plan.chosen.present_value_usd,
    ):
        yield "a dominated offer changes the verdict"


def dearer_power_never_helps_owning(work: dict[str, Any], plan: Plan, _: random.Random) -> Iterator[str]:
    tariff = {"site.colocation.electricity_usd_per_kwh": 0.4, "site.home.electricity_usd_per_kwh": 0.4}
    other = _plan(work, assumptions=default_assumptions().override(tariff, "--set"))
    own = frozenset({OptionKind.BUY})
    if _least_usd(other, of=own) < _least_usd(plan, of=own) / HAIR:
        yield "dearer power makes owning cheaper"


def a_dearer_server_never_turns_rent_into_buy(work: dict[str, Any], plan: Plan, _: random.Random) -> Iterator[str]:
    worse = {"own.spares_share_per_year": 0.3, "own.selling_cost_share": 0.4, "own.fte_usd_per_year": 400_000.0}
    other = _plan(work, assumptions=default_assumptions().override(worse, "--set"))
    if plan.verdict.choice != "buy" and other is not None and other.verdict.choice == "buy":
        yield "dearer ownership turns it into Buy"


def only_the_best_sellers_are_never_cheaper(work: dict[str, Any], plan: Plan, _: random.Random) -> Iterator[str]:
    if _least_usd(_plan(_constrained(work, min_secure=True))) < _least_usd(plan) / HAIR:
        yield "min_secure is cheaper"
    if (
        not work["constraints"].get("providers")
        and _taken_usd(_plan(_constrained(work, min_tier="A"))) < _taken_usd(plan) / HAIR
    ) and not plan.verdict.passed_over:
        yield "min_tier A is cheaper"


def a_purchase_is_confident_and_pays_off_in_time(work: dict[str, Any], plan: Plan, _: random.Random) -> Iterator[str]:
    if plan.verdict.choice == "buy":
        rivals = [o for o in plan.options if o.choosable and o.kind is not OptionKind.BUY]
        for rival in rivals:
            if not rival.binds and plan.chosen.present_value_usd > 0.9 * rival.present_value_usd * HAIR:
                yield f"bought without the margin over {rival.id}"
                return


RELATIONS: tuple[Relation, ...] = (
    same_question_same_answer,
    ids_are_unique_and_the_verdict_may_be_recommended,
    a_cheaper_option_that_was_not_taken_says_why,
    more_work_is_never_cheaper,
    twice_the_work_costs_at_most_twice_and_a_machine,
    tighter_limits_are_never_cheaper,
    fewer_sellers_are_never_cheaper,
    one_more_way_to_pay_never_makes_the_best_dearer,
    a_longer_horizon_is_never_cheaper,
    dearer_rents_never_make_renting_cheaper_or_owning_worse,
    an_offer_that_is_dearer_than_the_same_elsewhere_changes_nothing,
    dearer_power_never_helps_owning,
    a_dearer_server_never_turns_rent_into_buy,
    only_the_best_sellers_are_never_cheaper,
    a_purchase_is_confident_and_pays_off_in_time,
)
CHECKS_OF_A_WORKLOAD = 2
"""Each workload is held against this many relations, in turn, so that each relation meets workloads of every kind."""


def violations(numbers: range) -> list[str]:
    """Return what is violated by some of the workloads."""
    found = []
    works = workloads(COUNT, SEED)
    for number in numbers:
        plan = _plan(works[number])
        if plan is None:
            continue
        for step in range(CHECKS_OF_A_WORKLOAD):
            relation = RELATIONS[(number // 7 + 8 * step + number) % len(RELATIONS)]
            draw = random.Random(f"{number} {relation.__name__}")
            found += [
                f"{number} {relation.__name__}: {said} ({works[number]})"
                for said in relation(works[number], plan, draw)
            ]
    return found


@pytest.mark.parametrize("number", range(0, COUNT, 150))
def test_a_sample_of_random_workloads_keeps_the_relations(number: int) -> None:
    assert violations(range(number, number + 1)) == []


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, COUNT, 50))
def test_random_workloads_of_all_kinds_keep_the_relations(first: int) -> None:
    assert violations(range(first, first + 50)) == []
