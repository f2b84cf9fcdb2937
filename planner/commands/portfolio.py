"""``gpuplan plan`` with a table or a folder of workloads: one verdict each, totals by team."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from planner.commands.output import show_text
from planner.engine.address import EngineError, read_address
from planner.engine.session import connect
from planner.portfolio.market import Market
from planner.portfolio.run import PortfolioResult, Watcher, plan_portfolio
from planner.portfolio.totals import Team
from planner.report.figures import count, percent, usd
from planner.report.notes import note_texts
from planner.report.table import Table, headings, table_of
from planner.report.values import json_text
from pricing.commands.console import CommandLineError, Output, Talk

EXIT_NOTHING = 3
EXIT_PARTLY = 5
EXIT_UNREADABLE = 2
ENDINGS = (".parquet", ".csv")
TEAMS_SHOWN = 25
COPIED_CHARACTERS = 1 << 16
POOLS_SHOWN = 15
CHOICE_WORDS = {
    "rent": "rent",
    "buy": "buy",
    "api": "by the token",
    "cpu": "no GPU",
    "free": "free",
    "have": "what you have",
}


def show_portfolio(
    sources: Sequence[str], output: Output, talk: Talk, market: Market, *, workers: int | None, engine_uri: str | None
) -> int:
    """Plan a portfolio, write all answers where that was asked for, and show the totals.

    Parameters
    ----------
    sources : sequence of str
        Tables, folders and files of workloads.
    output, talk : Output, Talk
        Where to, and what is said on the way.
    market : Market
        What everything is planned against.
    workers : int, optional
        Processes; as many as there are cores without it.
    engine_uri : str, optional
        A Spark cluster that works instead.

    Returns
    -------
    int
        Exit status: 0 where every workload was read, 5 where some were not, 2 where none was, 3 where nothing fits any.
    """
    target, form = _target(output)
    with tempfile.TemporaryDirectory(prefix="gpuplan-") as spare:
        rows = Path(spare) / "rows.csv" if form == "csv" and target is None else target
        result = _planned(sources, market, rows, talk, workers or os.cpu_count() or 1, engine_uri)
        if form == "csv" and target is None:
            assert rows is not None
            with rows.open(encoding="utf-8") as file:
                while block := file.read(COPIED_CHARACTERS):
                    click.echo(block, nl=False)
    _tell(result, target, talk)
    if form == "json":
        Output("json").write(json_text(_record(result, target)))
    elif not (form == "csv" and target is None):
        show_text(Output("table", None, output.is_colored), _tables(result))
    return _exit_status(result)


def _target(output: Output) -> tuple[Path | None, str]:
    """Return the file for all answers, and the form of the summary."""
    if output.path is not None and output.path.suffix.lower() not in ENDINGS:
        raise CommandLineError(
            f"the answers of a portfolio are a table; the ending '{output.path.suffix}' is none",
            hint="-o result.parquet or -o result.csv; the totals are shown besides, as JSON with --format json",
            where=str(output.path),
        )
    if output.format not in {"table", "json", "csv", "parquet"}:
        raise CommandLineError(
            f"a portfolio is not written as {output.format}",
            hint="-o result.parquet or -o result.csv, and --format json for the totals",
            where="--format",
        )
    if output.format == "parquet" and output.path is None:
        raise CommandLineError("Parquet is not written to a terminal or a pipe", hint="name a file: -o result.parquet")
    return output.path, output.format


def _planned(
    sources: Sequence[str], market: Market, rows: Path | None, talk: Talk, workers: int, engine_uri: str | None
) -> PortfolioResult:
    engine, address = None, read_address(engine_uri)
    if address.kind == "warehouse":
        raise EngineError(
            "workloads are planned here or on Spark, not in a warehouse",
            hint="export the table as CSV or Parquet, or name a Spark cluster: sc://host:15002",
            where=f"--engine {address.shown}",
        )
    if address.kind == "spark":
        engine = connect(engine_uri)
        for note in note_texts(engine.notes):
            talk.say(f"note: {note}")
        talk.detail(f"the engine answered after {engine.start_s:.1f} s")
    try:
        with _watched(talk) as watcher:
            return plan_portfolio(sources, market, rows, workers=workers, engine=engine, watcher=watcher)
    except KeyboardInterrupt:
        if rows is not None:
            talk.warn("interrupted; what is done is kept: run the same command again to continue from there")
        raise
    finally:
        if engine is not None:
            engine.close()


@contextmanager
def _watched(talk: Talk) -> Iterator[Watcher]:
    """Show a progress bar on a terminal; elsewhere print messages."""
    if not talk.is_interactive():
        yield Watcher(say=talk.say)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("workloads"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=talk.console(), transient=True) as bar:
        task = bar.add_task("workloads", total=None)
        yield Watcher(say=bar.console.print, progress=lambda done, every: bar.update(task, completed=done, total=every))


def _tell(result: PortfolioResult, target: Path | None, talk: Talk) -> None:
    for fault in result.totals.faults:
        talk.warn(fault)
    refused = sum(count for status, count in result.totals.statuses.items() if status in {"refused", "failed"})
    if refused > len(result.totals.faults):
        talk.warn(f"and {refused - len(result.totals.faults):,} more that could not be answered; see the column reason")
    if target is None:
        talk.say("note: -o result.parquet (or .csv) keeps the verdict of each workload")
    else:
        talk.say(f"{result.totals.whole.workloads:,} answers written to {target}")
    rate = result.evaluations / result.work_s if result.work_s > 0 else 0.0
    talk.detail(
        f"{result.shapes:,} shapes of work, {result.evaluations:,} options weighed ({rate:,.0f} a second), "
        f"{result.one_by_one:,} planned one by one; "
        f"read {result.read_s:.1f} s, worked {result.work_s:.1f} s ({result.core_s:.1f} s of all workers), rest {result.rest_s:.1f} s"
    )


def _exit_status(result: PortfolioResult) -> int:
    statuses = result.totals.statuses
    bad = statuses.get("refused", 0) + statuses.get("failed", 0)
    if bad == result.totals.whole.workloads:
        return EXIT_UNREADABLE
    if bad:
        return EXIT_PARTLY
    return 0 if statuses.get("planned") else EXIT_NOTHING


def _record(result: PortfolioResult, target: Path | None) -> dict[str, Any]:
    totals = result.totals
    return {
        "schema_version": 1,
        "output": str(target) if target else None,
        "workloads": totals.whole.workloads,
        "statuses": totals.statuses,
        "totals": asdict(totals.whole),
        "teams": [asdict(team) for team in totals.teams],
        "shared_capacity": [asdict(shared) for shared in result.shared],
        "faults": list(totals.faults),
        "work": {
            "shapes": result.shapes,
            "evaluations": result.evaluations,
            "planned_one_by_one": result.one_by_one,
            "blocks": result.blocks,
            "blocks_kept": result.kept_blocks,
            "read_s": result.read_s,
            "work_s": result.work_s,
            "core_s": result.core_s,
            "rest_s": result.rest_s,
        },
    }


def _tables(result: PortfolioResult) -> list[Table]:
    totals = result.totals
    whole = totals.whole

    def cells(name: str, team: Team) -> tuple[str, ...]:
        choices = ", ".join(f"{CHOICE_WORDS[choice]} {number:,}" for choice, number in team.choices.items())
        costs: tuple[str, ...] = (
            count(round(team.gpus, 1)),
            usd(team.usd_per_month),
            usd(team.once_usd),
            usd(team.present_value_usd),
        )
        costs = costs if team.no_answer < team.workloads else ("-",) * len(costs)
        return name, f"{team.workloads:,}", choices or "-", f"{team.no_answer:,}", *costs

    shown = totals.teams[:TEAMS_SHOWN]
    rest = len(totals.teams) - len(shown)
    tables = [
        Table(
            _title(whole),
            headings(
                "team | workloads: | verdicts | no answer: | GPUs: | cost [USD/month]: | run once [USD]: | "
                "present value [USD]:"
            ),
            (*(cells(team.name or "(no team)", team) for team in shown), cells("all", whole)),
            "; ".join(_below(rest, whole.choices.get("free", 0))),
        )
    ]
    shared = [pool for pool in result.shared if pool.together_usd_per_month is not None][:POOLS_SHOWN]
    if shared:
        tables.append(
            table_of(
                "Machines that several workloads could share",
                shared,
                {
                    "accelerator, where": lambda pool: f"{pool.accelerator}, {pool.place}",
                    "work [loads]:": lambda pool: f"{pool.workloads:,}",
                    "apart [GPUs]:": lambda pool: count(round(pool.apart_gpus, 1)),
                    "peak [GPUs]:": lambda pool: count(round(pool.peak_gpus, 1)),
                    "apart [USD/month]:": lambda pool: usd(pool.apart_usd_per_month),
                    "together [USD/month]:": lambda pool: usd(pool.together_usd_per_month),
                    "own [GPUs]:": lambda pool: count(round(pool.owned_gpus, 1)),
                    "commit [GPUs]:": lambda pool: count(round(pool.committed_gpus, 1)),
                    "hourly [share]:": lambda pool: percent(pool.on_demand_share),
                },
                "apart: each workload on its own; peak: the most they need in the same hour, jobs spread evenly over the month; together: the cheapest mix for all of them (as `gpuplan mix` "
                "finds it), where any of their accelerators serves any of them; hourly: the part of the work on machines rented by the hour",
            )
        )
    return tables


def _title(whole: Team) -> str:
    """Return how many workloads there are, how many have an answer, and what those cost."""
    title = f"{whole.workloads:,} workload{'' if whole.workloads == 1 else 's'}"
    if whole.workloads == whole.no_answer:
        return f"{title}: no answer"
    title += f", {whole.no_answer:,} without an answer" if whole.no_answer else ""
    return f"{title}: {usd(whole.usd_per_month)} USD a month, and {usd(whole.once_usd)} USD for jobs that are run once"


def _below(more_teams: int, free: int) -> list[str]:
    """Return what stands below the totals."""
    notes = [f"{more_teams:,} more teams with --format json"] if more_teams > 0 else []
    if free > 1:
        notes.append(
            f"{free:,} workloads were given free machines, each as if it were alone: these are for one person at a time, so "
            "count on them for a few; with --provider they are left out"
        )
    return notes
