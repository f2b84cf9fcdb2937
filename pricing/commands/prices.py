"""``gpuplan prices ...``: arguments in, text out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeVar

import click

from pricing.commands.console import (
    CommandLineError,
    LazyGroup,
    Output,
    Talk,
    common_options,
    grouped,
    output_options,
    write_output,
)
from pricing.commands.follow_up import (
    FollowUp,
    ThenCommand,
    from_anywhere,
    placed,
    run_follow_up,
    then_option,
    this_program,
)
from pricing.errors import PricingError
from pricing.plain_text import shortened, without_secrets

R = TypeVar("R")

TABLE = {
    "refresh": ("pricing.commands.prices:refresh", "Ask every source for its prices and store what changed."),
    "status": ("pricing.commands.prices:status", "Show how old each part is and how its source last answered."),
    "history": ("pricing.commands.prices:history", "Show the price of offers over time."),
    "diff": ("pricing.commands.prices:diff", "Show what changed between two days."),
    "schedule": (
        "pricing.commands.prices:schedule",
        "Print a cron line, systemd timer, GitHub workflow or Kubernetes CronJob.",
    ),
    "import": ("pricing.commands.files:import_", "Import offers from a CSV or Parquet file into the store."),
    "export": ("pricing.commands.files:export", "Write the offers of a day as Parquet, CSV or JSON."),
}


class Day(click.ParamType[date]):
    """A day, written ``2026-11-01``."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read it, or say how it is written."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"'{value}' is not a day; write it as 2026-11-01", param, ctx)


class RateOfExchange(click.ParamType[str]):
    """Dollars per euro and their day, written ``1.16@2026-11-20``; nothing where it is empty."""

    name = "rate"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it, or say how it is written."""
        from pricing.facts.exchange_rate import read_rate

        text = str(value).strip()
        if text:
            try:
                read_rate(text)
            except PricingError as error:
                self.fail(f"{error.message}; {error.hint}", param, ctx)
        return text


def store_option(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--store``."""
    return click.option(
        "--store",
        envvar="GPUPLAN_STORE",
        help="Price store: a file, or postgresql://user@host/database; by default a file in the user's data folder.",
    )(function)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Whose offers are read."""

    provider: tuple[str, ...]
    region: tuple[str, ...]
    gpu: tuple[str, ...]
    instance_type: tuple[str, ...]
    purchase: str | None

    def by_column(self) -> dict[str, Sequence[str]]:
        """Return the filters that are set, by column of the store."""
        from pricing.facts.accelerators import resolve_all

        columns: dict[str, Sequence[str]] = {
            "provider": self.provider,
            "region": self.region,
            "accelerator": [row.name for name in self.gpu for row in resolve_all(name)],
            "instance_type": self.instance_type,
            "purchase_option": [word.strip() for word in (self.purchase or "").split(",") if word.strip()],
        }
        return {name: values for name, values in columns.items() if values}


filter_options = grouped(
    "filters",
    Filters,
    click.option("--provider", multiple=True, help="Provider (repeatable)."),
    click.option("--region", multiple=True, help="Region (repeatable)."),
    click.option("--gpu", multiple=True, help="Accelerator (repeatable)."),
    click.option("--instance-type", multiple=True, help="The provider's own name (repeatable)."),
    click.option("--purchase", help="on_demand,spot,reserved_1y,... (several with commas)."),
)
"""The filters of offers."""


@click.group(cls=LazyGroup, table=TABLE, context_settings={"help_option_names": ["-h", "--help"]})
def prices() -> None:
    """Gather and store prices; show their age and history."""


@click.command(cls=ThenCommand)
@click.option("--provider", multiple=True, help="Ask only this provider (repeatable); all by default.")
@click.option("--region", multiple=True, help="Ask only for this region (repeatable).")
@click.option(
    "--time-limit", "time_limit_s", default=1800.0, show_default=True, metavar="SECONDS", help="For the whole refresh."
)
@click.option("--rate-cards", type=click.Path(path_type=Path, file_okay=False), multiple=True, envvar="GPUPLAN_RATE_CARDS",
              help="Folder with rate cards (repeatable); the one in the user's data folder is always read.")  # fmt: skip
@click.option("--usd-per-eur", type=RateOfExchange(), envvar="GPUPLAN_USD_PER_EUR", metavar="RATE@DAY", default="",
              help="Exchange rate and its day, for prices in euros: 1.16@2026-11-20.")  # fmt: skip
@store_option
@then_option
@output_options("table", "json")
@common_options
@click.pass_context
def refresh(
    ctx: click.Context,
    provider: tuple[str, ...],
    region: tuple[str, ...],
    time_limit_s: float,
    rate_cards: tuple[Path, ...],
    usd_per_eur: str,
    store: str | None,
    then: FollowUp | None,
    output: Output,
    talk: Talk,
) -> int:
    """Ask every source for its prices and store what changed.

    A source without credentials is skipped; one that fails keeps its last prices, and their age. Exit status 5: some source
    failed, 6: all of them did. With --then the plan is made in any case, from the newest prices in the
    store; the exit status is the plan's where that fails, else the refresh's.
    """
    from platformdirs import user_data_path

    from pricing.commands.console import watched
    from pricing.commands.views import refresh_record, refresh_table, refresh_warnings
    from pricing.providers import PROVIDERS
    from pricing.refresh.run import refresh as run_refresh
    from pricing.store.database import open_store

    unknown = [name for name in provider if name not in PROVIDERS]
    if unknown:
        raise CommandLineError(
            f"no adapter for the provider {', '.join(unknown)}",
            hint=f"known: {', '.join(PROVIDERS)}",
            where="--provider",
        )
    store = _one_store(store, then)
    engine = open_store(store)
    talk.detail(f"store: {engine.uri}")
    names = list(dict.fromkeys(provider)) or list(PROVIDERS)
    with watched(talk, names) as on_progress:
        summary = run_refresh(
            engine,
            names,
            regions=region,
            settings={**os.environ, "GPUPLAN_USD_PER_EUR": usd_per_eur},
            rate_cards=(*rate_cards, user_data_path("gpuplan") / "rate_cards"),
            time_limit_s=time_limit_s,
            on_progress=on_progress,
        )
    for source in summary.sources:
        if source.trace:
            talk.detail(source.trace)
    if output.format == "json":
        output.write(refresh_record(summary, engine.uri))
    elif not talk.is_quiet or output.path:
        output.write(refresh_table(summary, output, is_verbose=talk.is_verbose))
    if talk.is_quiet:
        for line in refresh_warnings(summary):
            talk.warn(line.removeprefix("warning: "))
        for source in summary.sources:
            for part in source.parts:
                if part.answer.status == "failed":
                    talk.warn(f"{source.provider} {part.answer.part}: {part.answer.message}")
    if then is None:
        return summary.exit_status
    from pricing.clock import today

    failed = run_follow_up(ctx, then, today=today(), store=store, is_quiet=talk.is_quiet)
    return failed or summary.exit_status


def _one_store(store: str | None, then: FollowUp | None) -> str | None:
    """Return where prices are put and read; the plan's own where it alone names one."""
    if then is not None and then.store and store and from_anywhere(then.store) != from_anywhere(store):
        raise CommandLineError(
            "the plan would not see the new prices: it reads another store",
            where="--store",
            hint="name one store, once",
        )
    return store or (then.store if then else "") or None


MOST_TOLD = 5


@click.command()
@click.option(
    "--max-age", "max_age_days", type=float, envvar="GPUPLAN_MAX_AGE", help="Fail with status 4 above this many days."
)
@click.option("--provider", multiple=True, help="Only this provider (repeatable).")
@store_option
@output_options("table", "json", "csv")
@common_options
def status(max_age_days: float | None, provider: tuple[str, ...], store: str | None, output: Output, talk: Talk) -> int:
    """Show how old each source's prices are and how it last answered; --verbose, JSON and CSV show each part."""
    from pricing.clock import utc_now
    from pricing.commands.views import status_view
    from pricing.loading import too_old
    from pricing.store.database import open_store
    from pricing.store.parts import read_statuses

    engine = open_store(store)
    now = utc_now()
    statuses = [status for status in read_statuses(engine) if not provider or status.provider in provider]
    output.write(status_view(statuses, now, engine.uri, output, is_verbose=talk.is_verbose))
    stale = too_old(statuses, now, max_age_days)
    most = len(stale) if talk.is_verbose else MOST_TOLD
    for line in shortened(stale, most, "and {} more parts are too old (--verbose shows them)"):
        talk.warn(line)
    return 4 if stale and max_age_days is not None else 0


@click.command()
@filter_options
@click.option("--zone", multiple=True, help="Stable id of a zone (repeatable).")
@click.option("--since", type=Day(), help="First day.")
@store_option
@output_options("table", "json", "csv")
@common_options
def history(
    filters: Filters, zone: tuple[str, ...], since: date | None, store: str | None, output: Output, talk: Talk
) -> int:
    """Show the price of offers over time, as this program saw it and as the source reports its own history."""
    from pricing.commands.views import history_view
    from pricing.store.database import open_store
    from pricing.store.read import history_of

    asked = filters.by_column() | ({"zone": zone} if zone else {})
    if not asked:
        raise CommandLineError(
            "history of which offers?", hint="name some: --gpu h100 --provider aws, or --instance-type"
        )
    prices_seen = history_of(open_store(store), asked, since)
    output.write(history_view(prices_seen, output))
    if not prices_seen:
        talk.warn("no offer of the store matches")
        return 3
    return 0


@click.command()
@click.argument("before", type=Day())
@click.argument("after", type=Day(), required=False)
@filter_options
@store_option
@output_options("table", "json", "csv")
@common_options
def diff(before: date, after: date | None, filters: Filters, store: str | None, output: Output, talk: Talk) -> int:
    """Show what changed between the ends of two days (UTC); AFTER is today by default."""
    from pricing.clock import utc_now
    from pricing.commands.views import diff_view
    from pricing.store.database import open_store
    from pricing.store.read import changes_between

    changes = changes_between(open_store(store), before, after or utc_now().date(), filters.by_column())
    output.write(diff_view(changes, output))
    talk.say(f"{len(changes)} offers differ")
    return 0


@click.command(cls=ThenCommand)
@click.argument("kind", type=click.Choice(["cron", "systemd", "github", "kubernetes"]), default="cron")
@click.option("--at", default="03:17", show_default=True, metavar="HH:MM", help="Time of day.")
@click.option("--provider", multiple=True, help="Ask only this provider (repeatable).")
@click.option(
    "--command", help="Command that runs the program there; for cron and systemd, the path of this one by default."
)
@click.option("--image", default="registry.example.org/gpuplan:latest", help="Container image, for Kubernetes.")
@click.option("--log", metavar="FILE", help="Log file for cron or systemd; by default mail or the journal.")
@store_option
@then_option
@click.option("-o", "--output", "path", type=click.Path(path_type=Path, dir_okay=False), help="File to write.")
@common_options
def schedule(
    kind: str,
    at: str,
    provider: tuple[str, ...],
    command: str | None,
    image: str,
    log: str | None,
    store: str | None,
    then: FollowUp | None,
    path: Path | None,
    talk: Talk,
) -> int:
    """Print what makes a scheduler run the refresh every day: by default a cron line.

    With --then it plans in the same run, so that a fresh report is there every morning:
    gpuplan prices schedule --then plan workload.yaml -o plan.xlsx
    """
    from pricing.commands.schedule import Schedule, read_time, schedule_text

    arguments = tuple(word for name in provider for word in ("--provider", name))
    is_here = kind in {"cron", "systemd"}
    if log is not None and not is_here:
        raise CommandLineError(f"{kind} keeps the log of a run itself", where="--log", hint="leave --log out")
    store = _one_store(store, then)
    has_password = store is not None and without_secrets(store) != store
    if has_password:
        talk.warn(
            "the address of the store holds a password, which is not written into this text: set GPUPLAN_STORE to it in "
            "the environment of the job"
        )
    plan = Schedule(
        at=read_time(at),
        command=command or (this_program() if is_here else "gpuplan"),
        arguments=arguments,
        store="GPUPLAN_STORE" if has_password else from_anywhere(store) if store and is_here else store or "",
        store_in_environment=has_password,
        image=image,
        log=str(Path(log).expanduser().absolute()) if log else "",
    )
    plan = plan if then is None else placed(kind, plan, then, Path.cwd())
    write_output(schedule_text(kind, plan), path)
    talk.detail("nothing was installed: this is text to place")
    return 0
