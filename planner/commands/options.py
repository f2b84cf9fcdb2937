"""Options that mean the same in every command, and what they resolve to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from planner.errors import InputError
from pricing.console import CommandLineError

if TYPE_CHECKING:
    from planner.assumptions import Assumptions
    from planner.supply.calibration import Calibration

__all__ = [
    "belief_options",
    "beliefs_of",
    "calibration_of",
    "calibration_option",
    "filter_options",
    "split_names",
    "store_options",
]

R = TypeVar("R")


def filter_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--provider``, ``--region``, ``--country`` and ``--purchase``."""
    for option in (
        click.option(
            "--purchase", envvar="GPUPLAN_PURCHASE", help="Ways to pay, with commas: on_demand,spot,reserved_1y."
        ),
        click.option(
            "--country", "countries", multiple=True, envvar="GPUPLAN_COUNTRY", help="Only in this country (DE)."
        ),
        click.option("--region", "regions", multiple=True, envvar="GPUPLAN_REGION", help="Only in this region."),
        click.option(
            "--provider", "providers", multiple=True, envvar="GPUPLAN_PROVIDER", help="Only from this provider."
        ),
    ):
        function = option(function)
    return function


def store_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--store``, ``--as-of`` and ``--max-age``."""
    for option in (
        click.option(
            "--max-age",
            "max_age_days",
            type=click.IntRange(min=0),
            metavar="DAYS",
            envvar="GPUPLAN_MAX_AGE",
            help="Refuse prices older than this.",
        ),
        click.option(
            "--as-of",
            "as_of",
            type=click.DateTime(["%Y-%m-%d"]),
            metavar="DATE",
            envvar="GPUPLAN_AS_OF",
            help="Answer as on that day.",
        ),
        click.option("--store", "store_uri", metavar="URI", envvar="GPUPLAN_STORE", help="Where prices are kept."),
    ):
        function = option(function)
    return function


def belief_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--set`` and ``--assumptions``."""
    for option in (
        click.option(
            "--assumptions",
            "assumptions_file",
            metavar="FILE",
            envvar="GPUPLAN_ASSUMPTIONS",
            help="YAML of assumptions by their dotted names.",
        ),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="NAME=VALUE",
            help="Override an assumption; `gpuplan assumptions` lists them.",
        ),
    ):
        function = option(function)
    return function


def calibration_option(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--calibration``."""
    return click.option(
        "--calibration",
        "calibration_files",
        multiple=True,
        metavar="FILE",
        envvar="GPUPLAN_CALIBRATION",
        help="Your own measured rows (CSV as for `gpuplan verify`): their accelerators' speeds are taken from them.",
    )(function)


def calibration_of(files: tuple[str, ...], beliefs: Assumptions | None = None) -> Calibration | None:
    """Return the constants that meet the user's own rows; None where there are none.

    Parameters
    ----------
    files : tuple of str
        Tables of measured rows.
    beliefs : Assumptions, optional
        For sizing; without them the constants are for comparing with measured rows.
    """
    if not files:
        return None
    from planner.verify import recalibrate

    return recalibrate([Path(file) for file in files], beliefs)


def split_names(text: str | None) -> tuple[str, ...]:
    """Return the words of a list with commas.

    Examples
    --------
    >>> split_names("on_demand, spot"), split_names(None)
    (('on_demand', 'spot'), ())
    """
    return tuple(word.strip() for word in (text or "").split(",") if word.strip())


def _number(name: str, value: Any, origin: str) -> float:  # noqa: ANN401  a YAML value or an option's text
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InputError(f"{name} must be a number, got {value!r}", where=origin)
    try:
        return float(value)
    except ValueError:
        raise InputError(f"{name} must be a number, got {value!r}", where=origin) from None


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as dotted names: ``own: {pue_ratio: 1.2}`` is ``own.pue_ratio: 1.2``."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            flat.update(_flat(value, f"{name}."))
        else:
            flat[name] = value
    return flat


def beliefs_of(settings: tuple[str, ...], assumptions_file: str | None) -> Assumptions:
    """Return the bundled beliefs with a file's and then the command line's laid over them.

    Raises
    ------
    InputError
        Unknown names, values that are no numbers or mean nothing; all at once for each origin.
    """
    from planner.assumptions import default_assumptions

    beliefs = default_assumptions()
    if assumptions_file:
        from planner.inputs import read_document

        document = read_document(assumptions_file)
        values = {name: _number(name, value, document.name) for name, value in _flat(document.content).items()}
        beliefs = beliefs.override(values, document.name)
    chosen = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise CommandLineError(
                f"NAME=VALUE was expected, got {setting!r}", where="--set", hint="--set own.pue_ratio=1.2"
            )
        chosen[name.strip()] = _number(name.strip(), value.strip(), "--set")
    return beliefs.override(chosen, "--set") if chosen else beliefs


def day_of(as_of: datetime | None) -> date:
    """Return the day that was asked for, else today: this is the program's one look at the clock."""
    return as_of.date() if as_of else datetime.now().astimezone().date()
