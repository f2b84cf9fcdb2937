"""The page docs/sensitivity.md: what the README's question answers when the market or the question is a little different."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.errors import PlanningError
from planner.plan import Plan, make_plan
from planner.report.figures import machines_text, percent, usd
from planner.report.option_words import confidence
from planner.report.words import how_paid
from pricing.catalog import Catalog, load_bundled
from pricing.facts.token_prices import TokenPrice, token_prices

HEAD = """# How small changes affect the answer

Made by `scripts/make_docs.py`: the question of the README, asked again with the bundled prices of {today} after one change
each. The confidence of a sound verdict falls before the verdict changes. *Confidence* is the share of joint random draws (age of prices, speed,
demand and the rest) in which neither another kind of answer nor the next seller costs less; below {least} the answer is a close call.

| change | answer | USD a month | status | confidence |
| --- | --- | ---: | --- | ---: |
"""
TAIL = """
One of the replicas is a spare (`serve.spare_replicas`), so the limits hold while one is lost; the rows on spares show the cost of none and of two.
`tests/verdict/test_steadiness.py` checks the same for all examples: where the cheapest seller is gone or all prices are 100 or 500 days
older, an answer that changes was not a decided one, or is less certain afterwards.
"""
RISE = 1.3


def sensitivity_page(workload: Workload, today: date) -> str:
    """Return the page.

    Parameters
    ----------
    workload : Workload
        The README's question.
    today : date
        Its day.
    """
    catalog, tokens = load_bundled(), token_prices(str(workload.model), today, today=today)
    rows = _rows(workload, catalog, tokens, today)
    least = percent(default_assumptions()["verdict.least_confidence_share"])
    return HEAD.format(today=today, least=least) + "\n".join(rows) + "\n" + TAIL


def _rows(workload: Workload, catalog: Catalog, tokens: Sequence[TokenPrice], today: date) -> Iterator[str]:
    def asked(changed: Workload = workload, offers: Catalog = catalog, per_token: Sequence[TokenPrice] = tokens, day: date = today) -> Plan | None:  # fmt: skip
        try:
            return make_plan(changed, offers, default_assumptions(), today=day, token_prices=per_token, in_full=False)
        except PlanningError:
            return None

    base = asked()
    assert base is not None
    yield _row("none", base)
    gone: list[str] = []
    for words in ("the cheapest seller vanishes", "and the next one too"):
        plan = asked(_without(workload, gone))
        assert plan is not None
        gone.append(plan.chosen.provider)
        yield _row(f"{words} ({gone[-1]})", asked(_without(workload, gone)))
    dearer = tuple(replace(offer, price_usd_per_hour=offer.price_usd_per_hour * RISE, upfront_usd=offer.upfront_usd * RISE) for offer in catalog.offers)  # fmt: skip
    per_token = [
        replace(
            price,
            input_usd_per_million_tokens=price.input_usd_per_million_tokens * RISE,
            output_usd_per_million_tokens=price.output_usd_per_million_tokens * RISE,
        )
        for price in tokens
    ]
    yield _row("all rents rise by 30 %", asked(offers=replace(catalog, offers=dearer)))
    yield _row("all rents and prices per token rise by 30 %", asked(offers=replace(catalog, offers=dearer), per_token=per_token))  # fmt: skip
    assert workload.serve is not None
    for spares, words in ((0, "no spare replica: losing one breaks the limits"), (2, "two spare replicas")):
        serve = workload.serve.model_copy(update={"spare_replicas": spares})
        yield _row(words, asked(workload.model_copy(update={"serve": serve})))
    for days in (100, 500):
        yield _row(f"all prices are {days} days older", asked(day=today + timedelta(days=days)))


def _without(workload: Workload, sellers: Sequence[str]) -> Workload:
    out = (*workload.constraints.exclude_providers, *sellers)
    return workload.model_copy(
        update={"constraints": workload.constraints.model_copy(update={"exclude_providers": out})}
    )


def _row(change: str, plan: Plan | None) -> str:
    if plan is None:
        return f"| {change} | nothing fits | | | |"
    option = plan.chosen
    what = option.instance_type
    if option.fleet is not None:
        what = machines_text(option.instance_count, option.instance_type, option.accelerator_count, option.accelerator)
    paid = how_paid(option.purchase_option)
    status = plan.verdict.status.value.replace("_", " ")
    return (
        f"| {change} | {what}, {option.provider}, {paid} | {usd(option.usd_per_month)} | {status} | "
        f"{confidence(plan.verdict.confidence_share)} |"
    )
