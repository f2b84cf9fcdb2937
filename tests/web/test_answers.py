"""The processes that plan: they come back after an accident, and they never keep people waiting without a word."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from planner.web import answers
from planner.web.answers import Answer, BusyError, Planners
from pricing.catalog import load_bundled
from pricing.offers import Offer
from pricing.store.exchange import import_offers
from pricing.store.open import open_store
from tests.web.client import GPU_HOURS

LINKS = {"page.css": "assets/page.css"}


def _hang(*_: object) -> Answer:
    import time

    time.sleep(60)
    raise AssertionError


def test_a_killed_process_is_replaced_and_the_work_done_again() -> None:
    async def lived() -> Answer:
        planners = Planners(None, LINKS, workers=1)
        try:
            first = await planners.ask("json", GPU_HOURS)
            for process in list(planners._pool._processes.values()):
                os.kill(process.pid or 0, signal.SIGKILL)
            second = await planners.ask("json", {**GPU_HOURS, "gpu_hours.count": "4"})
            assert first.body != second.body
            return second
        finally:
            planners.close()

    assert asyncio.run(lived()).status == 200


def test_the_same_question_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def counted(self: Planners, form: str, values: Mapping[str, str]) -> Answer:
        asked.append(form)
        return Answer(200 if form == "json" else 422, "text/plain", b"x")

    monkeypatch.setattr(Planners, "_run", counted)

    async def lived() -> None:
        planners = Planners(None, LINKS, remembered=1)
        for form in ("json", "json", "md", "md"):
            await planners.ask(form, {})
        planners.close()

    asyncio.run(lived())
    assert asked == ["json", "md", "md"]


def test_too_many_who_wait_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(self: Planners, form: str, values: Mapping[str, str]) -> Answer:
        await asyncio.sleep(0.05)
        return Answer(200, "text/plain", b"x")

    monkeypatch.setattr(Planners, "_run", slow)

    async def lived() -> list[object]:
        planners = Planners(None, LINKS, most_waiting=2)
        try:
            return list(
                await asyncio.gather(*(planners.ask("json", {"a": str(i)}) for i in range(4)), return_exceptions=True)
            )
        finally:
            planners.close()

    found = asyncio.run(lived())
    assert [isinstance(each, BusyError) for each in found] == [False, False, True, True]


def test_a_process_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LONGEST_ANSWER_S", 1.0)
    monkeypatch.setattr(answers, "answer", _hang)

    async def lived() -> None:
        planners = Planners(None, LINKS, workers=1)
        try:
            with pytest.raises(BusyError):
                await planners.ask("json", GPU_HOURS)
        finally:
            planners.close()

    asyncio.run(lived())


def test_prices_that_a_refresh_has_brought_are_seen_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LOOK_EVERY_S", 0.0)
    uri = str(tmp_path / "prices.duckdb")

    def offers(price: float) -> list[Offer]:
        (chosen,) = [
            offer
            for offer in load_bundled().offers
            if (offer.instance_type, offer.region, offer.purchase_option) == ("p5.48xlarge", "us-east-1", "on_demand")
        ]
        return [replace(chosen, price_usd_per_hour=price, price_parts=())]

    import_offers(open_store(uri), offers(50.0), "first")

    async def price(planners: Planners) -> float:
        found = await planners.ask("json", GPU_HOURS)
        options = json.loads(found.body)["options"]
        return min(float(o["price_usd_per_hour"]) for o in options if o["instance_type"] == "p5.48xlarge")

    async def lived() -> None:
        planners = Planners(uri, LINKS, workers=1)
        try:
            assert await price(planners) == 50.0
            import_offers(open_store(uri), offers(51.0), "second")
            await price(planners)  # this one has the store looked at
            assert planners._looking is not None
            await planners._looking
            assert await price(planners) == 51.0
        finally:
            planners.close()

    asyncio.run(lived())
