"""The ranking: a "from" price gives way to the price of a machine, and eight GPUs in one node come before eight machines."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from statistics import NormalDist
from typing import Any

import pytest

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.errors import NothingFitsError
from planner.options.option import ReasonCode
from planner.plan import Plan, make_plan
from planner.report.because import reasons_for
from planner.report.figures import percent
from planner.report.headline import headline
from planner.verdict.alternatives import alternatives_of
from pricing.catalog import load_bundled
from pricing.facts.offers import Offer, PurchaseOption
from tests.conftest import TODAY


def _offer(name: str, usd_per_hour: float, count: float = 1.0, **fields: object) -> Offer:
    stated: dict[str, object] = {
        "provider": "lambda", "instance_type": name, "region": "us-east-1", "accelerator": "H100-SXM",
        "accelerator_stated": "H100 SXM", "accelerator_count": count, "accelerator_memory_gb": 80.0,
        "purchase_option": PurchaseOption.ON_DEMAND, "price_usd_per_hour": usd_per_hour, "source": "test", "observed_on": TODAY,
    }  # fmt: skip
    return Offer(**stated | fields)  # type: ignore[arg-type]


def _plan(*offers: Offer, count: int = 1, hours: float = 100, in_full: bool = False, **more: Any) -> Plan:
    work = Workload.model_validate(
        {"kind": "gpu_hours", "gpu_hours": {"gpu": "h100-sxm", "count": count, "hours_per_month": hours}, **more}
    )
    return make_plan(work, replace(load_bundled(), offers=offers), default_assumptions(), today=TODAY, in_full=in_full)


@pytest.mark.slow
def test_a_from_price_is_recommended_only_where_no_machine_has_a_price() -> None:
    from_price = _offer("H100 (per GPU, from)", 2.0, flags=("floor_price",))
    plan = _plan(from_price, _offer("one", 2.4))
    assert plan.verdict.option_id == "lambda/us-east-1/one/on_demand"
    (passed_over,) = [option for option in plan.options if "from" in option.instance_type]
    assert [reason.code for reason in passed_over.not_recommended] == [ReasonCode.FLOOR_PRICE]
    assert _plan(from_price).verdict.option_id == "lambda/us-east-1/H100_(per_GPU,_from)/on_demand"


@pytest.mark.parametrize("node_usd", [24.0, math.nextafter(24.0, 25.0)])
def test_at_one_price_but_for_rounding_a_node_of_eight_comes_before_eight_machines(node_usd: float) -> None:
    plan = _plan(_offer("a single", 3.0), _offer("node", node_usd, 8.0), count=8)
    assert plan.verdict.option_id == "lambda/us-east-1/node/on_demand"


def test_each_sort_of_rent_is_old_by_its_own_limit() -> None:
    """Twenty days are much for a spot price (limit 7), and little for a list price (limit 120)."""
    for purchase, is_old in ((PurchaseOption.SPOT, True), (PurchaseOption.ON_DEMAND, False)):
        offer = _offer("a", 2.0, purchase_option=purchase, interruptible=is_old, observed_on=TODAY - timedelta(days=20))
        plan = _plan(offer, constraints={"purchase": [purchase.value]})
        assert ("20 days old, too old to count on" in headline(plan)) == is_old


def test_a_price_too_old_to_be_taken_is_asked_for_first() -> None:
    """Half of the fresh price, 150 days ago: it is not taken, it is named, and confidence falls."""
    fresh, old = _offer("fresh", 4.0), _offer("old", 2.0, observed_on=TODAY - timedelta(days=150))
    plan = _plan(fresh, old)
    assert plan.verdict.option_id == "lambda/us-east-1/fresh/on_demand"
    assert (plan.verdict.status, plan.verdict.outdated_id) == ("ask_for_quotes", "lambda/us-east-1/old/on_demand")
    assert plan.verdict.confidence_share < 0.1
    assert "; confidence over 99 % in renting. Ask" in headline(plan)
    assert (
        f"in {percent(plan.verdict.seller_confidence_share)} of the draws the recommended offer is the cheapest"
        in headline(plan)
    )
    assert "Ask lambda first: 150 days ago 1 x old (1 H100-SXM), on demand, was" in headline(plan)


def test_of_two_machines_at_one_price_the_verdict_is_the_one_that_stands_for_its_seller() -> None:
    """A node of eight and four quarters of it, a rounding apart: one row is the verdict's, and none repeats it."""
    bound: dict[str, Any] = {"provider": "gcp", "purchase_option": PurchaseOption.RESERVED_3Y, "term_months": 36}
    node, part = _offer("node", 40.0, 8.0, **bound), _offer("part", math.nextafter(10.0, 0.0), 2.0, **bound)
    plan = _plan(node, part, count=8, hours=730, constraints={"max_capex_usd": 1})
    assert plan.verdict.option_id == "gcp/us-east-1/node/reserved_3y"
    shown = alternatives_of(plan.options)
    assert {option.id for option in (shown["hyperscaler"], shown["cheapest_listed"]) if option} == {
        plan.verdict.option_id
    }


def test_what_is_cheaper_as_npv_alone_is_called_so() -> None:
    """A server is paid on the first day, a commitment month by month: less in the mean month can be more as NPV."""
    old = _offer("old", 26.0, 8.0, provider="aws", purchase_option=PurchaseOption.RESERVED_3Y, term_months=36,
                 observed_on=TODAY - timedelta(days=150))  # fmt: skip
    plan = _plan(old, _offer("node", 120.0, 8.0), count=8, hours=730, constraints={"providers": ["aws", "lambda"]})
    other = next(option for option in plan.options if option.provider == "aws")
    assert plan.verdict.choice == "buy"
    assert (
        other.present_value_usd < plan.chosen.present_value_usd,
        other.usd_per_month < plan.chosen.usd_per_month,
    ) == (True, False)
    assert [reason.text.partition(":")[0] for reason in reasons_for(plan) if "not recommended" in reason.text] == [
        "Cheaper as NPV, but not recommended"
    ]


def test_each_option_that_is_shown_beside_the_verdict_has_a_range_of_cost() -> None:
    """A commitment of a hyperscaler is passed over, so its row holds machines on demand, the third best of their sort."""
    plan = _plan(
        _offer("taken", 3.0),
        _offer("next", 3.2, provider="nebius"),
        _offer("bound", 2.8, provider="gcp", purchase_option=PurchaseOption.RESERVED_3Y, term_months=36),
        _offer("third", 5.0, provider="aws"),
        hours=730,
        in_full=True,
    )
    shown = {name: option for name, option in alternatives_of(plan.options).items() if option is not None}
    assert shown["hyperscaler"].instance_type == "third"
    assert {option.id for option in shown.values()} <= plan.cost_ranges.keys()


@pytest.mark.parametrize(("dearer_usd", "days"), [(4.16, 48), (5.0, 100)])
def test_how_sure_the_seller_is_follows_from_the_lead_and_the_age_of_both_prices(dearer_usd: float, days: int) -> None:
    """Two prices of age t move apart as two random walks: the lead's logarithm over 0.43 x sqrt(2 t) is the normal's argument."""
    seen = TODAY - timedelta(days=days)
    offers = _offer("one", 4.0, observed_on=seen), _offer("two", dearer_usd, provider="nebius", observed_on=seen)
    plan = _plan(*offers, hours=730)
    moved = 0.43 * math.sqrt(days / 365) * math.sqrt(2)
    by_hand = NormalDist().cdf(math.log(dearer_usd / 4.0) / moved)
    verdict = plan.verdict
    assert verdict.seller_confidence_share == pytest.approx(by_hand, abs=0.03)
    assert verdict.seller_confidence_share is not None
    assert verdict.kind_confidence_share > 0.95
    assert verdict.confidence_share <= min(verdict.kind_confidence_share, verdict.seller_confidence_share + 0.01)
    assert (
        f"confidence over 99 % in renting, then {percent(verdict.seller_confidence_share)} in this seller"
        in headline(plan)
    )


def test_where_so_little_is_paid_that_it_is_decided_the_seller_is_not_called_certain() -> None:
    """One job of a few dollars: four cents between two sellers decide nothing about renting, and little about the seller."""
    work = {
        "kind": "finetune", "model": "llama-3.1-8b",
        "finetune": {"method": "lora", "rank": 16, "tokens_m": 50, "seq_len": 2048, "deadline_hours": 24},
    }  # fmt: skip
    seen = TODAY - timedelta(days=48)
    offers = _offer("one", 2.0, observed_on=seen), _offer("two", 2.02, provider="nebius", observed_on=seen)
    plan = make_plan(
        Workload.model_validate(work),
        replace(load_bundled(), offers=offers),
        default_assumptions(),
        today=TODAY,
        in_full=False,
    )
    assert plan.verdict.status == "decided"
    assert plan.verdict.seller_confidence_share == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("days", [400, 0])
def test_of_prices_older_than_a_year_and_of_fresh_ones_none_is_asked_for(days: int) -> None:
    plan = _plan(_offer("fresh", 4.0), _offer("old", 2.0, observed_on=TODAY - timedelta(days=days)))
    assert (plan.verdict.status, plan.verdict.outdated_id) == ("decided", "")


def test_a_server_at_an_old_price_is_bought_only_after_a_quote() -> None:
    """8 H100 all month at 15 USD/h each: the server pays off soon, and its price is of 2025-11."""
    plan = _plan(_offer("node", 120.0, 8.0), count=8, hours=730)
    assert (plan.verdict.choice, plan.verdict.status) == ("buy", "ask_for_quotes")
    said = headline(plan)
    assert said.startswith(("Rent 8 H100-SXM", "Rent 8 x H100-SXM"))
    assert "for now; ask for quotes, then buy" in said
    assert "get a new quote before you buy" in said


def test_a_budget_that_nothing_fits_is_named_with_what_the_cheapest_costs() -> None:
    with pytest.raises(NothingFitsError) as caught:
        _plan(_offer("one", 2.5), constraints={"max_usd_per_month": 100, "max_capex_usd": 1})
    assert "stays within 100 USD a month" in caught.value.message
    assert ", on demand" in caught.value.message
    assert "one at lambda" in caught.value.message
    assert "allow 264 USD a month or more" in str(caught.value.hint)


def test_a_commitment_that_outlasts_the_only_run_is_not_recommended() -> None:
    """A day of work under a commitment of a year: on demand is taken, though a hundred of them need a quote."""
    bound = _offer("bound", 1.0, 8.0, purchase_option=PurchaseOption.RESERVED_1Y, term_months=12)
    work = {
        "kind": "batch", "model": "llama-3.1-8b",
        "batch": {"requests": 1_000_000, "input_tokens": 800, "output_tokens": 200, "deadline_hours": 24},
    }  # fmt: skip
    catalog = replace(load_bundled(), offers=(bound, _offer("free", 24.0, 8.0)))
    plan = make_plan(Workload.model_validate(work), catalog, default_assumptions(), today=TODAY, in_full=False)
    assert plan.verdict.option_id == "lambda/us-east-1/free/on_demand"
    option = next(option for option in plan.options if "bound" in option.id)
    assert [(reason.code, reason.figures) for reason in option.not_recommended] == [(ReasonCode.OUTLASTS_RUN, (12, 1))]


def test_bundled_from_prices_are_flagged() -> None:
    stated = {offer.instance_type for offer in load_bundled().offers if "floor_price" in offer.flags}
    assert {"B200 (per GPU, from)", "L40S (per GPU, from)"} <= stated
    assert not [
        offer
        for offer in load_bundled().offers
        if offer.instance_type.endswith("from)") and "floor_price" not in offer.flags
    ]


def test_a_contract_is_worth_asking_for_where_it_is_much_cheaper_than_what_takes_none() -> None:
    """72 GPUs: more than can be had on demand; committed ones can, at a price."""
    bound: dict[str, object] = {"purchase_option": PurchaseOption.RESERVED_1Y, "term_months": 12}
    by_the_hour = _offer("by the hour", 24.0, 8.0)
    near = _plan(by_the_hour, _offer("bound", 26.0, 8.0, **bound), count=72, hours=730)
    far = _plan(by_the_hour, _offer("bound", 40.0, 8.0, **bound), count=72, hours=730)
    assert (near.chosen.instance_type, near.verdict.status) == ("bound", "ask_for_quotes")
    assert (far.chosen.instance_type, far.verdict.status) == ("by the hour", "ask_for_quotes")
    assert "without quotes, 72 x H100-SXM" in headline(far)


def test_where_nothing_may_be_recommended_a_run_is_told_with_what_the_run_costs() -> None:
    work = {
        "kind": "finetune",
        "model": "llama-3.1-8b",
        "finetune": {"method": "lora", "tokens_m": 20, "seq_len": 2048},
    }
    asked = Workload.model_validate(work | {"constraints": {"gpus": ["rtx-4090"], "min_tier": "A"}})
    with pytest.raises(NothingFitsError, match=r"on demand, [\d.]+ USD for the run|spot, [\d.]+ USD for the run"):
        make_plan(asked, load_bundled(), default_assumptions(), today=TODAY)
