"""One 8x H100 server in colocation, worked by hand, against rents that people quote."""

from __future__ import annotations

import pytest

from planner.assumptions import Assumptions, default_assumptions
from planner.costs.breakeven import utilisation_curve
from planner.costs.owned_against_rents import own_usd_per_gpu_hour, rivals
from planner.costs.timeline import Timeline
from planner.report.notes import note_text
from tests.published.owning import buy_timeline, ownership_terms
from tests.published.renting import rent_timeline

MONTHS = 36
RATE = 0.10

ASSUMPTIONS = default_assumptions().override(
    {
        "own.idle_power_share": 0.25,
        "own.busy_power_share": 0.75,
        "own.spares_share_per_year": 0.05,
        "own.software_usd_per_gpu_year": 0,
        "own.gpus_per_fte": 64,
        "own.fte_usd_per_year": 200_000,
        "own.install_share": 0,
        "own.selling_cost_share": 0.10,
        "own.resale_after_36_months_share": 0.30,
        "site.colocation.electricity_usd_per_kwh": 0.146,
        "site.colocation.pue_ratio": 1.42,
        "site.colocation.usd_per_kw_month": 194.95,
        "site.colocation.support_share_per_year": 0.12,
        "site.colocation.staff_floor_fte": 0.10,
        "site.colocation.staff_share": 1,
    },
    "worked example",
)


def server(assumptions: Assumptions = ASSUMPTIONS, share: float = 1.0) -> Timeline:
    return buy_timeline(
        server_price_usd=320_000,
        accelerator_count=8,
        server_max_kw=10.2,
        server_count=1,
        busy_share=share,
        useful_gpu_hours_per_month=5840 * share,
        months=MONTHS,
        terms=ownership_terms(assumptions, "colocation"),
    )


def test_a_month_of_owning_is_the_sum_of_its_lines_by_hand() -> None:
    lines = {
        # 10.2 kW x 0.25 x 1.42 x 730 h x 0.146 USD, and twice that more when working
        "idle_power": 10.2 * 0.25 * 1.42 * 730 * 0.146,
        "busy_power": 10.2 * 0.50 * 1.42 * 730 * 0.146,
        "colocation": 10.2 * 194.95,
        "staff": 8 / 64 * 200_000 / 12,  # an eighth of a person, above the floor of a tenth
        "support": 320_000 * 0.12 / 12,
        "spares": 0.0,  # parts are in the support contract
    }
    own = server()
    assert {name: float(own.component_usd(name)[1]) for name in lines} == pytest.approx(lines)
    assert float(own.by_month_usd()[1]) == pytest.approx(sum(lines.values())) == pytest.approx(8429.3, abs=0.5)
    assert float(own.component_usd("resale")[36]) == pytest.approx(-320_000 * 0.30 * 0.90)


def test_an_hour_of_an_always_busy_gpu_by_hand() -> None:
    # (320,000 - 86,400 / 1.1^3) / 31.29 discounted months + 8,429 a month, over 5,840 GPU hours
    annuity = (1 - 1.1**-3) / (1.1 ** (1 / 12) - 1)
    by_hand = ((320_000 - 86_400 / 1.1**3) / annuity + 8429.3) / 5840
    found = float(own_usd_per_gpu_hour(server(), gpu_count=8, discount_rate_share_per_year=RATE))
    assert found == pytest.approx(by_hand, rel=1e-4)
    assert found == pytest.approx(2.84, abs=0.01)


def test_against_a_list_price_owning_wins_from_a_fifth_of_the_time_and_against_a_cheap_rent_never() -> None:
    dear, cheap = rivals(server(), [12.29, 2.49], gpu_count=8, discount_rate_share_per_year=RATE)
    # Hardware 8,152 USD and 7,657 a month whatever the use; of an hour's rent of 98.32 USD power takes 1.06.
    assert dear.utilisation_share == pytest.approx((8_152 + 8_429 - 772) / (730 * 98.32 - 772), abs=0.001)
    # 320,000 / (8 x 730 x 12.29 - 8,429) = 5.05 months, and a little more in present values.
    assert dear.full_use_month == pytest.approx(5.18, abs=0.02)
    assert (cheap.utilisation_share, cheap.full_use_month) == (None, None)
    assert "2.84" in note_text(cheap.because)
    assert "2.49" in note_text(cheap.because)


@pytest.mark.parametrize("price", [12.29, 6.88, 3.99])
def test_the_share_of_equal_cost_makes_both_sides_cost_the_same(price: float) -> None:
    (rival,) = rivals(server(), [price], gpu_count=8, discount_rate_share_per_year=RATE)
    share = rival.utilisation_share
    assert share is not None
    rent = rent_timeline(
        price_usd_per_hour=8 * price,
        instance_count=1,
        paid_hours_per_month=730 * share,
        useful_gpu_hours_per_month=5840 * share,
        months=MONTHS,
    )
    assert float(rent.present_value_usd(RATE)) == pytest.approx(float(server(share=share).present_value_usd(RATE)))


def test_the_curve_falls_with_use_and_meets_the_rent_at_the_share_of_equal_cost() -> None:
    rent = rent_timeline(
        price_usd_per_hour=8 * 6.88,
        instance_count=1,
        paid_hours_per_month=438,
        useful_gpu_hours_per_month=3504,
        months=MONTHS,
    )
    (rival,) = rivals(server(), [6.88], gpu_count=8, discount_rate_share_per_year=RATE)
    assert rival.utilisation_share is not None
    points = utilisation_curve(
        rent,
        server(share=0.6),
        utilisation_share=0.6,
        price_usd_per_hour=8 * 6.88,
        discount_rate_share_per_year=RATE,
        shares=(0.1, rival.utilisation_share, 0.6, 1.0),
    )
    prices = [point.breakeven_usd_per_hour for point in points]
    assert prices == sorted(prices, key=lambda price: -(price or 0))
    assert prices[1] == pytest.approx(8 * 6.88)
    assert points[0].breakeven_month is None
    assert points[1].buy_usd_per_used_hour == pytest.approx(points[1].rent_usd_per_used_hour)
    months = [point.breakeven_month for point in points[2:]]
    assert months[0] is not None
    assert months[1] is not None
    assert months[1] < months[0]
