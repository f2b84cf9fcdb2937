"""``gpuplan usage``: accelerator-hours really used, idle and wasted, from bills and a cluster's own records."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from planner.commands.catalog import catalog_of
from planner.commands.options import (
    Filters,
    PriceSource,
    Settings,
    assumption_options,
    filter_options,
    horizon_option,
    store_options,
)
from planner.commands.output import show_rows
from planner.report.notes import note_texts
from planner.report.values import json_text
from planner.usage.faults import Fault, fault_text, refusal
from pricing.catalog import Catalog
from pricing.commands.console import (
    CommandLineError,
    Output,
    Talk,
    common_options,
    grouped,
    output_options,
    write_output,
)
from pricing.loading import by_region

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from planner.decision import Decision
    from planner.usage.answer import Usage
    from planner.usage.bill import Bill, Rate
    from planner.usage.records import Records
    from planner.usage.sources import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """How the files are read."""

    kind: str | None
    tag: str
    rates: tuple[str, ...]
    timezone: str
    columns: str
    basis: str | None
    keep_copies: bool
    cache: Path | None
    engine_uri: str | None


_reading_options = grouped(
    "reading",
    _Reading,
    click.option("--kind", type=click.Choice(("focus", "slurm", "dcgm", "plain")), help="Kind of the files, where their header does not show it."),
    click.option("--tag", default="", metavar="KEY", help="Also group by the value of this tag: --tag team."),
    click.option("--rate", "rates", multiple=True, metavar="CUR=USD[@DATE]", help="What a currency is worth: --rate EUR=1.08@2026-11-01; repeatable."),
    click.option("--timezone", default="", metavar="ZONE", help="Time zone of records that state none: Europe/Berlin."),
    click.option("--columns", default="", metavar="A,B,...", help="Names of sacct's columns, where there is no header: JobID,Start,End,AllocTRES."),
    click.option("--basis", type=click.Choice(("allocated", "present", "busy", "useful")), help="Which hours the tables and the curve show."),
    click.option("--keep-copies", is_flag=True, help="Count copies of a charge as often as they were exported."),
    click.option("--cache", type=click.Path(path_type=Path, file_okay=False), metavar="FOLDER", envvar="GPUPLAN_USAGE_CACHE", help="Keep files of text as they were read here: a month that has not changed is not read again."),
    click.option("--engine", "engine_uri", metavar="URI", envvar="GPUPLAN_ENGINE", help="duckdb (the default), sc://host:15002 for Spark Connect, or trino://user@host:8080 or bigquery://project for a table there."),
)  # fmt: skip


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@_reading_options
@click.option("--gpu", help="The accelerator for --to-demand, --to-workload and --decide, where there are several.")
@click.option("--to-demand", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write the hourly curve as `gpuplan mix` reads it.")  # fmt: skip
@click.option("--to-workload", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a workload as `gpuplan plan` reads it.")  # fmt: skip
@click.option("--decide", is_flag=True, help="Recommend what to own, commit to, keep on demand and switch off.")
@click.option("--no-own", is_flag=True, help="With --decide: leave out buying servers.")
@click.option("--resamples", type=click.IntRange(0, 10_000), default=100, show_default=True, help="Resamples of the curve's weeks and of prices for --decide.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Seed of the resampling.")
@horizon_option("Months over which an owned server is counted.", default=36)
@click.option("--secure", is_flag=True, help="Leave out community hosts and marketplaces.")
@filter_options
@assumption_options
@store_options
@output_options("table", "json", "csv", "md", "html", "xlsx")
@common_options
def usage(
    files: tuple[str, ...],
    reading: _Reading,
    gpu: str | None,
    to_demand: Path | None,
    to_workload: Path | None,
    resamples: int,
    seed: int,
    horizon: int,
    filters: Filters,
    settings: Settings,
    prices: PriceSource,
    *,
    decide: bool,
    no_own: bool,
    secure: bool,
    output: Output,
    talk: Talk,
) -> None:
    """Show how many GPU-hours were used, idle and wasted, what they cost, and what they would cost elsewhere.

    FILE is a FOCUS bill (CSV, CSV.gz, Parquet, a folder of them, s3://, gs://, abfs://, or catalog.schema.table of --engine), the output of Slurm's
    `sacct -P`, a CSV of DCGM counters from Prometheus, or a CSV of timestamp,gpus; several kinds may be given at once.
    """
    from planner.usage.summary import summarize

    catalog = catalog_of(prices, talk, by_region)
    basis = reading.basis or ""
    bill, records, faults = _read(files, reading, catalog, talk)
    summary = summarize(bill, records, catalog, faults=faults, basis=basis)
    for fault in summary.faults:
        talk.warn(f"partial: {fault_text(fault)}")
    if to_demand:
        _write_demand(summary, gpu, to_demand, talk)
    if to_workload:
        _write_workload(summary, gpu, to_workload, talk)
    answer = None
    if decide:
        from planner.decision import decide as decided

        choice = catalog.select(secure=secure, launchable=True, **filters.stated())
        # A decision is of what was paid, whichever hours the tables are of.
        paid = summarize(bill, records, catalog, faults=faults) if bill is not None and basis else summary
        answer = decided(
            paid, choice, settings.assumptions(), gpu=gpu or "", months=horizon, resamples=resamples,
            seed=seed, no_own=no_own, basis=basis, today=prices.day,
            elsewhere=bool(filters.providers or filters.regions or filters.countries),
        )  # fmt: skip
    _show(output, summary, answer, reading.tag)


def _show(output: Output, summary: Usage, answer: Decision | None, tag: str) -> None:
    from planner.report.usage.tables import usage_record, usage_tables

    if answer:
        from planner.report.decision import decision_record, decision_tables

    match output.format:
        case "json":
            decision = decision_record(answer) if answer else None
            output.write(json_text(usage_record(summary, tag=tag, decision=decision)))
        case "html":
            from planner.report.usage.page import usage_page

            output.write(usage_page(summary, answer, tag=tag))
        case "xlsx":
            from planner.report.usage.workbook import usage_workbook

            output.write(usage_workbook(summary, answer, tag=tag))
        case _:
            tables = [*(decision_tables(answer) if answer else ()), *usage_tables(summary, tag=tag)]
            show_rows(output, _csv_rows(summary), "hours", tables)


def _rates(texts: Sequence[str]) -> dict[str, Rate]:
    from planner.usage.bill import Rate

    rates = {}
    for text in texts:
        name, equals, worth = text.partition("=")
        number, at, day = worth.partition("@")
        try:
            usd = float(number)
            as_of = date.fromisoformat(day.strip()) if at else None
        except ValueError:
            usd, as_of = 0.0, None
        if not equals or not (0 < usd < float("inf")) or len(name.strip()) != 3:
            raise CommandLineError(
                f"CUR=USD was expected, got {text!r}",
                where="--rate",
                hint="--rate EUR=1.08 or --rate EUR=1.08@2026-11-01",
            )
        rates[name.strip().upper()] = Rate(usd=usd, source="--rate", as_of=as_of)
    return rates


def _read(
    files: Sequence[str], reading: _Reading, catalog: Catalog, talk: Talk
) -> tuple[Bill | None, list[Records], list[Fault]]:
    from planner.engine.address import read_address
    from planner.engine.session import connect
    from planner.usage.cache import file_cache_in
    from planner.usage.relations import is_table_name, table_source
    from planner.usage.sources import find_sources, known_source, working_folder

    rates = _rates(reading.rates)
    is_remote = read_address(reading.engine_uri).kind == "spark"
    kept = file_cache_in(None if is_remote else reading.cache)
    if is_remote and reading.cache:
        talk.detail("--cache is left aside: the cluster reads the files itself")
    tables = [name for name in files if reading.engine_uri and is_table_name(name)]
    with working_folder() as folder, _steps(talk) as step, ExitStack() as stack:
        step("looking into the files")
        sources, faults = find_sources([name for name in files if name not in tables], kind=reading.kind or "", folder=folder, is_remote=is_remote, kept=kept)  # fmt: skip
        engine = None
        if tables or any(source.kind == "focus" for source in sources):
            engine = stack.enter_context(closing(connect(reading.engine_uri)))
            talk.detail(f"the engine answered after {engine.start_s:.1f} s")
            for note in note_texts(engine.notes):
                talk.warn(note)
            for name in tables:
                sources += known_source(table_source(engine, name), reading.kind or "", faults)
        if not sources:
            raise refusal("no file can be read", faults)
        bill: Bill | None = None
        focus = [source for source in sources if source.kind == "focus"]
        if focus and engine is not None:
            from planner.usage.focus_bill import read_bill
            from planner.usage.skus import SkuReader

            step(f"reading {len(focus):,} files of a bill")
            reader = SkuReader(catalog.offers)
            bill = read_bill(engine, focus, reader, rates=rates, tag=reading.tag, folder=folder, kept=kept, keep_copies=reading.keep_copies)  # fmt: skip
        return bill, _records(sources, reading, step), faults


def _records(sources: Sequence[Source], reading: _Reading, step: Callable[[str], None]) -> list[Records]:
    from planner.usage.counters.hours import read_dcgm
    from planner.usage.plain import read_plain
    from planner.usage.slurm import read_slurm

    records, timezone = [], reading.timezone
    slurm, dcgm, plain = ([source for source in sources if source.kind == kind] for kind in ("slurm", "dcgm", "plain"))
    if slurm:
        step("reading Slurm's records")
        columns = [name for name in reading.columns.split(",") if name]
        records.append(read_slurm(slurm, timezone=timezone, columns=columns))
    if dcgm:
        step("reading counters")
        records.append(read_dcgm(dcgm, timezone=timezone))
    if plain:
        records.append(read_plain(plain, basis=reading.basis or "allocated", timezone=timezone))
    return records


@contextmanager
def _steps(talk: Talk) -> Iterator[Any]:
    """Show the current step on a terminal; an engine does not report its progress."""
    if not talk.is_interactive():
        yield lambda _text: None
        return
    with talk.console().status("") as status:
        yield lambda text: status.update(f"{text} ...")


def _level(summary: Usage, gpu: str | None) -> tuple[str, Any]:
    """Return the accelerator that was asked for and its curve; there is no curve of two kinds."""
    from planner.usage.summary import chosen_gpu

    name = chosen_gpu(summary, gpu or "")
    return name, summary.levels[name]


def _write_demand(summary: Usage, gpu: str | None, path: Path, talk: Talk) -> None:
    name, level = _level(summary, gpu)
    lines = ["hour,gpus", *(f"{hour},{value:.6g}" for hour, value in enumerate(level))]
    write_output("\n".join(lines), path)
    talk.say(f"wrote {len(level):,} hours of {name or 'accelerators'}: gpuplan mix {path} --gpu {name or 'GPU'}")


def _write_workload(summary: Usage, gpu: str | None, path: Path, talk: Talk) -> None:
    from planner.usage.summary import workload_text

    name, level = _level(summary, gpu)
    write_output(workload_text(name, level, summary.measures[0].basis), path)
    talk.say(f"wrote a workload of {name or 'accelerators'}: gpuplan plan {path}")


def _csv_rows(usage: Usage) -> list[dict[str, Any]]:
    """Return one row for each hour and accelerator."""
    from planner.report.usage.tables import hour_text

    basis = usage.measures[0].basis
    return [
        {"hour": hour_text(usage.first_hour + hour), "gpu": name, "basis": basis, "gpus": float(value)}
        for name, level in usage.levels.items()
        for hour, value in enumerate(level)
    ]
