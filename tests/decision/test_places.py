"""A decision is of machines at their places, of what runs now, and never surer than its record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from planner.assumptions import default_assumptions
from planner.decision import Decision, decide
from planner.report.decision import headline
from planner.usage.bill import Bill
from planner.usage.hours import HourTable
from planner.usage.records import Stretch, records_of
from planner.usage.summary import summarize
from pricing.catalog import load_bundled
from pricing.facts.offers import offer_id

FIRST = 497_000
P5 = ("aws", "us-east-1", "p5.48xlarge")
DAYS = 28


def _bill(*parts: tuple[tuple[str, str, str], np.ndarray, float, str]) -> Bill:
    """Return a bill of H100: for each part its place, its accelerators by hour, the price of an hour of one, and how paid."""
    words: dict[str, tuple[str, ...]] = {
        "state": ("used",), "gpu": ("H100-SXM",), "account": ("a",), "tag": ("",), "charge_class": ("",), "role": ("machine",),
        "option": tuple(sorted({part[3] for part in parts})), "commitment": ("", "plan"),
        "provider": tuple(sorted({part[0][0] for part in parts})),
        "region": tuple(sorted({part[0][1] for part in parts})),
        "instance_type": tuple(sorted({part[0][2] for part in parts})),
    }  # fmt: skip
    rows = [np.concatenate(found) for found in zip(*(_rows(part, words) for part in parts), strict=True)]
    codes = {name: np.zeros(len(rows[0]), dtype=np.int64) for name in words}
    codes |= dict(zip(("provider", "region", "instance_type", "option", "commitment"), rows[3:], strict=True))
    hours, usd = rows[1], rows[2]
    values = {"gpu_hours": hours, "effective_usd": usd, "list_usd": usd, "contracted_usd": usd, "billed_usd": usd}
    return Bill(
        table=HourTable(rows[0], codes, words, values), rows=len(hours), gpu_rows=len(hours), unreadable_rows=0, copied_rows=0,
        effective_usd=float(usd.sum()), apart=(), versions=("1.2",), rates={}, skus=(), faults=(),
    )  # fmt: skip


def _rows(
    part: tuple[tuple[str, str, str], np.ndarray, float, str], words: dict[str, tuple[str, ...]]
) -> list[np.ndarray]:
    place, level, price, option = part
    kinds = zip(("provider", "region", "instance_type"), place, strict=True)
    codes = [*(words[kind].index(word) for kind, word in kinds), words["option"].index(option), int(option == "savings_plan")]  # fmt: skip
    return [np.arange(len(level)) + FIRST, level, level * price, *(np.full(len(level), code) for code in codes)]


def _decision(*parts: Any, records: Any = (), resamples: int = 0, **options: Any) -> Decision:
    usage = summarize(_bill(*parts), list(records), load_bundled())
    return decide(usage, load_bundled(), default_assumptions(), resamples=resamples, **options)


def _steady(gpus: float, days: int = DAYS) -> np.ndarray:
    return np.full(24 * days, float(gpus))


def test_machines_of_several_places_are_decided_apart_and_named_so() -> None:
    parts = [
        (("aws", "us-east-1", "p5.48xlarge"), _steady(8), 6.88, "on_demand"),
        (("aws", "ap-northeast-1", "p5.48xlarge"), _steady(8), 8.6, "on_demand"),
        (("gcp", "us-central1", "a3-highgpu-8g"), _steady(8), 11.06, "on_demand"),
    ]
    found = _decision(*parts)
    assert len(found.gpus) == 3
    assert all(region in headline(found) for region in ("us-east-1", "ap-northeast-1", "us-central1"))
    names = [part.name for gpu in found.gpus for part in gpu.parts]
    assert not any("1g/" in name or "/spot" in name for name in names)
    for gpu in found.gpus:
        region = gpu.place.split(", ")[1]
        assert all(part.kind == "owned" or region in part.name or part.name.startswith("today") for part in gpu.parts)


def test_a_smaller_host_does_not_stand_in() -> None:
    found = _decision((("aws", "us-east-1", "p5.48xlarge"), _steady(8), 6.88, "on_demand"), no_own=True)
    assert all("p5.48xlarge" in part.name for gpu in found.gpus for part in gpu.parts)


def test_without_owning_nothing_is_bought_on_any_step() -> None:
    found = _decision((P5, _steady(8), 6.88, "on_demand"), no_own=True)
    assert all(step.kind != "owned" and step.capex_usd == 0 for step in found.ladder)
    assert all(part.kind != "owned" for gpu in found.gpus for part in gpu.parts)


def test_each_step_of_the_ladder_costs_no_more_than_the_one_before() -> None:
    found = _decision((P5, np.tile([8.0, 16.0], 12 * DAYS), 6.88, "on_demand"))
    costs = [step.usd_per_month for step in found.ladder]
    assert len(costs) >= 2
    assert costs == sorted(costs, reverse=True)
    assert found.ladder[-1].capex_usd == pytest.approx(sum(gpu.capex_usd for gpu in found.gpus))


@pytest.mark.parametrize(("levels", "words"), [((8, 16, 24, 32), "8 to 32"), ((32, 24, 16, 8), "32 to 8")])
def test_growth_and_shrinking_are_sized_for_what_runs_now(levels: tuple[int, ...], words: str) -> None:
    level = np.repeat(np.array(levels, dtype=float), 15 * 24)
    found = _decision((P5, level, 6.88, "on_demand"))
    assert found.gpus[0].mean_gpus == pytest.approx(levels[-1])
    assert found.paid_usd_per_month == pytest.approx(levels[-1] * 6.88 * 730)
    assert words in headline(found)


def test_a_trend_that_goes_on_is_a_scenario_beside_what_runs_now() -> None:
    level = np.repeat(np.array([8.0, 16.0, 24.0, 32.0]), 15 * 24)
    gpu = _decision((P5, level, 6.88, "on_demand")).gpus[0]
    assert gpu.going_on_gpus == pytest.approx(2 * 32 - 8)
    assert gpu.going_on_best_usd_per_month is not None
    assert gpu.going_on_usd_per_month is not None
    assert gpu.mix_usd_per_month < gpu.going_on_best_usd_per_month < gpu.going_on_usd_per_month


def test_old_prices_widen_the_range_of_the_saving() -> None:
    parts = ((P5, _steady(8), 9.0, "on_demand"),)
    newest = max(offer.observed_on for offer in load_bundled().offers)
    spread = []
    for today in (None, newest + timedelta(days=365)):
        found = _decision(*parts, resamples=12, no_own=True, today=today)
        low, high = found.saving_low_usd_per_month, found.saving_high_usd_per_month
        spread.append((high or 0.0) - (low or 0.0))
    assert 0 < spread[0] < spread[1]


def test_a_few_days_own_and_commit_to_nothing_and_say_nothing_of_how_sure_they_are() -> None:
    found = _decision((P5, _steady(8, 3), 6.88, "on_demand"), resamples=5)
    assert found.is_short
    assert found.holds_share is None
    assert not any(part.kind in {"owned", "committed"} for gpu in found.gpus for part in gpu.parts)
    assert "too short" in headline(found)


def test_what_is_as_cheap_as_owning_within_what_is_known_is_kept() -> None:
    found = _decision((P5, _steady(8), 3.0, "savings_plan"), resamples=20)
    assert found.gpus == ()
    assert headline(found).startswith("Keep what you have")
    assert found.kept[0].code == "close_call"


@pytest.mark.parametrize(("spot", "expected"), [(0, 0.0), (8, 0.5)])
def test_spot_is_advised_as_far_as_the_bill_ran_on_it(spot: int, expected: float) -> None:
    parts: list[Any] = [(P5, _steady(8), 6.88, "on_demand")]
    parts += [(P5, _steady(spot), 2.0, "spot")] if spot else []
    found = _decision(*parts, no_own=True)
    assert found.gpus
    assert [gpu.spot_share for gpu in found.gpus] == pytest.approx([expected] * len(found.gpus))


def test_what_runs_on_spot_saves_nothing_by_running_on_the_same_spot_machines() -> None:
    place = ("aws", "us-west-2", "p5.48xlarge")
    listed = [offer for offer in load_bundled().offers if (offer.provider, offer.region, offer.instance_type) == place and offer.purchase_option.value == "spot"]  # fmt: skip
    assert listed
    paid = 1.2 * listed[0].price_usd_per_hour / 8
    found = _decision((place, _steady(8), paid, "spot"), no_own=True)
    assert not found.gpus
    assert found.kept[0].code == "cheapest_already"


@pytest.mark.parametrize("ratio", [1.0, 1.5])
def test_the_list_price_of_the_machines_that_run_is_no_saving_and_is_named(ratio: float) -> None:
    listed = next(offer for offer in load_bundled().offers if offer_id(offer) == "aws/us-east-1/p5.48xlarge/on_demand")
    each = listed.price_usd_per_hour / 8
    place = ("aws", "us-east-1", "p5.48xlarge")
    # A third of the hours: too few to commit for, so that nothing is left but the price list.
    level = np.tile([8.0] * 8 + [0.0] * 16, 30)
    decision = _decision((place, level, each * ratio, "on_demand"), no_own=True)
    assert (decision.gpus, decision.saving_usd_per_month) == ((), 0.0)
    assert [note.amounts for note in decision.notes if note.code == "above_list"] == [
        pytest.approx((share,)) for share in (ratio - 1,) if share
    ]


def test_a_price_that_fell_within_the_record_is_no_saving_and_is_named() -> None:
    halves = [(P5, np.where((np.arange(24 * DAYS) < 12 * DAYS) == is_first, 8.0, 0.0), price, "on_demand") for is_first, price in ((True, 12.0), (False, 6.0))]  # fmt: skip
    fallen, as_now = _decision(*halves), _decision((P5, _steady(8), 6.0, "on_demand"))
    assert fallen.paid_usd_per_month == pytest.approx(8 * 6.0 * 730)
    assert fallen.saving_usd_per_month == pytest.approx(as_now.saving_usd_per_month)
    assert [note.amounts for note in fallen.notes if note.code == "price_moved"] == [pytest.approx((6 / 9 - 1,))]
    assert not [note for note in as_now.notes if note.code == "price_moved"]


def test_who_pays_above_the_list_saves_no_larger_share_by_a_commitment() -> None:
    offers = {offer_id(offer): offer for offer in load_bundled().offers if offer.accelerator == "H100-SXM" and offer.accelerator_count == 8}  # fmt: skip
    name = next(one.removesuffix("reserved_1y") for one in offers if one.endswith("/reserved_1y") and one.replace("reserved_1y", "on_demand") in offers)  # fmt: skip
    provider, region, machine, _ = name.split("/")
    hourly = offers[f"{name}on_demand"].price_usd_per_hour / 8
    bills = [((provider, region, machine), _steady(8), hourly * ratio, "on_demand") for ratio in (1.0, 2.0)]
    shares = [_decision(bill, no_own=True).saving_share for bill in bills]
    assert shares[0] > 0.1
    assert shares[1] == pytest.approx(shares[0])


def test_several_accelerators_in_one_sentence_are_named() -> None:
    found = _decision((P5, _steady(8), 6.88, "on_demand"))
    gpu = found.gpus[0]
    said = headline(replace(found, gpus=(gpu, gpu, gpu, replace(gpu, gpu="L40S"))))
    assert "24 H100-SXM and 8 L40S GPUs" in said


def test_machines_that_counters_saw_idle_are_stopped_before_anything_is_bought() -> None:
    level = _steady(8)
    at = (np.flatnonzero(np.arange(len(level)) % 24 < 2) + FIRST) * 3600.0
    busy = [Stretch(float(begin), float(begin) + 3600.0, 7.6, "busy", gpu="H100-SXM") for begin in at]
    there = [Stretch(FIRST * 3600.0, (FIRST + len(level)) * 3600.0, 8.0, "present", gpu="H100-SXM")]
    counters = records_of([*busy, *there], "dcgm", rows=1)
    found = _decision((P5, level, 6.88, "on_demand"), records=[counters])
    assert headline(found).startswith("Stop idle machines first")
    assert found.after_usd_per_month == pytest.approx(8 * 6.88 * 730 / 12)
    assert {part.kind for part in found.gpus[0].parts} == {"on_demand"}
    for_all = _decision((P5, level, 6.88, "on_demand"), records=[counters], basis="allocated")
    assert for_all.gpus[0].idle_gpus == 0
    assert any(part.kind == "owned" for part in for_all.gpus[0].parts)


def test_a_bill_of_nothing_but_unused_capacity_says_what_to_switch_off() -> None:
    bill = _bill((P5, _steady(8), 6.88, "on_demand"))
    table = replace(bill.table, words={**bill.table.words, "state": ("unused",)})
    usage = summarize(replace(bill, table=table), [], load_bundled())
    found = decide(usage, load_bundled(), default_assumptions(), resamples=0)
    assert headline(found).startswith("Switch off what is idle")
