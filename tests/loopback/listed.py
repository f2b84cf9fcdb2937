"""Clouds that answer from a file: ``tests/fixtures/NAME/cloud.json`` holds all that they say.

``settings`` are the endpoint settings (a value is what follows this cloud's address; one that needs no address is whole);
``header`` is what a question has to bring, ``answers`` are paths with their query and the body of the answer: the one that fits
a question most closely is given. ``case`` is how the conformance suite makes it misbehave (`tests.pricing.providers.test_conformance.listed`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.loopback.recorded import moved
from tests.loopback.server import Answer, Ask, LoopbackServer

FIXTURES = Path(__file__).parent.parent / "fixtures"


class ListedCloud(LoopbackServer):
    name = ""

    def __init__(self) -> None:
        super().__init__()
        self.told = json.loads((FIXTURES / self.name / "cloud.json").read_text())

    def settings(self) -> dict[str, str]:
        addresses = {name: self.url + path for name, path in self.told["settings"].items()}
        rates = {name: f"{rate}@{moved(day)[:10]}" for name, (rate, day) in self.told.get("rates", {}).items()}
        return addresses | rates

    def body(self, ask: str) -> Any:
        """Return the body of one answer, to be changed."""
        return next(answer["body"] for answer in self.told["answers"] if answer["ask"] == ask)

    def answer(self, ask: Ask) -> Answer:
        if (header := self.told.get("header")) and header.lower() not in {name.lower() for name in ask.headers}:
            return Answer.json({"message": "no credentials"}, 401)
        wanted = ask.query | (json.loads(ask.body) if ask.body else {})
        fitting = [answer for answer in self.told["answers"] if _fits(answer["ask"], ask.path, wanted)]
        if not fitting:
            return Answer.json({"message": f"nothing at {ask.path}"}, 404)
        return Answer.json(max(fitting, key=lambda answer: len(answer["ask"]))["body"])


def _fits(told: str, path: str, wanted: dict[str, Any]) -> bool:
    split = urlsplit(told)
    needed = {name: values[-1] for name, values in parse_qs(split.query).items()}
    return split.path == path and all(_value(wanted.get(name)) == value for name, value in needed.items())


def _value(value: Any) -> str:
    """Return what a query says of a field; a body says it as ``{"eq": value}``."""
    return str(value["eq"] if isinstance(value, dict) else value)


def listed() -> dict[str, type[ListedCloud]]:
    """Return the clouds of all fixture folders that hold one."""
    names = sorted(path.parent.name for path in FIXTURES.glob("*/cloud.json"))
    return {name: type(f"Listed_{name}", (ListedCloud,), {"name": name}) for name in names}
