#!/usr/bin/env python3
"""Say what a change of a workload costs, as a comment on a pull request, and enforce a budget: what action.yml runs.

usage: scripts/pull_request.py NEW [--base OLD] [--budget USD] [--as-of DATE] [--comment FILE] [--outputs FILE] [--summary FILE]

NEW and OLD are workloads, or Terraform plans as JSON. Exit status: 0 within the budget, 8 above it, that of `gpuplan plan` where there is no plan.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ABOVE_BUDGET = 8
HOURS_A_MONTH = 730
MARK = "<!-- gpuplan -->"


def plan_of(source: str, as_of: str, folder: Path) -> tuple[int, dict[str, Any]]:
    """Return the exit status and the plan of a file; a Terraform plan becomes a workload first."""
    from planner.cli import main

    path = Path(source)
    if path.suffix == ".json" and "planned_values" in path.read_text(encoding="utf-8"):
        path = _workload_of_terraform(path, folder)
    target = folder / f"{len(list(folder.iterdir()))}.json"
    status = main(
        ["plan", str(path), "--quiet", "--top", "5", "-o", str(target), *(["--as-of", as_of] if as_of else [])]
    )
    return status, json.loads(target.read_text(encoding="utf-8")) if status == 0 else {}


def _workload_of_terraform(path: Path, folder: Path) -> Path:
    import yaml

    from planner.intake.reading import draft_of

    draft = draft_of(path.read_text(encoding="utf-8"), str(path))
    work = {"hours_per_month": HOURS_A_MONTH, **draft.work}
    written = folder / f"{path.stem}.{len(list(folder.iterdir()))}.yaml"
    written.write_text(yaml.safe_dump({"kind": draft.kind, **draft.shared, draft.kind: work}), encoding="utf-8")
    return written


def comment(new: dict[str, Any], old: dict[str, Any] | None, budget_usd: float | None) -> str:
    """Return what is said of a change, as Markdown."""
    from planner.report.figures import usd
    from planner.report.markdown import table_text
    from planner.report.option_words import short_name
    from planner.report.table import Table, headings

    rows = []
    for words, plan in (("before", old), ("now", new)):
        if plan:
            option = next(each for each in plan["options"] if each["id"] == plan["verdict"]["option_id"])
            rows.append((words, short_name(option), usd(cost_usd(plan)), f"{option['priced_on']}"))
    unit = "USD/run" if new["runs_once"] else "USD/month"
    table = Table("", headings(f" | Option | {unit}: | Price of"), tuple(rows))
    said = [MARK, "### GPU cost of this change", "", new["verdict"]["headline"], "", table_text(table), ""]
    if old:
        more = cost_usd(new) - cost_usd(old)
        said.append(f"**{'+' if more > 0 else '-' if more < 0 else ''}{usd(abs(more))} {unit}** against the base.")
    if budget_usd is not None:
        is_over = cost_usd(new) > budget_usd
        said.append(
            f"{'**Above' if is_over else 'Within'} the budget of {usd(budget_usd)} {unit}{'**' if is_over else ''}."
        )
    return "\n".join([*said, "", f"`{new['verdict']['command']}`", ""])


def cost_usd(plan: dict[str, Any]) -> float:
    """Return what a plan's verdict costs, a month or for its one run."""
    option = next(each for each in plan["options"] if each["id"] == plan["verdict"]["option_id"])
    return float(option["cost"]["present_value_usd" if plan["runs_once"] else "usd_per_month"])


def run(arguments: list[str]) -> int:
    """Compare, write, and return the exit status."""
    parser = argparse.ArgumentParser(description="What a change of a workload costs.")
    parser.add_argument("new")
    for name in ("base", "budget", "as-of", "comment", "outputs", "summary"):
        parser.add_argument(f"--{name}", default="")
    asked = parser.parse_args(arguments)
    try:
        budget_usd = float(asked.budget) if asked.budget else None
    except ValueError:
        parser.error(f"--budget: a number of USD was expected, got {asked.budget!r}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        status, new = plan_of(asked.new, asked.as_of, folder)
        if status != 0:
            return status
        _, old = plan_of(asked.base, asked.as_of, folder) if asked.base else (0, {})
    text = comment(new, old or None, budget_usd)
    for path in filter(None, (asked.comment, asked.summary)):
        with Path(path).open("a" if path == asked.summary else "w", encoding="utf-8") as file:
            file.write(text)
    if asked.outputs:
        more = f"{cost_usd(new) - cost_usd(old):.2f}" if old else ""
        with Path(asked.outputs).open("a", encoding="utf-8") as file:
            file.write(f"usd-per-month={cost_usd(new):.2f}\ndifference-usd-per-month={more}\n")
    if not asked.comment and not asked.summary:
        print(text)
    return ABOVE_BUDGET if budget_usd is not None and cost_usd(new) > budget_usd else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    sys.exit(run(sys.argv[1:]))
