"""The command line: a table of commands, each imported when it is called, so that ``--help`` costs nothing."""

from __future__ import annotations

import gc
import os

import click

from planner import __version__
from pricing.commands.console import LazyGroup
from pricing.commands.runner import run

COMMANDS = {
    "plan": ("planner.commands.plan:plan", "Does it need a GPU, which, how many, where, how to pay, rent or buy?"),
    "estimate": ("planner.commands.estimate:estimate", "How fast and how much memory on one given machine; no money."),
    "breakeven": ("planner.commands.rent_or_buy:breakeven", "Rent against buy from your own prices and hours."),
    "mix": ("planner.commands.mix:mix", "The cheapest mix of owned, committed, spot and on-demand capacity."),
    "usage": ("planner.commands.usage:usage", "GPU hours used, idle and wasted, from a bill or a cluster's records."),
    "traffic": ("planner.commands.traffic:traffic", "A request log as traffic to plan for, or replayed on a fleet."),
    "server": ("planner.commands.rent_or_buy:server", "One owned server against every rental in the catalog."),
    "offers": ("planner.commands.catalog:offers", "Priced offers, filtered and sorted."),
    "providers": ("planner.commands.catalog:providers", "Who is in the catalog: tier, rating, age of prices."),
    "gpus": ("planner.commands.facts:gpus", "Accelerator facts with their sources."),
    "models": ("planner.commands.facts:models", "Models known by name, or one by its config.json."),
    "assumptions": ("planner.commands.facts:assumptions", "Every assumption with its range and source."),
    "prices": ("pricing.commands.prices:prices", "Gather prices; see how old they are and what changed."),
    "report": ("planner.commands.saved:report", "A plan's JSON in another format, without planning again."),
    "launch": ("planner.commands.plan:launch", "The verdict as a command line, manifest or task that you can run."),
    "diff": ("planner.commands.saved:diff", "What changed between two plans; exit status 7 when the verdict did."),
    "web": ("planner.commands.web:web", "The same planner as a local web page."),
    "mcp": ("planner.commands.mcp:mcp", "The commands as tools for assistants (Model Context Protocol)."),
    "verify": ("planner.commands.verify:verify", "This program's predictions against measured rows."),
    "init": ("planner.commands.files:init", "A commented workload file to start from."),
    "schema": ("planner.commands.files:schema", "JSON Schema of the files, for editors and scripts."),
}


START = """Which GPU, where, and rent or buy? Ask in one line:

  gpuplan plan serve --model llama-3.1-70b --rps 20 --in 1000 --out 300
  gpuplan plan finetune --model llama-3.1-8b --method lora --tokens 50M
  gpuplan plan gpu_hours --gpu h100-sxm --count 8 --hours 438

gpuplan plan serve --help   every option of a kind of work
gpuplan --help              all commands"""


@click.group(
    cls=LazyGroup,
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start: gpuplan plan serve --model llama-3.1-70b --rps 20 --in 1000 --out 300",
    invoke_without_command=True,
)
@click.version_option(__version__, prog_name="gpuplan")
@click.pass_context
def gpuplan(ctx: click.Context) -> None:
    """Plan a GPU workload: which GPU, how many, where, how to pay, and whether to rent or buy.

    Every price has a date and a source, every speed a range, and every assumption can be changed. Only `gpuplan prices refresh`
    uses the network.
    """
    if ctx.invoked_subcommand is None:
        click.echo(START)


def main(args: list[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    # Looking for plug-ins of pydantic in every installed package takes longer than a plan's own models; whoever wants them names them.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # The matrices of a plan are small: starting threads for them, which then wait in a loop, takes longer than the products.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A plan makes a hundred thousand objects that live until its end: looking at them again and again takes a tenth of its time.
    gc.set_threshold(200_000)
    status = run(gpuplan, args)
    if args is None:
        gc.freeze()  # the process ends: nothing is searched for cycles once more
    return status
