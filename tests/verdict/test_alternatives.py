"""Side by side: what stands beside the verdict is what its sentences speak of, and what may be recommended comes first."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from planner.options.option import OptionKind
from planner.plan import Plan
from planner.report.because import reasons_for
from planner.report.headline import headline
from planner.report.record import plan_record
from planner.report.short import alternatives_table
from planner.verdict.alternatives import alternatives_of

PlanOf = Callable[[str], Plan]


@pytest.mark.parametrize(
    "name", ["lora-llama-8b", "batch-llama-8b", "diffusion-sdxl", "gpu-hours-h100", "serve-small-cpu"]
)
def test_one_server_is_held_against_renting_wherever_owning_is_spoken_of(plan_of: PlanOf, name: str) -> None:
    plan = plan_of(name)
    owned = alternatives_of(plan.options)["own"]
    assert owned is not None
    assert {pair.buy_id for pair in plan.break_evens} == {owned.id}


@pytest.mark.parametrize("name", ["serve-small-cpu", "lora-llama-8b", "diffusion-sdxl"])
def test_beside_the_verdict_stands_what_may_be_recommended_where_there_is_such_an_option(
    plan_of: PlanOf, name: str
) -> None:
    plan = plan_of(name)
    shown = alternatives_of(plan.options)
    for sort, kind in (("cpu", OptionKind.CPU), ("own", OptionKind.BUY), ("api", OptionKind.API)):
        sound = [option for option in plan.options if option.kind is kind and option.choosable]
        option = shown[sort]
        least_usd = min((each.present_value_usd for each in sound), default=None)
        assert least_usd is None or (option is not None and option.choosable and option.present_value_usd == least_usd)


def test_the_machines_that_an_api_is_held_against_stand_in_the_table(plan_of: PlanOf) -> None:
    plan = plan_of("serve-small-cpu")
    against = headline(plan).partition(", against ")[2].partition(" USD")[0]
    assert against in {row[2] for row in alternatives_table(plan_record(plan)).rows}


def test_machines_given_back_when_idle_are_said_to_be_paid_for_part_of_the_month(plan_of: PlanOf) -> None:
    """38 x MI300X all month would cost 38 x 730 h x their price; the rent that is named is 38 % of that."""
    plan = plan_of("serve-llama-70b-office")
    rent = next(option for option in plan.options if option.kind is OptionKind.RENT and option.choosable)
    assert rent.price_usd_per_hour is not None
    all_month_usd = rent.price_usd_per_hour * rent.instance_count * 730
    paid = f"{100 * rent.usd_per_month / all_month_usd:.0f} % of the month is paid"
    assert f"for rented GPUs (idle machines given back: {paid})" in headline(plan)
    assert "given back" not in headline(plan_of("serve-llama-70b"))


def test_where_cpus_cannot_meet_a_limit_no_number_of_them_is_told(plan_of: PlanOf) -> None:
    (said,) = (
        reason.text for reason in reasons_for(plan_of("serve-llama-70b")) if reason.text.startswith("Without a GPU")
    )
    assert re.fullmatch(
        r"Without a GPU it cannot be done: time to first token is [\d,]+ ms at best; the limit is 1,000 ms\.", said
    )


def test_a_free_tier_is_recommended_with_its_terms_and_their_age(plan_of: PlanOf) -> None:
    said = headline(plan_of("qlora-llama-8b-notebook"))
    assert re.search(
        r" h of its \d+ h a (day|week); its terms often forbid commercial or unattended use; otherwise ", said
    )
    assert re.search(
        r"These terms are (of today|\d+ days old), and free tiers change without notice: read them first\.$", said
    )
    assert "confidence" not in said


def test_a_price_without_a_date_is_shown_as_one(plan_of: PlanOf) -> None:
    plan = plan_of("lora-llama-8b")
    (row,) = (row for row in alternatives_table(plan_record(plan)).rows if "fine-tuning" in row[1])
    assert row[0].startswith("? ")
    assert row[4] == "undated"
    assert any("by a price list without a date, of 2025 or before" in reason.text for reason in reasons_for(plan))


def test_a_server_at_an_old_price_is_no_plain_alternative(plan_of: PlanOf) -> None:
    """The price of the H100 server is more than a year old, that of the B200 server is of this quarter."""
    for name, mark in (("gpu-hours-h100", "? "), ("serve-llama-70b", "  ")):
        table = alternatives_table(plan_record(plan_of(name)))
        assert f"{mark}Owned" in {row[0] for row in table.rows}
        assert ("old price, ask for a quote" in table.note) == (mark == "? ")


def test_where_only_the_market_price_of_an_api_is_known_the_table_does_not_say_that_there_is_none(
    plan_of: PlanOf,
) -> None:
    named = plan_record(plan_of("diffusion-sdxl"))["verdict"].get("alternatives")
    assert named is not None
    assert "no seller's own price" in named["reason"]["api"]
