"""Options that mean the same in every command, what they resolve to, and what a shell completes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from planner.inputs.amount import quantity
from planner.report.values import flat
from pricing.clock import today
from pricing.commands.console import grouped

if TYPE_CHECKING:
    from planner.assumptions import Assumptions
    from planner.supply.calibration import Calibration


def completing(
    key: str, choices: Iterable[str] = ()
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return what completes the values of an option.

    Parameters
    ----------
    key : str
        The key of the workload that it states: ``model``, ``gpus``, ``providers``, ``regions``, ``countries``, ``purchase``.
    choices : iterable of str
        The values, where the schema lists them.
    """
    listed = tuple(choices)

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        del ctx, param
        typed = incomplete.lower()
        names = sorted(set(listed or _names(key)))
        return [CompletionItem(name) for name in names if name.lower().startswith(typed)]

    return complete


def kinds_and_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete a workload: a kind of work, or a file."""
    from planner.demand.workload import type_of_kind

    del ctx, param
    kinds = [CompletionItem(kind) for kind in type_of_kind if kind.startswith(incomplete)]
    return kinds or [CompletionItem(incomplete, type="file")]


def _names(key: str) -> Iterable[str]:
    """Return the names that a key may hold; none where any text may stand."""
    match key:
        case "model":
            from planner.demand.models import known_models

            return known_models()
        case "gpu" | "gpus":
            from pricing.facts.accelerators import accelerators

            return (name.lower().replace(" ", "-") for name in accelerators())
        case "providers" | "exclude_providers":
            from pricing.facts.sellers import sellers

            return sellers()
        case "regions":
            from pricing.facts.regions import regions

            return (region for _, region in regions())
        case "countries":
            from pricing.facts.regions import countries

            return (*countries(), "EU", "EEA", "Europe", "North America", "APAC")
        case "purchase":
            from pricing.facts.offers import PurchaseOption

            return (option.value for option in PurchaseOption)
        case "assumptions":
            from planner.assumptions import default_assumptions

            return (f"{name}=" for name in default_assumptions())
        case _:
            return ()


R = TypeVar("R")


class NumberRange(click.FloatRange):
    """A range that takes finite numbers alone (``10k`` is one): to click, ``nan`` and ``inf`` lie within most ranges."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401  click's own
        """Read a number, and refuse one that is none."""
        written = quantity(value) if isinstance(value, str) else None
        number = float(super().convert(value if written is None else written, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Whose offers count, where, and how they are paid for."""

    providers: tuple[str, ...]
    regions: tuple[str, ...]
    countries: tuple[str, ...]
    purchase: tuple[str, ...]

    def stated(self) -> dict[str, Any]:
        """Return those that are set, as constraints of a workload."""
        return {name: values for name, values in asdict(self).items() if values}


def names_option(option: str, names: str, about: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return an option that takes one name, and may be said again."""
    variable, complete = f"GPUPLAN_{option[2:].upper()}", completing(names)
    return click.option(option, names, multiple=True, envvar=variable, shell_complete=complete, help=about)


filter_options = grouped(
    "filters",
    Filters,
    names_option("--provider", "providers", "Only from this provider."),
    names_option("--region", "regions", "Only in this region."),
    names_option("--country", "countries", "Only in this country (DE), continent or group (EU, EEA, APAC)."),
    click.option(
        "--purchase",
        callback=lambda _ctx, _param, value: split_names(value),
        envvar="GPUPLAN_PURCHASE",
        shell_complete=completing("purchase"),
        help="Purchase options, with commas: on_demand,spot,reserved_1y.",
    ),
)
"""``--provider``, ``--region``, ``--country`` and ``--purchase``."""


def horizon_option(meaning: str, default: int | None = None) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Add ``--horizon``."""
    return click.option(
        "--horizon",
        type=click.IntRange(1, 600),
        default=default,
        metavar="MONTHS",
        envvar="GPUPLAN_HORIZON",
        show_default=default is not None,
        help=meaning,
    )


store_option = click.option(
    "--store",
    "store_uri",
    metavar="URI",
    envvar="GPUPLAN_STORE",
    help="Price store: a file, or postgresql://user@host/database.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSource:
    """From which store, as of which day, and up to what age prices are taken."""

    store_uri: str | None
    as_of: date | None
    max_age_days: int | None

    @property
    def day(self) -> date:
        """The day that was asked for, else today: this is the program's one look at the clock."""
        return self.as_of or today()


store_options = grouped(
    "prices",
    PriceSource,
    store_option,
    click.option(
        "--as-of",
        "as_of",
        type=click.DateTime(["%Y-%m-%d"]),
        callback=lambda _ctx, _param, value: value and value.date(),
        metavar="DATE",
        envvar="GPUPLAN_AS_OF",
        help="Answer as of that day: nothing dated later is used.",
    ),
    click.option(
        "--max-age",
        "max_age_days",
        type=click.IntRange(min=0),
        metavar="DAYS",
        envvar="GPUPLAN_MAX_AGE",
        help="Leave out prices (of rents, servers and tokens) older than this.",
    ),
)
"""``--store``, ``--as-of`` and ``--max-age``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Assumptions that the user states."""

    settings: tuple[str, ...]
    assumptions_file: str | None

    def assumptions(self) -> Assumptions:
        """Return the bundled assumptions with a file's and then the command line's laid over them.

        Raises
        ------
        InputError
            Unknown names, values that are no numbers or mean nothing; all at once for each origin.
        """
        from planner.assumptions import default_assumptions, stated_value, stated_values

        assumptions = default_assumptions()
        if self.assumptions_file:
            from planner.inputs.reading import read_document

            document = read_document(
                self.assumptions_file, example="`gpuplan assumptions` lists the names to write, as `name: value`"
            )
            values = {name: stated_value(name, value, document.name) for name, value in flat(document.content).items()}
            assumptions = assumptions.override(values, document.name)
        chosen = stated_values(self.settings, "--set", hint="--set site.colocation.pue_ratio=1.2")
        return assumptions.override(chosen, "--set") if chosen else assumptions


assumption_options = grouped(
    "settings",
    Settings,
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="NAME=VALUE",
        shell_complete=completing("assumptions"),
        help="Override an assumption; `gpuplan assumptions` lists them.",
    ),
    click.option(
        "--assumptions",
        "assumptions_file",
        metavar="FILE",
        envvar="GPUPLAN_ASSUMPTIONS",
        help="YAML file of assumptions by their dotted names.",
    ),
)
"""``--set`` and ``--assumptions``."""


def top_option(meaning: str, name: str = "top") -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Add ``--top``."""
    return click.option("--top", name, type=click.IntRange(min=1), metavar="N", envvar="GPUPLAN_TOP", help=meaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """How much of a plan is shown: the N cheapest options besides, all tables, how each figure of the verdict comes about."""

    top_count: int | None = None
    full: bool = False
    explain: bool = False


detail_options = grouped(
    "detail",
    Shown,
    top_option("Also list the N cheapest options.", "top_count"),
    click.option("--full", is_flag=True, help="Print all tables, not only the short answer."),
    click.option(
        "--explain", is_flag=True, help="Also show how each figure of the verdict is derived, and every assumption."
    ),
)
"""``--top``, ``--full`` and ``--explain``."""


def calibration_option(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--calibration``."""
    return click.option(
        "--calibration",
        "calibration_files",
        multiple=True,
        metavar="FILE",
        envvar="GPUPLAN_CALIBRATION",
        help="Your own measured rows (CSV as for `gpuplan verify`), which set the speed of their accelerators.",
    )(function)


def calibration_of(files: tuple[str, ...], assumptions: Assumptions | None = None) -> Calibration | None:
    """Return the constants that meet the user's own rows; None where there are none.

    Parameters
    ----------
    files : tuple of str
        Tables of measured rows.
    assumptions : Assumptions, optional
        For sizing; without them the constants are for comparing with measured rows.
    """
    if not files:
        return None
    from planner.measured.verify import recalibrate

    return recalibrate([Path(file) for file in files], assumptions)


def split_names(text: str | None) -> tuple[str, ...]:
    """Return the words of a list with commas.

    Examples
    --------
    >>> split_names("on_demand, spot"), split_names(None)
    (('on_demand', 'spot'), ())
    """
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())
