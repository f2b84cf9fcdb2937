"""Lambda on the loopback: one list."""

from __future__ import annotations

import json
from pathlib import Path

from tests.loopback.server import Answer, Ask, LoopbackServer

FIXTURES = Path(__file__).parent.parent / "fixtures" / "lambda"


class LambdaCloud(LoopbackServer):
    def __init__(self) -> None:
        super().__init__()
        self.types = json.loads((FIXTURES / "instance_types.json").read_text())["data"]

    def settings(self) -> dict[str, str]:
        return {"GPUPLAN_LAMBDA_URL": self.url}

    def answer(self, ask: Ask) -> Answer:
        if not ask.headers.get("Authorization", "").startswith("Bearer "):
            return Answer.json({"error": {"code": "global/invalid-api-key"}}, 401)
        if ask.path == "/api/v1/instance-types":
            return Answer.json({"data": self.types})
        return Answer.json({"error": {"code": "global/not-found"}}, 404)
