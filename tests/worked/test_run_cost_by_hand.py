"""What a run that is done once is said to cost, worked out by hand: the bill, of which no month is discounted, in every form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from planner.costs.inputs import RentInputs
from planner.demand.workload import Workload
from planner.options.option import Option
from planner.plan import Plan
from planner.portfolio.answers import Asked, answers_of
from planner.report.difference import difference, difference_tables
from planner.report.explained import explained
from planner.report.figures import usd
from planner.report.headline import headline
from planner.report.live import Live
from planner.report.overview import overview, together
from planner.report.page.head import answer_html
from planner.report.record import plan_record
from planner.report.schema.plan import PlanRecord
from planner.report.short import alternatives_table, short_answer
from planner.report.view import plan_view
from pricing.clock import HOURS_PER_MONTH
from tests.portfolio.equal import usual_market

STORAGE_USD = 200 * 0.07
"""200 GB at 0.07 USD a month."""
RUNS: Mapping[str, dict[str, Any]] = {
    "train": {"kind": "pretrain", "model": "llama-3.1-8b", "pretrain": {"tokens_b": 20, "deadline_days": 60}},
    "train for months": {"kind": "pretrain", "model": "llama-3.1-8b", "pretrain": {"tokens_b": 60, "deadline_days": 200},
                         "constraints": {"max_gpus": 2}},
    "fine-tune": {"kind": "finetune", "model": "llama-3.1-8b", "finetune": {"method": "lora", "tokens_m": 5000}},
    "fine-tune on images": {"kind": "finetune", "model": "sdxl", "finetune": {"method": "lora", "steps": 20000}},
    "batch": {"kind": "batch", "model": "llama-3.1-8b", "batch": {"requests": 20_000_000, "input_tokens": 800, "output_tokens": 200}},
    "embed": {"kind": "embed", "model": "bge-m3", "embed": {"documents": 300_000_000, "tokens_per_document": 300}},
    "transcribe": {"kind": "transcribe", "model": "whisper-large-v3", "transcribe": {"audio_hours": 50_000}},
}  # fmt: skip


@cache
def _plan(name: str) -> Plan:
    return usual_market().plan(Workload.model_validate(RUNS[name]))


def _bill_usd(option: Option) -> float:
    """Return the price of an hour times the machine hours, and storage for the part of each month that is worked in."""
    assert isinstance(option.book, RentInputs)
    hours = option.book.run_hours
    return option.book.price_usd_per_hour * option.instance_count * hours + STORAGE_USD * hours / HOURS_PER_MONTH


@pytest.mark.parametrize("name", RUNS)
def test_a_run_costs_its_bill(name: str) -> None:
    plan = _plan(name)
    assert plan.workload.runs_once
    rents = [o for o in plan.options if o.purchase_option == "on_demand" and o.choosable and o.fleet]
    assert rents
    for option in rents[:5]:
        assert option.total_usd == pytest.approx(_bill_usd(option), rel=1e-9)
        assert isinstance(option.book, RentInputs)
        months = math.ceil(option.book.run_hours / HOURS_PER_MONTH)
        assert option.usd_per_month == pytest.approx(_bill_usd(option) / months)
        assert option.present_value_usd < option.total_usd / 1.1 ** (1 / 12) * (1 + 1e-9)


def test_tokens_of_a_run_cost_their_price() -> None:
    """90,000 million tokens at 0.01 USD a million are 900 USD, and 5,000 million at 0.46 are 2,300."""
    embedded = next(o for o in _plan("embed").options if o.id.startswith("api/ovhcloud"))
    tuned = next(o for o in _plan("fine-tune").options if o.id.startswith("api/ori"))
    assert embedded.total_usd == pytest.approx(900.0)
    assert tuned.total_usd == pytest.approx(2300.0)
    for option, tokens_m in ((embedded, 90_000), (tuned, 5_000)):
        assert option.usd_per_million_tokens == pytest.approx(option.total_usd / tokens_m)


def _forms(record: PlanRecord) -> dict[str, str]:
    """Return the forms in which people read a plan, as text."""
    answer = short_answer(record)
    return {
        "side by side": str(alternatives_table(record).rows),
        "options": str(plan_view(record, top=5).options.rows),
        "page": answer_html(record, answer, "", 1),
        "explained": str(explained(record, record["verdict"]["option_id"]).rows),
        "overview": str(overview([record, record]).rows),
        "diff": str([table.note for table in difference_tables(difference(record, record))]),
    }


@pytest.mark.parametrize("name", ["train for months", "embed"])
def test_every_form_says_the_bill_and_calls_npv_what_is_discounted(name: str) -> None:
    plan = _plan(name)
    record = plan_record(plan)
    bill_usd = _bill_usd(plan.chosen)
    told = usd(bill_usd)
    assert told != usd(plan.chosen.present_value_usd)
    assert f"for {told} USD for the run" in headline(plan)
    for form, text in _forms(record).items():
        assert told in text, form
    live = Live(record)
    assert live.cost(live.by_id[plan.chosen.id], live.planned).total_usd == pytest.approx(bill_usd)
    assert together([record, record])["run_usd"] == pytest.approx(2 * bill_usd)
    chosen = next(option for option in record["options"] if option["id"] == plan.chosen.id)
    assert chosen["cost"]["total_usd"] == pytest.approx(bill_usd)


@pytest.mark.parametrize("name", RUNS)
def test_a_portfolio_counts_the_bill_of_a_run(name: str) -> None:
    (row,) = answers_of([Asked(0, RUNS[name], Workload.model_validate(RUNS[name]))], usual_market()).rows
    same = next(option for option in _plan(name).options if option.id == row["option_id"])
    assert row["total_usd"] == pytest.approx(_bill_usd(same), rel=1e-6)
