"""``gpuplan mcp``: the commands as tools for assistants, over standard input and output."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import click
from pydantic import Field

from planner.commands.options import store_option
from planner.demand.workload import Workload
from planner.scenario.schema import Scenario
from pricing.commands.console import Talk, common_options

if TYPE_CHECKING:
    from mcp.server import MCPServer

    from planner.report.schema.plan import PlanRecord


LONGEST_ANSWER_S = 300.0
MOST_OFFERS = 100
LEFT_OUT = ("timelines", "assumptions", "sensitivity", "price_history", "funnel", "notes")
"""Parts of a plan's JSON that an assistant gets only when it asks for everything."""
INSTRUCTIONS = (
    "Plans GPU workloads: which GPU, how many, where, how to pay, rent or buy. Ask `plan` first. Prices have a date; say it with the price. "
    "The answers come from stored prices; nothing is looked up on the network."
)


@click.command()
@store_option
@common_options
def mcp(store_uri: str | None, talk: Talk) -> None:
    """Serve plan, estimate, offers, breakeven and usage as tools of the Model Context Protocol, over standard input and output.

    Add it to an assistant as a server with the command `gpuplan mcp`.
    """
    del talk
    server_of(store_uri).run("stdio")


def server_of(store_uri: str | None = None) -> MCPServer:
    """Return the server with its tools.

    Parameters
    ----------
    store_uri : str, optional
        Where prices are kept.
    """
    from mcp.server import MCPServer
    from mcp_types import ToolAnnotations

    from planner import __version__

    server = MCPServer("gpuplan", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING")
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    for tool in _tools(["--store", store_uri] if store_uri else []):
        server.add_tool(tool, annotations=reads)
    return server


def _tools(store: Sequence[str]) -> tuple[Callable[..., Any], ...]:
    """Return the tools; their annotations are their JSON schemas, their first lines what assistants read."""

    async def plan(
        workload: Workload,
        as_of: Annotated[str | None, Field(description="Answer as of that day, YYYY-MM-DD.")] = None,
        option_count: Annotated[int, Field(ge=1, le=50, description="Options to list besides the verdict.")] = 5,
        everything: Annotated[bool, Field(description="All parts of the plan, not only the answer.")] = False,
    ) -> dict[str, Any]:
        """Say which GPU a workload needs, how many, where, how to pay, and whether to rent or buy; with costs and why."""
        record: Any = await _asked(
            ["plan", "-", "--top", str(option_count), *store, *(["--as-of", as_of] if as_of else [])], _typed(workload)
        )
        answer = {"answer": _short_answer(record)}
        return answer | {key: value for key, value in record.items() if everything or key not in LEFT_OUT}

    async def estimate(
        workload: Workload,
        on: Annotated[
            str, Field(description="The machine: h100-sxm:8, 2xL40S, RTX 4090, or a cloud's type such as p5.48xlarge.")
        ],
    ) -> dict[str, Any]:
        """Show how fast a workload runs on one given machine, what limits it, and what fills the memory; no money."""
        return await _asked(["estimate", "-", f"--on={on}"], _typed(workload))

    async def offers(
        gpu: Annotated[str | None, Field(description="Accelerator by any of its names.")] = None,
        count: Annotated[int | None, Field(ge=0, description="Accelerators in one instance, exactly.")] = None,
        country: Annotated[
            list[str] | None, Field(description="Countries (DE), continents or groups (EU, APAC).")
        ] = None,
        provider: Annotated[list[str] | None, Field(description="Sellers.")] = None,
        purchase: Annotated[list[str] | None, Field(description="on_demand, spot, reserved_1y and so on.")] = None,
        max_usd_per_hour: Annotated[float | None, Field(gt=0, description="Highest price of the instance.")] = None,
        offer_count: Annotated[
            int, Field(ge=1, le=MOST_OFFERS, description="Offers to list, the cheapest first.")
        ] = 20,
    ) -> dict[str, Any]:
        """List priced offers of GPU machines, the cheapest first, each with the date and source of its price."""
        words = ["offers", "--top", str(offer_count), *store]
        for option, value in (("gpu", gpu), ("count", count), ("max-usd-per-hour", max_usd_per_hour)):
            words += [f"--{option}={value}"] if value is not None else []
        for option, values in (("country", country), ("provider", provider)):
            words += [f"--{option}={value}" for value in values or ()]
        return await _asked([*words, *([f"--purchase={','.join(purchase)}"] if purchase else [])])

    async def breakeven(scenario: Scenario) -> dict[str, Any]:
        """Say from which month, use and rent on owning is cheaper than renting, from prices and hours that the user states."""
        answer = await _asked(["breakeven", "-"], _typed(scenario))
        for side in ("rent", "buy"):
            if isinstance(answer.get(side), dict):
                answer[side].pop("by_month", None)
        return answer

    async def usage(
        files: Annotated[
            list[str], Field(min_length=1, description="Bills or a cluster's records, by their paths here.")
        ],
    ) -> dict[str, Any]:
        """Sum up GPU hours used, idle and wasted, and their cost, from FOCUS exports, Slurm records or DCGM samples."""
        return await _asked(["usage", "--", *files] if any(f.startswith("-") for f in files) else ["usage", *files])

    return plan, estimate, offers, breakeven, usage


def _typed(stated: Workload | Scenario) -> str:
    """Return what was stated, as the file that the command reads."""
    return json.dumps(stated.model_dump(mode="json", exclude_unset=True, exclude_none=True))


async def _asked(words: Sequence[str], stdin: str = "") -> dict[str, Any]:
    """Return a command's JSON; it runs in a process of its own, since this one's output belongs to the protocol.

    Raises
    ------
    ToolError
        What has to be mended, as the command says it.
    """
    from mcp.server.mcpserver.exceptions import ToolError

    command, *rest = words
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "planner", command, "--format", "json", "--quiet", *rest),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(stdin.encode()), LONGEST_ANSWER_S)
    except TimeoutError:
        raise ToolError(f"no answer within {LONGEST_ANSWER_S:g} seconds") from None
    finally:
        if process.returncode is None:
            process.kill()
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        raise ToolError(f"gpuplan {command} ended with exit status {process.returncode} and no answer") from None
    if fault := answer.get("error"):
        raise ToolError("\n".join(str(fault[key]) for key in ("where", "message", "hint") if fault.get(key)))
    return answer


def _short_answer(record: PlanRecord) -> str:
    """Return the answer that a terminal shows."""
    import io

    from rich.console import Console

    from planner.report.short import short_answer
    from planner.report.terminal import render_short

    buffer = io.StringIO()
    render_short(short_answer(record), Console(file=buffer, width=100, no_color=True))
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())
