"""The web app in a real browser: type, plan, drag, download; no one else is asked, nothing is complained of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed")
from tests.report.browser import OUTPUT, needs_chromium, opened

pytestmark = [pytest.mark.slow, needs_chromium]
AXE = Path(__file__).parents[1] / "assets" / "axe" / "axe.min.js"


def test_a_workload_is_typed_planned_played_with_and_downloaded(address: str) -> None:
    with opened(address) as seen:
        page = seen.page
        page.get_by_role("link", name="plain GPU hours").click()
        page.get_by_label("Hours per month").fill("700")
        page.screenshot(path=OUTPUT / "web-form.png", full_page=True)
        page.get_by_role("button", name="Plan", exact=True).click()
        page.wait_for_selector("#headline")
        page.wait_for_selector("html[data-ready]")
        planned = page.text_content("#headline")
        page.locator("#price").focus()
        page.keyboard.press("End")
        page.wait_for_timeout(200)
        assert page.text_content("#headline") == planned  # the sliders try values, the verdict stays the plan's
        assert "With these values" in str(page.text_content("#live"))
        page.screenshot(path=OUTPUT / "web-plan.png", full_page=True)
        with page.expect_download() as waiting:
            page.get_by_role("button", name="Data (.json)").click()
        record = json.loads(Path(waiting.value.path()).read_text(encoding="utf-8"))
        assert record["verdict"]["headline"] == planned
        assert record["workload"]["gpu_hours"]["hours_per_month"] == 700
        assert all(url.startswith((address, "blob:", "data:")) for url in seen.requests)
        assert seen.complaints == []


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_form_and_plan_are_accessible(look: str, address: str) -> None:
    with opened(f"{address}/?kind=gpu_hours", width=390 if look == "phone" else 1280, dark=look == "dark") as seen:
        for step in ("form", "plan"):
            if step == "plan":
                seen.page.get_by_role("button", name="Plan", exact=True).click()
                seen.page.wait_for_selector("html[data-ready]")
            seen.page.evaluate(f"{AXE.read_text(encoding='utf-8')}; null")
            found = seen.page.evaluate("axe.run()")
            assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
            sideways = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert seen.page.evaluate(sideways) <= 0
            seen.page.screenshot(path=OUTPUT / f"web-{step}-{look}.png")


def test_it_works_without_a_script(address: str) -> None:
    with opened(f"{address}/?kind=gpu_hours", script=False) as seen:
        seen.page.get_by_role("button", name="Plan", exact=True).click()
        assert "Rent" in (seen.page.text_content("h1") or "")


def test_a_fault_is_told_beside_what_was_typed(address: str) -> None:
    with opened(f"{address}/?kind=gpu_hours") as seen:
        seen.page.get_by_label("GPU", exact=True).fill("<script>alert(1)</script>")
        seen.page.get_by_role("button", name="Plan", exact=True).click()
        assert "script" in (seen.page.get_by_role("alert").text_content() or "")
        assert seen.page.get_by_label("GPU", exact=True).input_value() == "<script>alert(1)</script>"
