"""What every command of the program shares: lazy commands, options, output, messages and progress.

Data goes to standard output, messages to standard error.
"""

from __future__ import annotations

import functools
import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from pricing.errors import GpuplanError
from pricing.plain_text import said

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from rich.console import Console

    from pricing.refresh.run import Progress

R = TypeVar("R")

ENDINGS = {
    ".json": "json",
    ".csv": "csv",
    ".parquet": "parquet",
    ".md": "md",
    ".html": "html",
    ".htm": "html",
    ".xlsx": "xlsx",
    ".txt": "table",
}


PIPE_WIDTH = 200


class CommandLineError(GpuplanError):
    """Options that do not go together or hold a value that cannot be read."""

    code = "usage"


class OutputError(GpuplanError):
    """A file that cannot be written."""

    code = "output"


class LazyGroup(click.Group):
    """A group that imports a command only when it is called.

    Parameters
    ----------
    table : mapping of str to (str, str)
        Command name to ``"package.module:attribute"`` and its one-line help, so that ``--help`` imports nothing.
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.table = dict(table or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of the table, which is the order of the help."""
        return [*self.table, *(name for name in super().list_commands(ctx) if name not in self.table)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; its defaults are the group's, overlaid with its own table of the config."""
        command = self._imported(cmd_name) if cmd_name in self.table else super().get_command(ctx, cmd_name)
        if command is not None and ctx.default_map is not None:
            shared = {key: value for key, value in ctx.default_map.items() if not isinstance(value, dict)}
            own = ctx.default_map.get(cmd_name)
            ctx.default_map[cmd_name] = _by_parameter(command, {**shared, **(own if isinstance(own, dict) else {})})
        return command

    def _imported(self, name: str) -> click.Command:
        module, attribute = self.table[name][0].split(":")
        command = getattr(importlib.import_module(module), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.table[name][0]} is not a click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which known name is nearest."""
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            import difflib

            close = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            nearest = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(self.list_commands(ctx))}."
            raise click.UsageError(f"No such command '{name}'. {nearest}", ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands from the table; click's own way would import each of them for its help."""
        rows = [
            (name, self.table[name][1] if name in self.table else self.commands[name].get_short_help_str(80))
            for name in self.list_commands(ctx)
        ]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _by_parameter(command: click.Command, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings under the names of a command's parameters; people write the long names of options."""
    if isinstance(command, click.Group):
        return dict(settings)
    names = {
        option.lstrip("-").replace("-", "_"): str(parameter.name)
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    named = {names.get(key, key): value for key, value in settings.items()}
    return {name: value for name, value in named.items() if name in set(names.values())}


@dataclass(frozen=True, slots=True)
class Talk:
    """What is said on standard error: how much of it, and whether in color."""

    is_quiet: bool = False
    is_verbose: bool = False
    is_colored: bool = True

    def say(self, message: str) -> None:
        """Print a message; silent with ``--quiet``."""
        if not self.is_quiet:
            click.echo(said(message), err=True)

    def detail(self, message: str) -> None:
        """Say what helps to find a fault; spoken with ``--verbose`` alone."""
        if self.is_verbose:
            self.say(message)

    def warn(self, message: str) -> None:
        """Say what makes the answer weaker; ``--quiet`` does not silence it."""
        is_tinted = self.is_colored and sys.stderr.isatty()
        click.echo(f"{click.style('warning', fg='yellow') if is_tinted else 'warning'}: {said(message)}", err=True)

    def console(self) -> Console:
        """Return a rich console on standard error (progress bars); it shows nothing with ``--quiet``."""
        from rich.console import Console

        return Console(stderr=True, quiet=self.is_quiet, no_color=not self.is_colored)

    def is_interactive(self) -> bool:
        """Return whether someone watches standard error, so that a progress bar makes sense."""
        return not self.is_quiet and sys.stderr.isatty()


@dataclass(frozen=True, slots=True)
class Output:
    """Where the answer goes and in which form."""

    format: str
    path: Path | None = None
    is_colored: bool = True

    def write(self, content: str | bytes) -> None:
        """Write the whole answer: to the file, which lands whole or not at all, or to standard output."""
        write_output(content, self.path)

    def table_console(self, file: IO[str]) -> Console:
        """Return a rich console for tables: as wide as the terminal or `COLUMNS`, never cut to the width of a pipe or a file."""
        from rich.console import Console

        is_seen = self.path is None and (sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit())
        width = shutil.get_terminal_size().columns if is_seen else PIPE_WIDTH
        return Console(file=file, no_color=not self.is_colored, width=width, soft_wrap=False)


def write_output(content: str | bytes, path: Path | None = None) -> None:
    """Write to standard output, or to a file that lands whole or not at all.

    Parameters
    ----------
    content : str or bytes
        Text gets a final newline if it lacks one.
    path : Path, optional
        None or ``-`` is standard output.

    Raises
    ------
    OutputError
        Where the file cannot be written; what stood there before is untouched.
    """
    if isinstance(content, str) and not content.endswith("\n"):
        content += "\n"
    if path is None or str(path) == "-":
        if isinstance(content, bytes) and sys.stdout.isatty():
            raise OutputError("this form is not text, so it is not written to a terminal", hint="name a file: -o FILE")
        click.echo(content, nl=False)
        return
    data = content.encode() if isinstance(content, str) else content
    try:
        if path.exists() and not path.is_file():  # a pipe or a device has no "whole or not at all"
            path.write_bytes(data)
        else:
            _replace(path, data)
    except OSError as error:
        raise OutputError(
            f"cannot write the file: {error.strerror or error}",
            hint="nothing was changed; choose another place with -o",
            where=str(path),
        ) from error


def _replace(path: Path, data: bytes) -> None:
    target = Path(os.path.realpath(path))  # through a link, so that the link stays one
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():  # a new file stays its owner's alone, as it was made
            Path(name).chmod(target.stat().st_mode & 0o777)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def output_options(*formats: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Add ``-f/--format`` and ``-o/--output`` to a command, which gets them as one argument, ``output``.

    Parameters
    ----------
    *formats : str
        Those that make sense for the command; the first is the default.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        @click.option(
            "-f",
            "--format",
            "format_name",
            type=click.Choice(formats),
            envvar="GPUPLAN_FORMAT",
            help=f"Format of the answer; by default from the ending of --output, else {formats[0]}.",
        )
        @click.option(
            "-o", "--output", "output_path", type=click.Path(path_type=Path, dir_okay=False), help="File to write."
        )
        @functools.wraps(function)
        def wrapped(*args: Any, format_name: str | None, output_path: Path | None, **kwargs: Any) -> R:
            path = None if output_path is None or str(output_path) == "-" else output_path
            chosen = format_name or format_of(path, formats)
            context = click.get_current_context(silent=True)
            colored = _may_color(bool(context and context.params.get("is_plain")))
            return function(*args, output=Output(chosen, path, colored), **kwargs)

        return wrapped

    return decorate


def format_of(path: Path | None, formats: Sequence[str]) -> str:
    """Return the form that a file's ending names; the first one without a file.

    Raises
    ------
    CommandLineError
        The ending names none of them.
    """
    if path is None:
        return formats[0]
    named = ENDINGS.get(path.suffix.lower())
    if named in formats:
        return str(named)
    endings = ", ".join(ending for ending, form in ENDINGS.items() if form in formats)
    raise CommandLineError(
        f"the ending '{path.suffix}' names no form that this command writes",
        hint=f"use one of {endings}, or say --format",
        where=str(path),
    )


def grouped(
    argument: str, group: type[DataclassInstance], *options: Callable[[Any], Any]
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Make options that belong together one argument of a command.

    Parameters
    ----------
    argument : str
        Its name in the command.
    group : dataclass
        Its type, with a field for each option.
    *options
        Of click, in the order of the help.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> R:
            values = {field.name: kwargs.pop(field.name) for field in fields(group)}
            return function(*args, **{argument: group(**values)}, **kwargs)

        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate


def common_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--quiet``, ``--verbose``, ``--no-color`` and ``--debug``; the command gets them as one argument, ``talk``."""

    @click.option("--quiet", "is_quiet", is_flag=True, envvar="GPUPLAN_QUIET", help="Print only warnings.")
    @click.option("--verbose", "is_verbose", is_flag=True, envvar="GPUPLAN_VERBOSE", help="Print more detail.")
    @click.option("--no-color", "is_plain", is_flag=True, help="No color; NO_COLOR does the same.")
    @click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
    @functools.wraps(function)
    def wrapped(*args: Any, is_quiet: bool, is_verbose: bool, is_plain: bool, **kwargs: Any) -> R:
        return function(*args, talk=Talk(is_quiet, is_verbose, _may_color(is_plain)), **kwargs)

    return wrapped


def _may_color(is_plain: bool) -> bool:
    return not is_plain and not os.environ.get("NO_COLOR")  # any value but an empty one, as no-color.org has it


@contextmanager
def watched(talk: Talk, names: Sequence[str]) -> Iterator[Progress]:
    """Show how a refresh goes while the context lasts.

    Parameters
    ----------
    talk : Talk
        Says whether someone watches.
    names : sequence of str
        The providers.
    """
    if not talk.is_interactive():
        yield lambda provider, stage, _pages: talk.detail(f"{provider}: {stage}") if stage != "asking" else None
        return
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[stage]:<8} {task.fields[pages]:>5} pages"),
        TimeElapsedColumn(),
    )
    steps = {"asking": 1, "reading": 2, "storing": 3, "done": 4}
    with Bars(*columns, console=talk.console(), transient=True) as bars:
        tasks = {name: bars.add_task(name, total=4, stage="asking", pages=0) for name in names}

        def show(provider: str, stage: str, pages: int) -> None:
            bars.update(tasks[provider], completed=steps[stage], stage=stage, pages=pages)

        yield show
