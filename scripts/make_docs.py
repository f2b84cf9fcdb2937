#!/usr/bin/env python3
"""Write the generated pages anew: the command reference, the assumptions, the accuracy, the sensitivity, the example in the README.

usage: scripts/make_docs.py [--check]     (--check writes nothing and exits 1 where a page is stale)
"""

from __future__ import annotations

import argparse
import io
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from planner.demand.workload import Workload

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SERVER_LINES = 15
README_COMMAND = "gpuplan plan serve --model llama-3.1-70b --rps 20 --in 1000 --out 300 --ttft 1000 --tpot 50"


def commands_page() -> str:
    """Return the reference of all commands, from their own help."""
    import click

    from planner.cli import COMMANDS, gpuplan

    parts = [
        "# Commands",
        (
            "Made by `scripts/make_docs.py` from the program's own help. Options go before environment variables (`GPUPLAN_*`),\n"
            "these before `gpuplan.toml` in the folder, this before the user's config folder."
        ),
    ]
    root = click.Context(gpuplan, info_name="gpuplan")
    for name in COMMANDS:
        command = gpuplan.get_command(root, name)
        if command is None:
            continue
        parts.append(f"## gpuplan {name}\n\n```text\n{_help(command, root, name)}\n```")
        if isinstance(command, click.Group):
            inner = click.Context(command, info_name=name, parent=root)
            for sub in command.list_commands(inner):
                child = command.get_command(inner, sub)
                if child is not None:
                    parts.append(f"### gpuplan {name} {sub}\n\n```text\n{_help(child, inner, sub)}\n```")
    return "\n\n".join(parts) + "\n"


def _help(command: object, parent: object, name: str) -> str:
    import click

    assert isinstance(command, click.Command)
    assert isinstance(parent, click.Context)
    context = click.Context(command, info_name=name, parent=parent, terminal_width=100, max_content_width=100)
    return command.get_help(context).rstrip()


def assumptions_page() -> str:
    """Return the table of all assumptions."""
    from planner.assumptions import default_assumptions, value_text

    lines = [
        "# Assumptions",
        "",
        "Made by `scripts/make_docs.py` from `planner/facts/assumptions.csv`. Change one with `--set NAME=VALUE`, many with",
        "`--assumptions FILE`. *Weak*: second-hand, or our own judgment; look at these first.",
        "",
        "| name | value | unit | range | source | as of | |",
        "| --- | ---: | --- | --- | --- | --- | --- |",
    ]
    for name, row in sorted(default_assumptions().rows.items()):
        spread = "" if row.low == row.high else f"{row.low:g} to {row.high:g}"
        source = (row.source + (f"; {row.notes}" if row.notes else "")).replace("|", "\\|")
        unit = " or ".join(row.choices) or row.unit
        lines.append(
            f"| `{name}` | {value_text(row.value, row.unit)} | {unit} | {spread} | {source} | {row.as_of} | {'weak' if row.weak else ''} |"
        )
    return "\n".join(lines) + "\n"


def readme_question() -> tuple[Workload, date]:
    """Return the question of the README, and the day on which it is asked."""
    from datetime import date

    from planner.demand.workload import Workload

    limits = {"ttft_limit_ms": 1000, "tpot_limit_ms": 50}
    serve = {"requests_per_s": 20, "input_tokens": 1000, "output_tokens": 300, **limits}
    work = Workload.model_validate({"kind": "serve", "model": "llama-3.1-70b", "serve": serve})
    return work, date(2026, 11, 21)


def sensitivity() -> str:
    """Return the page of what a little change does to the README's answer."""
    from sensitivity_page import sensitivity_page

    return sensitivity_page(*readme_question())


def readme() -> str:
    """Return the README with the real output of one command between its marks."""
    from rich.console import Console

    from planner.assumptions import default_assumptions
    from planner.commands.output import trimmed
    from planner.plan import make_plan
    from planner.report.record import plan_record
    from planner.report.short import short_answer
    from planner.report.terminal import render_short
    from pricing.catalog import load_bundled
    from pricing.facts.sellers import free_tiers
    from pricing.facts.token_prices import token_prices

    work, today = readme_question()
    plan = make_plan(
        work,
        load_bundled(),
        default_assumptions(),
        today=today,
        token_prices=token_prices(str(work.model), today, today=today),
        free_tiers=free_tiers(),
    )
    buffer = io.StringIO()
    render_short(short_answer(plan_record(plan)), Console(file=buffer, width=100, no_color=True))
    block = f"<!-- output -->\n```text\n$ {README_COMMAND}\n{trimmed(buffer).rstrip()}\n```\n<!-- /output -->"
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    page = re.sub(r"<!-- output -->.*<!-- /output -->", lambda _: block, page, flags=re.DOTALL)
    shown = f"<!-- server -->\n```text\n{server_screen()}\n```\n<!-- /server -->"
    return re.sub(r"<!-- server -->.*<!-- /server -->", lambda _: shown, page, flags=re.DOTALL)


def server_screen() -> str:
    """Return how one owned server stands against rents, its longest table cut."""
    import tempfile

    from planner.cli import main as gpuplan

    command = ["server", "h100-sxm:8", "--as-of", "2026-11-21"]
    os.environ["COLUMNS"] = "100"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "server.txt"
        gpuplan([*command, "--quiet", "-o", str(path)])
        text = path.read_text(encoding="utf-8").rstrip()
    own, _, rents = text.partition("\n\n")
    first, last = rents.split("\n")[:SERVER_LINES], rents.split("\n")[-2:]
    return "\n".join([f"$ gpuplan {' '.join(command)}", own, "", *first, "...", *last])


def accuracy() -> str:
    """Return the page of errors against measured rows."""
    from accuracy_page import accuracy_page

    return accuracy_page()


PAGES = {
    "docs/commands.md": commands_page,
    "docs/assumptions.md": assumptions_page,
    "docs/accuracy.md": accuracy,
    "docs/sensitivity.md": sensitivity,
    "README.md": readme,
}


def main() -> int:
    """Write the pages, or tell which are stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where a page is stale")
    check = parser.parse_args().check
    stale = []
    for name, make in PAGES.items():
        path = ROOT / name
        text = make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{'stale' if check else 'written'}: {name}")
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main())
