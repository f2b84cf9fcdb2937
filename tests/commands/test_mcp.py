"""The commands as tools of the Model Context Protocol: what a real client lists, asks and is told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from planner.commands.mcp import server_of
from tests.conftest import EXAMPLES, ROOT

WORK = {"kind": "gpu_hours", "gpu_hours": {"gpu": "h100-sxm", "count": 8, "hours_per_month": 438}}


def _with_client(server: Any, ask: Callable[[Any], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with Client(server) as client:
            return await ask(client)

    return asyncio.run(run())


def test_a_client_is_told_every_tool_with_the_keys_of_a_workload() -> None:
    tools = {tool.name: tool for tool in _with_client(server_of(), lambda client: client.list_tools()).tools}
    assert set(tools) == {"plan", "estimate", "offers", "breakeven", "usage"}
    assert all(tool.description for tool in tools.values())
    schema = tools["plan"].input_schema
    assert schema["required"] == ["workload"]
    assert {"kind", "model", "serve", "gpu_hours", "constraints"} <= set(schema["$defs"]["Workload"]["properties"])
    assert {"required": ["requests_per_s"]} in schema["$defs"]["Serve"]["anyOf"]


@pytest.mark.slow
def test_a_client_over_standard_input_plans_and_compares() -> None:
    server = StdioServerParameters(command=sys.executable, args=["-m", "planner", "mcp"], cwd=ROOT)

    async def ask(client: Any) -> list[Any]:
        return [
            await client.call_tool("plan", {"workload": WORK, "as_of": "2026-11-21", "option_count": 2}),
            await client.call_tool("estimate", {"workload": {"kind": "serve", "model": "qwen3-32b", "serve": {"requests_per_s": 5, "input_tokens": 1000, "output_tokens": 300}}, "on": "h100-sxm:4"}),
            await client.call_tool("offers", {"gpu": "h100-sxm", "count": 8, "country": ["EU"], "offer_count": 3}),
            await client.call_tool("breakeven", {"scenario": {"rent": {"usd_per_hour": 98.32}, "buy": {"capex_usd": 833806, "opex_usd_per_hour": 0.87}, "use": {"hours_per_day": 24}}}),
            await client.call_tool("usage", {"files": [str(next((EXAMPLES / "usage").glob("*.csv")))]}),
            await client.call_tool("plan", {"workload": {**WORK, "gpu_hours": {"gpu": "banana"}}}),
            await client.call_tool("usage", {"files": ["nowhere.csv"]}),
        ]  # fmt: skip

    plan, estimate, offers, breakeven, usage, wrong, missing = _with_client(server, ask)
    assert plan.structured_content["verdict"]["option_id"] in {
        each["id"] for each in plan.structured_content["options"]
    }
    assert "gpuplan plan gpu_hours --gpu h100-sxm" in plan.structured_content["answer"]
    assert "timelines" not in plan.structured_content
    assert estimate.structured_content["performance"]["tokens_per_s"] > 0
    assert len(offers.structured_content["offers"]) == 3
    assert breakeven.structured_content["breakeven_months"] > 0
    assert not usage.is_error
    assert wrong.is_error
    assert "banana" in wrong.content[0].text
    assert missing.is_error
    assert "nowhere.csv" in missing.content[0].text
