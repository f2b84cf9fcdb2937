"""Options: when work runs, what is paid, and what may be recommended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.assumptions import default_assumptions
from planner.costs.evaluate import timelines
from planner.costs.inputs import BuyInputs
from planner.demand.volume import Volume, volume
from planner.demand.workload import Workload
from planner.options.hosted import hosted_options
from planner.options.machine_hours import needed_share, schedule
from planner.options.option import Option, OptionKind
from planner.options.rented import planned_price_usd_per_hour
from planner.options.servers import ownable_servers
from planner.plan import Plan, make_plan
from planner.report.notes import note_texts
from planner.supply.machines import Fleet, Layout, Machine, Performance, Range
from pricing.catalog import load_bundled
from pricing.facts.accelerators import accelerators
from pricing.facts.dates import Window
from pricing.facts.ownership import ServerQuote
from pricing.facts.token_prices import TokenPrice
from tests.conftest import TODAY
from tests.pricing.residual_values import residual_curve

PlanOf = Callable[[str], Plan]
ONCE = Volume(is_job=True, runs_per_month=0.0, trained_tokens=1e9)


def _fleet(hours_per_run: float | None = None, *, instance_count: int = 2, elastic_share: float = 1.0) -> Fleet:
    return Fleet(
        machine=Machine(accelerator=accelerators()["H100-SXM"], accelerator_count=8),
        instance_count=instance_count,
        layout=Layout(precision="bf16"),
        performance=Performance(
            rate_per_s=Range(low=1, typical=1, high=1), rate_unit="trained_tokens", bound="compute", basis="stated"
        ),
        accelerators_used=8.0 * instance_count,
        busy_hours_per_run=hours_per_run,
        elastic_share=elastic_share,
        utilisation_share=0.5,
    )


@given(hours=st.floats(0.01, 3000), start=st.floats(0, 5), months=st.integers(1, 60))
def test_a_job_run_once_pays_its_hours_and_no_more(hours: float, start: float, months: int) -> None:
    plan = schedule(_fleet(hours), ONCE, months=months, hours_per_month=730, start_hours=start)
    assert float(plan.on_hours.sum()) == pytest.approx(min(hours + start, 730 * months))
    assert (plan.on_hours[plan.last_month :] == 0).all()
    assert float(plan.useful_gpu_hours.sum()) <= 16 * hours * (1 + 1e-9)


def test_a_service_pays_the_hours_that_its_demand_asks_for() -> None:
    service = Volume(is_job=False, runs_per_month=1.0)
    plan = schedule(_fleet(elastic_share=0.4), service, months=3, hours_per_month=730)
    assert plan.on_hours.tolist() == [292.0, 292.0, 292.0]
    assert needed_share(plan, 730) == pytest.approx(0.4)


def test_runs_that_overlap_take_a_second_fleet() -> None:
    often = Volume(is_job=True, runs_per_month=10.0, trained_tokens=1e9)
    plan = schedule(_fleet(100.0), often, months=2, hours_per_month=730)
    assert plan.fleet.instance_count == 4
    assert plan.on_hours.tolist() == [500.0, 500.0]
    assert plan.useful_gpu_hours.tolist() == [16_000.0, 16_000.0]


def test_tokens_of_a_hosted_model_cost_their_price_by_hand() -> None:
    """2 requests/s x 730 h x 3600 s = 5,256,000 requests; 1,000 in at 0.50 and 200 out at 2.00 USD per million tokens."""
    work = Workload.model_validate(
        {"kind": "serve", "model": "m", "serve": {"requests_per_s": 2, "input_tokens": 1000, "output_tokens": 200}}
    )
    price = TokenPrice(
        provider="p",
        model_id="m",
        input_usd_per_million_tokens=0.5,
        output_usd_per_million_tokens=2.0,
        priced_on=date(2026, 11, 1),
        source="by hand",
    )
    (option,) = hosted_options([price], work, volume(work, 730), default_assumptions())
    assert option.usd_per_month == pytest.approx(5_256_000 * (1000 * 0.5 + 200 * 2.0) / 1e6)
    assert option.usd_per_million_tokens == pytest.approx(0.75)


@pytest.mark.slow
def test_spot_is_a_hint_under_a_service_unless_it_was_asked_for(plan_of: PlanOf) -> None:
    plan = plan_of("serve-llama-70b")
    assert not any(o.choosable for o in plan.options if o.purchase_option == "spot")
    asked = plan.workload.model_copy(
        update={"constraints": plan.workload.constraints.model_copy(update={"purchase": ("spot",)})}
    )
    again = make_plan(asked, load_bundled(), default_assumptions(), today=TODAY)
    assert any(o.choosable for o in again.options if o.purchase_option == "spot")


@pytest.mark.slow
def test_a_hint_always_says_why(plan_of: PlanOf) -> None:
    for name in ("serve-llama-70b", "pretrain-7b", "qlora-llama-8b-notebook", "diffusion-sdxl"):
        assert all(bool(o.not_recommended) != o.choosable for o in plan_of(name).options)


def test_a_commitment_is_paid_to_its_end_whatever_the_job_takes(plan_of: PlanOf) -> None:
    plan = plan_of("lora-llama-8b")
    committed = [o for o in plan.options if o.purchase_option == "reserved_1y"]
    assert committed
    for option in committed:
        assert option.price_usd_per_hour is not None
        assert (
            float(option.timeline.total_usd()) >= option.instance_count * option.price_usd_per_hour * 730 * 12 * 0.999
        )


def test_on_demand_by_hand(plan_of: PlanOf) -> None:
    """8 H100 for 438 hours a month: instances x hours x price, and 200 GB at 0.07 USD a month kept."""
    plan = plan_of("gpu-hours-h100")
    option = next(o for o in plan.options if o.id.startswith("aws/us-east-1/p5.48xlarge/on_demand"))
    assert option.price_usd_per_hour is not None
    assert option.usd_per_month == pytest.approx(438 * option.price_usd_per_hour + 14.0)
    months = np.arange(1, 37)
    assert option.present_value_usd == pytest.approx(option.usd_per_month * float((1.1 ** (-months / 12)).sum()))


def test_list_prices_and_bare_boards_are_no_servers() -> None:
    servers = {server.name: server for server in ownable_servers(default_assumptions())}
    assert servers["8x-H100-SXM-server"].price_usd < 400_000
    assert not any("A100-80GB-SXM" in name for name in servers)
    assert all(server.source and server.price_usd > 0 and server.max_kw > 0 for server in servers.values())


def _street(as_of: str, price: float, **more: Any) -> ServerQuote:
    usual = {
        "name": "s",
        "accelerator": "H100-SXM",
        "accelerator_count": 8,
        "price_kind": "street",
        "source": "by hand",
    }
    return ServerQuote(
        **{**usual, "price_usd": price, "price_low_usd": price, "price_high_usd": price, "as_of": as_of, **more}
    )


@pytest.mark.parametrize(
    ("quotes", "price"),
    [
        ([_street("2026-01", 250.0, status="phased_out"), _street("2026", 320.0)], 320.0),
        ([_street("2026-01", 250.0), _street("2026", 320.0, weak=True)], 250.0),
        ([_street("2025-12", 250.0), _street("2026", 320.0)], 320.0),  # the year begins after December
        ([_street("2026-01", 250.0), _street("2026-09", 320.0, weak=True)], 250.0),
        ([_street("2024-01", 250.0, price_kind="range", weak=True), _street("2023-01", 320.0, weak=True)], 250.0),
        ([_street("2026-01", 250.0), _street("2026-02", 90.0, status="used"), _street("2026-02", 80.0, complete=False)], 250.0),
    ],
)  # fmt: skip
def test_the_newest_firm_price_of_a_server_on_sale_counts(
    quotes: list[ServerQuote], price: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("planner.options.servers.server_quotes", lambda: tuple(quotes))
    found = next(s for s in ownable_servers(default_assumptions()) if s.name == "8x-H100-SXM-server")
    assert found.price_usd == price


def test_a_server_tells_that_its_price_is_a_range_and_what_was_asked_since(monkeypatch: pytest.MonkeyPatch) -> None:
    older = _street("2026-01", 250.0)
    later = _street("2026-09", 320.0, price_kind="range", weak=True, price_low_usd=300.0, price_high_usd=340.0)
    for quotes, words in (
        ((older, later), "asking prices since then: 300 to 340 USD"),
        ((later,), "no firm price: asking prices are 300 to 340"),
    ):
        monkeypatch.setattr("planner.options.servers.server_quotes", lambda quotes=quotes: quotes)
        found = next(s for s in ownable_servers(default_assumptions()) if s.name == "8x-H100-SXM-server")
        assert any(words in note for note in note_texts(found.notes))


@pytest.mark.parametrize(("day", "price"), [(date(2024, 12, 31), 270_480.0), (date(2026, 11, 21), 284_678.39)])
def test_a_server_is_priced_as_of_the_day(day: date, price: float) -> None:
    found = next(s for s in ownable_servers(default_assumptions(), Window(None, day)) if s.name == "8x-H100-SXM-server")
    assert found.price_usd == price


@pytest.mark.parametrize(
    ("servers", "usd"),
    [
        (1, 1_500 + 150 * 10.2),  # one box is a retail deal: 297 USD a kW
        (4, 194.95 * 40.8),  # 40.8 kW: a kW of a larger deal
        (65, 125 * 1000),  # 663 kW at 194.95 would be 129,252 USD: 1,000 kW wholesale are cheaper
        (200, 125 * 2040),
    ],
)
def test_colocation_is_priced_by_the_size_of_the_deal_by_hand(servers: int, usd: float) -> None:
    book = BuyInputs(
        site="colocation", server_price_usd=1.0, server_max_kw=10.2, accelerator_count=8, server_count=servers
    )
    assumptions = default_assumptions().override({"own.lead_time_months": 0}, "test")
    assert float(timelines([book], assumptions, months=12).component_usd("colocation")[0, 1]) == pytest.approx(usd)


def test_a_quotation_for_a_kw_holds_at_any_size_of_deal() -> None:
    book = BuyInputs(site="colocation", server_price_usd=1.0, server_max_kw=10.2, accelerator_count=8)
    assumptions = default_assumptions().override(
        {"own.lead_time_months": 0, "site.colocation.usd_per_kw_month": 350}, "test"
    )
    assert float(timelines([book], assumptions, months=12).component_usd("colocation")[0, 1]) == pytest.approx(3_570)


@pytest.mark.parametrize(("support", "spares"), [(0.12, 0.0), (0.0, 0.05), (0.02, 0.03)])
def test_parts_in_a_support_contract_are_not_paid_twice(support: float, spares: float) -> None:
    """Hardware of 120,000 USD: 12 % of support a year hold its parts; without a contract 5 % of spares are 500 USD a month."""
    book = BuyInputs(site="colocation", server_price_usd=120_000.0, server_max_kw=10.2, accelerator_count=8)
    assumptions = default_assumptions().override(
        {"own.lead_time_months": 0, "site.colocation.support_share_per_year": support}, "test"
    )
    paid = timelines([book], assumptions, months=12)
    assert float(paid.component_usd("support")[0, 1]) == pytest.approx(120_000 * support / 12)
    assert float(paid.component_usd("spares")[0, 1]) == pytest.approx(120_000 * spares / 12)


def test_the_shares_of_resale_are_those_of_the_quotes() -> None:
    assumptions = default_assumptions()
    for point in residual_curve():
        row = assumptions.rows[f"own.resale_after_{point.age_months}_months_share"]
        shares = (point.low_share, point.residual_share, point.high_share)
        assert (row.low, row.value, row.high) == pytest.approx(shares, abs=0.001)


def test_no_two_servers_have_the_same_name() -> None:
    names = [server.name for server in ownable_servers(default_assumptions())]
    assert len(names) == len(set(names))


def _kinds(options: tuple[Option, ...]) -> set[OptionKind]:
    return {option.kind for option in options}


@pytest.mark.slow
def test_rented_owned_hosted_and_processors_stand_in_one_ranking(plan_of: PlanOf) -> None:
    assert {OptionKind.RENT, OptionKind.BUY, OptionKind.API} <= _kinds(plan_of("serve-llama-70b").options)
    assert _kinds(plan_of("embed-10m-documents").options) == set(OptionKind) - {OptionKind.HAVE}


def test_spot_is_planned_with_the_median_of_its_past() -> None:
    catalog = load_bundled()
    offer = next(o for o in catalog.offers if o.interruptible and o.accelerator == "H100-SXM")
    assert planned_price_usd_per_hour(offer) == offer.price_usd_per_hour
    kept = replace(offer, price_median_usd_per_hour=2 * offer.price_usd_per_hour)
    assert planned_price_usd_per_hour(kept) == 2 * offer.price_usd_per_hour
