"""Each figure of an option walked back to what it is made of."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest

from planner.plan import Plan
from planner.report.explained import explained, workings
from planner.report.record import plan_record
from planner.report.schema.plan import PlanRecord

EXAMPLES = [
    pytest.param("serve-llama-70b-office", marks=pytest.mark.slow),
    "gpu-hours-h100",
    "pretrain-7b",
    "qlora-llama-8b-notebook",
]
NO_PRODUCT = {"refresh", "upfront", "rest_of_term", "support_of_use", "support_of_commitment", "support_of_upfront"}


@pytest.fixture(params=EXAMPLES)
def record(request: pytest.FixtureRequest, plan_of: Callable[[str], Plan]) -> PlanRecord:
    return plan_record(plan_of(request.param))


@pytest.mark.slow
def test_the_working_of_every_item_comes_to_the_item(record: PlanRecord) -> None:
    by_id = {option["id"]: option for option in record["options"]}
    held = 0
    for timeline in record["timelines"]:
        found = workings(record, by_id[timeline["option_id"]])
        for item, usd in timeline["components_usd"].items():
            if found and item not in NO_PRODUCT:
                words, value = found[item]
                assert value == pytest.approx(usd, rel=1e-6), (timeline["option_id"], item, words)
                held += 1
    assert held >= 8


def test_a_working_reads_as_the_product_that_it_is(record: PlanRecord) -> None:
    for timeline in record["timelines"]:
        option = next(each for each in record["options"] if each["id"] == timeline["option_id"])
        for words, value in workings(record, option).values():
            factors = [float(re.match(r"-?[\d.,e+-]+", part)[0].replace(",", "")) for part in words.split(" x ")]  # type: ignore[index]
            assert math.prod(factors) == pytest.approx(value, rel=1e-4, abs=1e-9)


def test_a_figure_that_no_product_comes_to_is_shown_without_one(plan_of: Callable[[str], Plan]) -> None:
    record = plan_record(plan_of("gpu-hours-h100"))
    chosen = record["verdict"]["option_id"]

    def made_of() -> str:
        rows = {row[0]: row[1] for row in explained(record, chosen).rows}
        return rows["on demand, 36 months"]

    assert " = 8 instances x " in made_of()
    (timeline,) = [line for line in record["timelines"] if line["option_id"] == chosen]
    timeline["components_usd"]["on_demand"] *= 1.1  # as where rents rise over the months
    assert "=" not in made_of()
