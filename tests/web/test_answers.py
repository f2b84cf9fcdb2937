"""The processes that plan: they come back after an accident, and they never keep people waiting without a word."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.types import Message

from planner.web import answers
from planner.web.answers import Answer, BusyError, Planners
from planner.web.app import create_app
from pricing.catalog import load_bundled
from pricing.facts.offers import Offer
from pricing.store.database import open_store
from pricing.store.exchange import import_offers
from tests.web.client import GPU_HOURS

LINKS = {"page.css": "assets/page.css"}


def _hang(*_: object) -> Answer:
    import time

    time.sleep(60)
    raise AssertionError


@pytest.mark.slow
def test_a_killed_process_is_replaced_and_the_work_done_again() -> None:
    async def lived() -> Answer:
        planners = Planners(None, LINKS, workers=1)
        try:
            first = await planners.ask("json", GPU_HOURS)
            for pool in planners._processes:
                for process in list(pool._processes.values()):
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


def _hang_if_asked(_store: str | None, _form: str, values: Mapping[str, str], _links: Mapping[str, str]) -> Answer:
    if "hang" in values:
        time.sleep(60)
    return Answer(200, "text/plain", values["name"].encode())


@pytest.mark.slow
def test_a_process_that_hangs_costs_its_own_request_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LONGEST_ANSWER_S", 5.0)
    monkeypatch.setattr(answers, "LONGEST_WAIT_S", 20.0)
    monkeypatch.setattr(answers, "answer", _hang_if_asked)

    async def lived() -> tuple[BaseException | Answer, list[Answer], set[object], set[object]]:
        planners = Planners(None, LINKS, workers=2)
        try:
            hung = asyncio.create_task(planners.ask("json", {"hang": "yes", "name": "h"}))
            before = set[object](planners._processes)
            honest = [await planners.ask("json", {"name": str(number)}) for number in range(3)]
            assert not hung.done()  # they went past the one that hangs
            (late,) = await asyncio.gather(hung, return_exceptions=True)
            return late, honest, before, set[object](planners._processes)
        finally:
            planners.close()

    hung, honest, before, after = asyncio.run(lived())
    assert isinstance(hung, BusyError)
    assert [answer.body for answer in honest] == [b"0", b"1", b"2"]
    assert len(before & after) == 1  # the other process was left alone


def test_who_waits_long_for_a_process_is_told_to_come_again_and_ends_nobodys_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answers, "LONGEST_WAIT_S", 0.05)
    monkeypatch.setattr(answers, "answer", _hang_if_asked)

    async def lived() -> None:
        planners = Planners(None, LINKS, workers=1)
        try:
            first = asyncio.create_task(planners.ask("json", {"hang": "yes", "name": "a"}))
            await asyncio.sleep(0.01)  # it has the process
            with pytest.raises(BusyError):
                await planners.ask("json", {"name": "b"})
            assert not first.done()
        finally:
            planners.close()

    asyncio.run(lived())


def _bug(*_: object) -> Answer:
    raise ZeroDivisionError


@pytest.mark.slow
def test_a_bug_is_a_500_with_the_rules_for_browsers_and_the_next_question_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = create_app(workers=1)
    body = b"kind=gpu_hours&gpu_hours.gpu=h100-sxm&gpu_hours.count=8"
    headers = [(b"host", b"localhost"), (b"content-type", b"application/x-www-form-urlencoded")]

    async def status_of(path: str) -> tuple[int, dict[bytes, bytes]]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
        await app(scope, receive, send)
        return sent[0]["status"], dict(sent[0]["headers"])

    async def lived() -> None:
        app.state.planners = Planners(None, LINKS, workers=1)
        try:
            with monkeypatch.context() as patch:
                patch.setattr(answers, "answer", _bug)
                status, found = await status_of("/plan")
            assert status == 500
            assert b"default-src 'none'" in found[b"content-security-policy"]
            assert (await status_of("/download/plan.csv"))[0] == 200
        finally:
            app.state.planners.close()

    asyncio.run(lived())


def test_the_same_question_asked_by_many_at_once_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "answer", _hang_if_asked)

    async def lived() -> int:
        planners = Planners(None, LINKS, workers=1)
        try:
            asked = [asyncio.create_task(planners.ask("json", {"name": "x"})) for _ in range(20)]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiting = planners.waiting
            assert {answer.body for answer in await asyncio.gather(*asked)} == {b"x"}
            return waiting
        finally:
            planners.close()

    assert asyncio.run(lived()) == 1


@pytest.mark.slow
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
        (imported,) = [
            option
            for option in options
            if (option["instance_type"], option["region"], option["purchase_option"])
            == ("p5.48xlarge", "us-east-1", "on_demand")
        ]
        return float(imported["price_usd_per_hour"])

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


def test_the_page_names_the_nearest_hosted_model_as_the_command_line_does() -> None:
    fields = {"kind": "batch", "model": "mistral-small-24b", "batch.requests": "1000"}
    fields |= {"batch.input_tokens": "500", "batch.output_tokens": "100"}
    record = answers._planned(None, fields, 5)
    assert "nearest in size" in json.dumps(record, default=str)
