"""What follows a refresh in the same run: ``--then plan WORKLOAD... -o FILE``, checked before anything is asked.

The command that follows is found by its name in the program that is running, so that the knowing half knows no planner.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from pricing.commands.console import CommandLineError, format_of
from pricing.commands.schedule import Schedule

R = TypeVar("R")

FOLLOWS: Final = "plan"
DAY: Final = "{date}"
"""Stands in the words of a follow-up for the day on which it runs."""
MOST_BYTES: Final = 900_000
"""Kubernetes keeps a ConfigMap below 1 MiB."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A command that runs when the refresh is done.

    Attributes
    ----------
    words : tuple of str
        As typed, with the command's name: ``("plan", "workload.yaml", "-o", "plan-{date}.xlsx")``.
    inputs : tuple of str
        Files and folders that it reads.
    output : str
        The file that it writes.
    store : str
        The store that it names itself; empty without one.
    """

    words: tuple[str, ...]
    inputs: tuple[str, ...]
    output: str
    store: str = ""


class ThenCommand(click.Command):
    """A command whose ``--then`` takes all words that follow it, or one quoted text of them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Join what follows ``--then`` before click looks for options in it."""
        if "--then" in args:
            at = args.index("--then")
            rest = args[at + 1 :]
            is_quoted = bool(rest) and rest[0].startswith(f"{FOLLOWS} ")
            if rest and not is_quoted:
                args = [*args[:at], "--then", shlex.join(rest)]
        return super().parse_args(ctx, args)


def then_option(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--then``; the command gets a `FollowUp` or None as ``then``."""
    return click.option(
        "--then",
        metavar="plan WORKLOAD... -o FILE",
        callback=lambda ctx, _param, text: None if text is None else follow_up(ctx, _words(text)),
        help=f"Plan with the new prices in the same run; all words after it are the plan's. {DAY} in them is the day of the run.",
    )(function)


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise CommandLineError(f"cannot be read as a command line: {error}", where="--then") from None


def follow_up(ctx: click.Context, words: Sequence[str]) -> FollowUp:
    """Return a follow-up whose words the program has read, so that a wrong one is told before prices are asked.

    Raises
    ------
    CommandLineError
        It is not ``plan``, reads standard input, names no file to write, or looks at a day of the past.
    click.UsageError
        Its own words are wrong.
    """
    command = _command(ctx, words[0] if words else "")
    made = command.make_context(FOLLOWS, list(words[1:]), parent=ctx.find_root())
    inputs = tuple(text for parameter in command.params if _is_input(parameter) for text in _texts(made, parameter))
    output = made.params.get("output_path")
    if "-" in inputs:
        raise CommandLineError(
            "a scheduled run has no standard input", where="--then", hint="name the file that holds the workload"
        )
    if output is None or str(output) == "-":
        raise CommandLineError("a scheduled report needs a file", where="--then", hint="end it with -o plan.xlsx")
    if made.params.get("as_of") is not None:
        raise CommandLineError("a plan as of a fixed day needs no new prices", where="--then", hint="leave --as-of out")
    if made.params.get("format_name") is None:
        (forms,) = [parameter.type.choices for parameter in command.params if parameter.name == "format_name"]  # type: ignore[attr-defined]  # its type is a choice
        format_of(output, forms)
    is_named = made.get_parameter_source("store_uri") is click.core.ParameterSource.COMMANDLINE
    return FollowUp(tuple(words), inputs, str(output), str(made.params["store_uri"]) if is_named else "")


def _command(ctx: click.Context, name: str) -> click.Command:
    """Return the command that follows, from the program that is running."""
    root = ctx.find_root()
    command = root.command.get_command(root, FOLLOWS) if isinstance(root.command, click.Group) else None
    if command is None:
        raise CommandLineError(
            "without the planner package nothing can be planned", where="--then", hint="call it as `gpuplan prices ...`"
        )
    if name != FOLLOWS:
        raise CommandLineError(
            f"{FOLLOWS} can follow a refresh, not {name!r}",
            where="--then",
            hint=f"--then {FOLLOWS} workload.yaml -o plan.xlsx",
        )
    return command


def _is_input(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument) or (parameter.metavar == "FILE" and parameter.name != "output_path")


def _texts(ctx: click.Context, parameter: click.Parameter) -> tuple[str, ...]:
    value: Any = ctx.params.get(parameter.name or "")
    if value is None:
        return ()
    return tuple(map(str, value)) if isinstance(value, tuple) else (str(value),)


def run_follow_up(ctx: click.Context, then: FollowUp, *, today: date, store: str | None, is_quiet: bool) -> int:
    """Run what follows with the prices as they now are; return its exit status.

    Parameters
    ----------
    ctx : click.Context
        Of the command that it follows.
    then : FollowUp
        What to run.
    today : date
        Put in place of ``{date}``.
    store : str, optional
        Where the refresh put its prices; None is the user's own store.
    is_quiet : bool
        Whether it should say nothing but warnings.
    """
    words = [word.replace(DAY, today.isoformat()) for word in then.words[1:]]
    Path(then.output.replace(DAY, today.isoformat())).parent.mkdir(parents=True, exist_ok=True)
    given = [*(["--store", store] if store and not then.store else []), *(["--quiet"] if is_quiet else [])]
    with _command(ctx, then.words[0]).make_context(FOLLOWS, [*given, *words], parent=ctx.find_root()) as made:
        result = made.command.invoke(made)
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def placed(kind: str, schedule: Schedule, then: FollowUp, folder: Path) -> Schedule:
    """Return a schedule with what follows, and with where that finds its files.

    Parameters
    ----------
    kind : str
        One of `pricing.commands.schedule.SCHEDULES`.
    schedule : Schedule
        When and what.
    then : FollowUp
        What follows.
    folder : Path
        Where its words were typed; relative names are meant from here.

    Raises
    ------
    CommandLineError
        A file is not there, or cannot be there where the scheduler runs.
    """
    schedule = replace(schedule, then=then.words, output=then.output)
    named = [name for name in then.inputs if DAY not in name]
    missing = [name for name in named if not (folder / name).exists()]
    if missing:
        raise CommandLineError("no such file", where=", ".join(missing), hint="the scheduled plan would not find it")
    match kind:
        case "github":
            root = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), folder)
            _within([*then.inputs, then.output], folder, root, "GitHub runs in a checkout of the repository")
            inside = folder.relative_to(root).as_posix()
            return replace(schedule, folder="" if inside == "." else inside)
        case "kubernetes":
            _within([*then.inputs, then.output], folder, folder, "the pod has the files that lie here, and the claim")
            return replace(schedule, files=_contents(named, folder))
        case _:
            return replace(schedule, folder=str(folder))


def _within(names: Sequence[str], folder: Path, root: Path, why: str) -> None:
    """Refuse what is not named by its way from the folder, or lies outside of the root."""
    root = root.resolve()
    for name in names:
        if Path(name).is_absolute() or not (folder / name).resolve().is_relative_to(root):
            raise CommandLineError(why, where=name, hint=f"name it by its path below {root}")


def _contents(names: Sequence[str], folder: Path) -> dict[str, bytes]:
    """Return the files, and those that lie directly in the folders, by their names from here."""
    contents: dict[str, bytes] = {}
    for name in names:
        path = folder / name
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            if file.is_file():
                contents[Path(*file.relative_to(folder).parts).as_posix()] = file.read_bytes()
    size_bytes = sum(map(len, contents.values()))
    if size_bytes > MOST_BYTES:
        raise CommandLineError(
            f"a ConfigMap holds less than 1 MiB, these files are {size_bytes:,} bytes",
            where=", ".join(names),
            hint="put them on the claim, and name them by --then with their path on it from inside a pod",
        )
    return contents


def this_program() -> str:
    """Return how this program is called from anywhere: a scheduler searches few folders."""
    beside = Path(sys.executable).with_name("gpuplan")
    if beside.is_file():
        return shlex.quote(str(beside))
    spec = getattr(sys.modules["__main__"], "__spec__", None)  # python -m planner, in a checkout
    package = "" if spec is None else spec.parent or ""
    return "gpuplan" if package in {"", "pricing"} else shlex.join([sys.executable, "-P", "-m", package])


def from_anywhere(store: str) -> str:
    """Return the address of a store with the whole path of a file: a scheduler starts in another folder."""
    return store if "://" in store else str(Path(store).expanduser().absolute())
