"""RunPod on the loopback: one GraphQL question."""

from __future__ import annotations

import json
from pathlib import Path

from tests.loopback.server import Answer, Ask, LoopbackServer

FIXTURES = Path(__file__).parent.parent / "fixtures" / "runpod"


class RunpodCloud(LoopbackServer):
    def __init__(self) -> None:
        super().__init__()
        self.types = json.loads((FIXTURES / "gpu_types.json").read_text())["data"]["gpuTypes"]

    def settings(self) -> dict[str, str]:
        return {"GPUPLAN_RUNPOD_URL": self.url}

    def answer(self, ask: Ask) -> Answer:
        query = json.loads(ask.body)["query"]
        if ask.path != "/graphql" or "gpuTypes" not in query:
            return Answer.json({"errors": [{"message": "Cannot query field"}]}, 400)
        return Answer.json({"data": {"gpuTypes": self.types}})
