"""From a curve and what was paid to a decision: laws that hold, and a case worked by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.assumptions import default_assumptions
from planner.decision import decide
from planner.decision.confidence import _scaled, dispatched_usd
from planner.decision.curve import block_hours, resampled_hours, year_of
from planner.decision.place import Place
from planner.errors import InputError, NothingFitsError
from planner.mix.capacity import DemandCurve, Tier, TierKind
from planner.mix.cheapest import cheapest_mix
from planner.report.decision import decision_tables, headline
from planner.report.figures import usd
from planner.usage.answer import Usage
from planner.usage.bill import Bill
from planner.usage.hours import HourTable
from planner.usage.records import Stretch, records_of
from planner.usage.summary import summarize
from pricing.catalog import Catalog, load_bundled

OWN = Tier(name="own", kind=TierKind.OWNED, fixed_usd_per_machine_hour=8.0, usd_per_unit_hour=0.1, units_per_machine=8)
KEPT = Tier(name="kept", kind=TierKind.COMMITTED, fixed_usd_per_machine_hour=1.8)
SPOT = Tier(name="spot", kind=TierKind.SPOT, usd_per_unit_hour=1.0, max_share_of_demand=0.5, availability_share=0.8)
RENT = Tier(name="rent", kind=TierKind.ON_DEMAND, usd_per_unit_hour=3.0)


def _bill(level: np.ndarray, usd_per_gpu_hour: float, *, unused: float = 0.0, gpu: str = "H100-SXM") -> Bill:
    """Return a bill of one accelerator on demand, and a reservation of which so many are never used."""
    hours = len(level)
    hour = np.concatenate([np.arange(hours), np.arange(hours)]) + 497_000
    state = np.repeat([1, 0], hours)
    words: dict[str, tuple[str, ...]] = {
        "state": ("unused", "used"), "option": ("on_demand", "reserved"), "gpu": (gpu,), "instance_type": ("",),
        "account": ("a",), "region": ("us-east-1",), "provider": ("aws",), "tag": ("",), "commitment": ("ri", ""),
        "charge_class": ("",), "role": ("machine",),
    }  # fmt: skip
    codes = {name: np.zeros(2 * hours, dtype=np.int64) for name in words}
    codes["state"] = state
    codes["option"] = 1 - state
    codes["commitment"] = state
    gpu_hours = np.concatenate([level, np.full(hours, unused)])
    usd = gpu_hours * usd_per_gpu_hour
    values = {
        "gpu_hours": gpu_hours,
        "effective_usd": usd,
        "list_usd": usd * state,
        "contracted_usd": usd,
        "billed_usd": usd,
    }
    return Bill(
        table=HourTable(hour, codes, words, values), rows=2 * hours, gpu_rows=2 * hours, unreadable_rows=0, copied_rows=0,
        effective_usd=float(usd.sum()), apart=(), versions=("1.2",), rates={}, skus=(), faults=(),
    )  # fmt: skip


def _usage(level: np.ndarray, usd_per_gpu_hour: float, **options: object) -> Usage:
    return summarize(_bill(level, usd_per_gpu_hour, **options), [], load_bundled())  # type: ignore[arg-type]


STEADY = np.full(672, 16.0)


def test_a_steady_fleet_that_pays_on_demand_is_told_to_own_or_commit_all_of_it() -> None:
    found = decide(_usage(STEADY, 6.88), load_bundled(), default_assumptions(), resamples=0)
    parts = found.gpus[0].parts
    assert {part.kind for part in parts} <= {"owned", "committed", "spot"}
    assert found.saving_usd_per_month == pytest.approx(16 * 730 * 6.88 - sum(part.usd_per_month for part in parts))
    assert found.saving_usd_per_month > 0
    # Servers take months to come; what is committed to works at once.
    assert 0 < found.now_saving_usd_per_month < found.saving_usd_per_month


def test_unused_commitments_are_paid_until_their_end_and_saved_after_it() -> None:
    with_waste = decide(_usage(STEADY, 6.88, unused=8.0), load_bundled(), default_assumptions(), resamples=0)
    without = decide(_usage(STEADY, 6.88), load_bundled(), default_assumptions(), resamples=0)
    waste = 8 * 730 * 6.88
    assert with_waste.saving_usd_per_month == pytest.approx(without.saving_usd_per_month + waste)
    assert with_waste.switch_off[0].usd_per_month == pytest.approx(waste)
    # Eight of the sixteen could run on what is paid anyway.
    assert with_waste.now_saving_usd_per_month > without.now_saving_usd_per_month


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(st.floats(1.0, 20.0), st.floats(0.1, 10.0))
def test_who_paid_more_never_saves_less(paid: float, more: float) -> None:
    def saving(price: float) -> float:
        try:
            found = decide(_usage(STEADY, price), load_bundled(), default_assumptions(), resamples=0)
        except NothingFitsError:
            return 0.0
        return found.saving_usd_per_month

    assert saving(paid + more) >= saving(paid) - 1e-6


def test_who_pays_less_than_any_offer_keeps_what_he_has_and_is_told_so() -> None:
    found = decide(_usage(STEADY, 0.01), load_bundled(), default_assumptions(), resamples=4)
    assert found.gpus == ()
    assert found.saving_usd_per_month == found.now_saving_usd_per_month == 0.0
    assert found.after_usd_per_month == found.paid_usd_per_month == pytest.approx(16 * 730 * 0.01)
    assert found.kept[0].code == "cheapest_already"
    assert headline(found).startswith("Keep what you have")


def test_an_hour_a_day_is_never_worth_owning_and_saves_nothing_on_todays_price() -> None:
    # 744 hours are no whole weeks: a part of the record must not be held against the price of all of it.
    level = np.where(np.arange(744) % 24 == 9, 8.0, 0.0)
    price = min(
        offer.price_usd_per_hour / offer.accelerator_count
        for offer in load_bundled().select(providers=["aws"], accelerators=["h100-sxm"], purchase=["on_demand"]).offers
    )
    found = decide(_usage(level, price), load_bundled(), default_assumptions(), resamples=0)
    assert found.gpus == ()
    assert found.saving_usd_per_month == 0.0


def test_three_days_of_a_month_cost_three_days_a_month() -> None:
    bill = _bill(np.full(72, 8.0), 6.88)
    whole = replace(bill, first_hour=497_000, end_hour=497_000 + 744)
    usage = summarize(whole, [], load_bundled())
    assert usage.hours == 744
    found = decide(usage, load_bundled(), default_assumptions(), resamples=0)
    assert found.paid_usd_per_month == pytest.approx(72 * 8 * 6.88 * 730 / 744)
    assert not any(part.kind == "owned" for gpu in found.gpus for part in gpu.parts)


def test_counters_of_one_cluster_say_nothing_of_the_rest_of_the_company() -> None:
    span = (497_000 * 3600.0, (497_000 + 100) * 3600.0)
    seen = [Stretch(*span, 4.0, "present"), Stretch(*span, 1.0, "busy")]
    usage = summarize(_bill(STEADY, 6.88), [records_of(seen, "dcgm", rows=1)], load_bundled())
    assert usage.idle_gpu_hours == pytest.approx(3.0 * 100)
    assert usage.idle_share == pytest.approx(0.75)
    found = decide(usage, load_bundled(), default_assumptions(), resamples=0)
    idle = next(one for one in found.switch_off if one.code == "idle")
    assert idle.usd_per_month == pytest.approx(3.0 * 730 * 6.88)


def test_counters_of_another_month_do_not_stretch_the_bill() -> None:
    later = (500_000 * 3600.0, 500_100 * 3600.0)
    records = records_of([Stretch(*later, 4.0, "present"), Stretch(*later, 1.0, "busy")], "dcgm", rows=1)
    usage = summarize(_bill(STEADY, 6.88), [records], load_bundled())
    assert (usage.hours, usage.idle) == (672, ())
    assert [one.curve.hours for one in usage.measures] == [672, 100, 100]


@given(st.floats(0.5, 2.0), st.sampled_from([1.0, 4.0, 8.0]))
def test_another_demand_keeps_the_fleets_steps_and_is_right_on_average(ratio: float, step: float) -> None:
    level = np.tile(np.array([0.0, 1.0, 2.0, 3.0]) * step, 2000)
    found = _scaled(level, ratio, np.random.default_rng(0))
    assert np.all(np.abs(found / step - np.rint(found / step)) < 1e-9)
    assert np.all(found[level == 0] == 0)
    assert found.mean() == pytest.approx(level.mean() * ratio, rel=0.05)


def test_the_same_seed_is_equally_sure_and_the_range_holds_the_middle() -> None:
    level = np.tile(np.concatenate([np.full(84, 8.0), np.full(84, 24.0)]), 4)
    usage = _usage(level, 6.88)
    one, two = (decide(usage, load_bundled(), default_assumptions(), resamples=12, seed=4) for _ in range(2))
    assert one == two
    assert one.saving_low_usd_per_month is not None
    assert one.saving_high_usd_per_month is not None
    assert one.saving_low_usd_per_month < one.saving_high_usd_per_month
    assert one.gpus[0].saves_share is not None
    assert one.resamples == 12


@pytest.mark.slow
def test_servers_are_bought_only_where_that_is_as_sure_as_a_plan_asks() -> None:
    usage = _usage(np.tile(np.concatenate([np.full(84, 8.0), np.full(84, 24.0)]), 4), 6.88)

    def kinds(least_share: float) -> set[str]:
        assumptions = default_assumptions().override({"verdict.least_confidence_share": least_share}, "this test")
        decision = decide(usage, load_bundled(), assumptions, resamples=60, seed=4)
        assert decision.ladder[-1].kind == "owned"
        assert ("not_bought" in {note.code for note in decision.notes}) == (least_share > 0.7)
        return {part.kind for gpu in decision.gpus for part in gpu.parts}

    assert "owned" in kinds(0.6)
    assert kinds(0.9) == {"committed"}


@pytest.mark.parametrize(("weeks", "is_said"), [(4, True), (14, False)])
def test_who_buys_on_a_record_of_weeks_is_told_to_look_at_a_quarter_first(weeks: int, is_said: bool) -> None:
    usage = _usage(np.tile(np.concatenate([np.full(84, 8.0), np.full(84, 24.0)]), weeks), 6.88)
    assumptions = default_assumptions().override({"verdict.least_confidence_share": 0.5}, "this test")
    found = decide(usage, load_bundled(), assumptions, resamples=20, seed=4)
    assert any(part.kind == "owned" for part in found.gpus[0].parts)
    words = "Before you buy, check that the use of a quarter looks like these 28 days, and get quotes for the servers"
    assert headline(found).endswith(words) == is_said


def test_certain_prices_and_demand_of_a_steady_fleet_leave_no_doubt() -> None:
    sure = default_assumptions().override(
        {"rent.price_change_share_per_year": 0.0, "risk.server_price_ratio": 1.0, "risk.demand_ratio": 1.0}, "test"
    )
    found = decide(_usage(STEADY, 6.88), load_bundled(), sure, resamples=5)
    assert found.holds_share == 1.0
    assert found.saving_low_usd_per_month == pytest.approx(found.saving_usd_per_month)
    assert found.saving_high_usd_per_month == pytest.approx(found.saving_usd_per_month)


def test_idle_allocation_is_told_with_its_price() -> None:
    records = records_of([Stretch(497_000 * 3600.0, (497_000 + 672) * 3600.0, 4.0, "busy")], "dcgm", rows=1)
    usage = summarize(_bill(STEADY, 6.88), [records], load_bundled())
    found = decide(usage, load_bundled(), default_assumptions(), resamples=0)
    idle = next(one for one in found.switch_off if one.code == "idle")
    assert idle.gpu_hours_per_month == pytest.approx(12 * 730)
    assert idle.usd_per_month == pytest.approx(12 * 730 * 6.88)
    assert idle.is_saved_by_mix
    assert found.gpus[0].idle_gpus == pytest.approx(12)
    assert sum(part.gpu_hours_per_month for part in found.gpus[0].parts) == pytest.approx(4 * 730)
    assert headline(found).startswith("Stop idle machines first")


def test_an_accelerator_that_nobody_offers_keeps_what_it_has() -> None:
    with pytest.raises(NothingFitsError, match="unknown accelerator"):
        decide(_usage(STEADY, 5.0, gpu="unknown (p9.48xlarge)"), load_bundled(), default_assumptions(), resamples=0)


def test_records_without_a_bill_are_refused() -> None:
    records = records_of([Stretch(0.0, 7200.0, 8.0, "allocated", gpu="H100-SXM")], "slurm", rows=1)
    with pytest.raises(InputError, match="needs a bill"):
        decide(summarize(None, [records], load_bundled()), load_bundled(), default_assumptions())


def test_a_catalogue_that_its_user_narrowed_is_taken_as_it_is() -> None:
    narrowed: Catalog = load_bundled().select(providers=["gcp"])
    found = decide(_usage(STEADY, 20.0), narrowed, default_assumptions(), resamples=0, elsewhere=True)
    assert found.providers == ("gcp",)
    assert decide(_usage(STEADY, 20.0), load_bundled(), default_assumptions(), resamples=0).providers == ("aws",)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=48))
def test_dispatching_the_cheapest_mix_costs_what_the_mix_says(level: list[int]) -> None:
    curve = np.array(level, dtype=float)
    tiers = [OWN, KEPT, RENT]
    best = cheapest_mix(DemandCurve(units=curve), tiers)
    machines = {use.name: use.machines for use in best.tiers}
    assert dispatched_usd(curve, tiers, machines) == pytest.approx(best.total_usd, rel=1e-6, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=24), st.integers(0, 5), st.integers(0, 20))
def test_no_other_set_of_machines_is_cheaper_than_the_mix(level: list[int], own: int, kept: int) -> None:
    curve = np.array(level, dtype=float)
    tiers = [OWN, KEPT, SPOT, RENT]
    best = cheapest_mix(DemandCurve(units=curve), tiers).total_usd
    assert dispatched_usd(curve, tiers, {"own": own, "kept": kept}) >= best - 1e-6 * max(best, 1.0)


def test_machines_without_an_open_tier_cannot_serve_more_than_they_are() -> None:
    assert dispatched_usd(np.array([16.0]), [OWN], {"own": 1}) == float("inf")


def test_a_year_keeps_weekdays_in_their_places() -> None:
    week = np.arange(168.0)
    assert np.array_equal(year_of(np.tile(week, 4))[: 5 * 168], np.tile(week, 5))
    picked = resampled_hours(4 * 168, np.random.default_rng(0))
    assert len(picked) == 8760
    assert np.array_equal(picked % 168, np.resize(np.arange(168), 8760))
    assert (block_hours(336), block_hours(100), block_hours(30)) == (168, 24, 1)


def test_machines_that_lack_the_network_of_todays_do_not_stand_in() -> None:
    place = Place(
        provider="azure",
        region="eastus",
        instance_type="Standard_ND96isr_H100_v5",
        gpu="H100-SXM",
        gpus_per_machine=8,
        vcpus=96,
        memory_gib=1900,
        rows=np.zeros(0, dtype=bool),
        has_rdma=True,
    )
    offers = [offer for offer in load_bundled().select(accelerators=["H100-SXM"]).offers if place.takes(offer, anywhere=False)]  # fmt: skip
    assert {offer.instance_type for offer in offers} == {"Standard_ND96isr_H100_v5"}
    assert any(replace(place, has_rdma=False).takes(offer, anywhere=False) for offer in load_bundled().offers if offer.instance_type == "Standard_ND96is_H100_v5")  # fmt: skip


def test_what_is_recommended_stands_below_the_ladder_and_adds_up() -> None:
    found = decide(_usage(STEADY, 6.88), load_bundled(), default_assumptions(), resamples=0)
    ladder = next(table for table in decision_tables(found) if table.title.startswith("The ladder"))
    last = ladder.rows[-1]
    assert last[0] == "recommended"
    assert last[1:3] == (usd(found.after_usd_per_month), usd(found.saving_usd_per_month))
    assert all(part.priced_on for gpu in found.gpus for part in gpu.parts)


def test_what_the_bill_states_no_cost_of_is_not_decided() -> None:
    with pytest.raises(NothingFitsError, match="no cost in the bill"):
        decide(_usage(STEADY, 0.0), load_bundled(), default_assumptions(), resamples=0)
