"""The page in a real browser: it is silent, it asks for nothing, its sliders follow the planner to the cent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.plan import Plan
from planner.report.chart_rows import equal_price_rows
from planner.report.headline import headline
from planner.report.live import Inputs, Live, crossing_month
from planner.report.page.document import page
from planner.report.record import plan_record
from planner.report.schema.plan import PlanRecord

pytest.importorskip("playwright", reason="Playwright is not installed")
from tests.report.browser import OUTPUT, needs_chromium, opened

pytestmark = [pytest.mark.slow, needs_chromium]
AXE = Path(__file__).parents[1] / "assets" / "axe" / "axe.min.js"
SLIDERS = ["needed", "horizon", "price", "electricity", "resale"]


def written(record: PlanRecord, folder: Path) -> str:
    path = folder / "plan.html"
    path.write_text(page(record), encoding="utf-8")
    return path.as_uri()


def drawn(browser: Any) -> None:
    browser.wait_for_selector("html[data-ready]")


def move(browser: Any, values: dict[str, float]) -> None:
    browser.evaluate(
        """values => { for (const [id, value] of Object.entries(values)) {
            const input = document.getElementById(id);
            input.value = value;
            input.dispatchEvent(new Event("input", { bubbles: true }));
        } }""",
        values,
    )
    browser.wait_for_timeout(150)


@pytest.mark.parametrize(
    ("name", "look"),
    [
        ("serve-llama-70b-office", "light"),
        ("serve-llama-70b-office", "dark"),
        ("serve-llama-70b-office", "phone"),
        ("pretrain-7b", "light"),
        ("qlora-llama-8b-notebook", "light"),
        ("serve-small-cpu", "phone"),
    ],
)
def test_the_page_is_silent_asks_for_nothing_and_is_accessible(
    name: str, look: str, plan_of: Callable[[str], Plan], tmp_path: Path
) -> None:
    address = written(plan_record(plan_of(name)), tmp_path)
    with opened(address, width=390 if look == "phone" else 1280, dark=look == "dark") as seen:
        drawn(seen.page)
        seen.page.screenshot(path=OUTPUT / f"page-{name}-{look}.png", full_page=True)
        assert seen.requests == [address]
        assert seen.complaints == []
        sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert seen.page.evaluate(sideways) <= 0
        seen.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = seen.page.evaluate("axe.run()")
        assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
        assert found["passes"]


def test_the_page_says_what_the_planner_says_before_a_slider_is_moved(
    plan_of: Callable[[str], Plan], tmp_path: Path
) -> None:
    for name in ("serve-llama-70b-office", "gpu-hours-h100", "serve-small-cpu"):
        plan = plan_of(name)
        with opened(written(plan_record(plan), tmp_path)) as seen:
            drawn(seen.page)
            ours = seen.page.evaluate(
                "(() => { const i = gpuplan.read(), c = gpuplan.allCosts(i); return gpuplan.headline(gpuplan.choose(c, i), c, i) })()"
            )
            assert headline(plan).startswith(ours)  # age and confidence are of the plan as it was made


def test_moved_sliders_show_what_the_planner_computes_for_them(plan_of: Callable[[str], Plan], tmp_path: Path) -> None:
    record = plan_record(plan_of("serve-llama-70b-office"))
    live = Live(record)
    pair = live.pair()
    assert pair is not None
    rent, own = pair
    grid = [
        {"needed": needed, "horizon": horizon, "price": price, "electricity": electricity, "resale": resale}
        for needed, horizon, price, electricity, resale in (
            (20, 36, 3.75, 0.146, 1.0),
            (100, 60, 12.0, 0.05, 1.3),
            (64.5, 12, 1.5, 0.4, 0.5),
            (90, 1, 9.0, 0.3, 0.0),
            (1, 48, 14.0, 0.0, 0.8),
        )
    ]
    with opened(written(record, tmp_path)) as seen:
        drawn(seen.page)
        for values in grid:
            move(seen.page, values)
            inputs, theirs = seen.page.evaluate(
                """() => { const i = gpuplan.read(), costs = gpuplan.allCosts(i);
                const rows = gpuplan.equalRows(costs.get(i.rent), costs.get(i.own), i.price, i.needed);
                return [i, { today: Object.fromEntries([...costs].map(([id, cost]) => [id, cost.today])),
                    choice: gpuplan.choose(costs, i).id, month: gpuplan.crossing(costs.get(i.rent), costs.get(i.own)), rows }] }"""
            )
            assert inputs["horizon"] == values["horizon"]
            assert inputs["price"] == pytest.approx(values["price"], rel=0.02)
            assumptions = live.assumptions | {
                "site.colocation.electricity_usd_per_kwh": inputs["electricity"],
                **{
                    name: value * inputs["resale"]
                    for name, value in live.assumptions.items()
                    if name.startswith("own.resale_after_")
                },
            }
            chosen = Inputs(
                horizon_months=inputs["horizon"],
                use_ratio=inputs["needed"] / own["needed_share"],
                price_usd_per_hour={rent["id"]: inputs["price"]},
            )
            costs = live.costs(chosen, assumptions)
            assert theirs["today"] == pytest.approx({key: c.present_value_usd for key, c in costs.items()}, abs=0.005)
            assert theirs["choice"] == live.choice(costs, chosen, assumptions)
            assert theirs["month"] == pytest.approx(crossing_month(costs[rent["id"]], costs[own["id"]]), abs=1e-6)
            ours = equal_price_rows(costs[rent["id"]], costs[own["id"]], inputs["price"], inputs["needed"])
            assert [row["usd_per_hour"] for row in theirs["rows"]] == pytest.approx([r["usd_per_hour"] for r in ours])


def test_the_keyboard_moves_the_verdict_and_a_button_takes_it_back(
    plan_of: Callable[[str], Plan], tmp_path: Path
) -> None:
    plan = plan_of("gpu-hours-h100")
    with opened(written(plan_record(plan), tmp_path)) as seen:
        drawn(seen.page)
        slider = seen.page.locator("#price")
        slider.focus()
        seen.page.keyboard.press("End")
        seen.page.wait_for_timeout(200)
        moved = seen.page.text_content("#live")
        assert moved
        assert "pays off from month" in moved
        assert moved.startswith("With these values: ")
        assert seen.page.text_content("#headline") == headline(plan)  # the verdict is the plan's, whatever is tried
        seen.page.screenshot(path=OUTPUT / "page-moved.png")
        seen.page.click("#reset")
        assert not str(seen.page.text_content("#live")).startswith("With these values")


def test_tables_sort_and_print_shows_everything(plan_of: Callable[[str], Plan], tmp_path: Path) -> None:
    with opened(written(plan_record(plan_of("gpu-hours-h100")), tmp_path)) as seen:
        drawn(seen.page)
        column = "[...document.querySelectorAll('#table-0 tbody tr')].map(r => parseFloat(r.cells[4].textContent.replace(/,/g, '')))"
        button = seen.page.locator("#table-0 thead th").nth(4).locator("button")
        button.click()
        rising = seen.page.evaluate(column)
        assert rising == sorted(rising)
        button.click()
        assert seen.page.evaluate(column) == sorted(rising, reverse=True)
        seen.page.pdf(path=OUTPUT / "page.pdf", print_background=False)
        assert seen.page.evaluate("[...document.querySelectorAll('details')].every(each => each.open)")


def test_the_page_reads_without_scripts(plan_of: Callable[[str], Plan], tmp_path: Path) -> None:
    plan = plan_of("gpu-hours-h100")
    with opened(written(plan_record(plan), tmp_path), script=False) as seen:
        assert seen.page.text_content("h1") == headline(plan)
        assert seen.page.is_hidden("#controls")
        assert seen.page.locator("#table-0 tbody tr").count() > 5
