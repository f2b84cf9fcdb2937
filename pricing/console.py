"""What every command of the program shares: lazy commands, errors and exit statuses, options, output, talk.

Data goes to standard output, talk to standard error. An error that the user can mend is one message (or one JSON object
where JSON was asked for) and an exit status; a bug keeps its traceback, shown with ``--debug``.
"""

from __future__ import annotations

import errno
import functools
import importlib
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from pricing.errors import GpuplanError, MissingLibraryError
from pricing.plain_text import inert, without_secrets

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "CommandLineError",
    "LazyGroup",
    "Output",
    "OutputError",
    "Talk",
    "common_options",
    "error_object",
    "format_of",
    "output_options",
    "run",
    "write_output",
]

P = ParamSpec("P")
R = TypeVar("R")

EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141
"""What a shell reports of a program that wrote into a closed pipe (128 + SIGPIPE)."""

LONG_WORD = re.compile(r"(\S{1000})\S+")
"""What somebody pasted in place of a name is not said back whole."""

CONFIG_FILE = "gpuplan.toml"
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

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any) -> None:  # noqa: ANN401 - click's own signature
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
    """What is said on standard error: how much of it, and whether in colour."""

    is_quiet: bool = False
    is_verbose: bool = False
    is_colored: bool = True

    def say(self, message: str) -> None:
        """Say what is worth knowing; silent with ``--quiet``."""
        if not self.is_quiet:
            self._echo(message)

    def detail(self, message: str) -> None:
        """Say what helps to find a fault; spoken with ``--verbose`` alone."""
        if self.is_verbose and not self.is_quiet:
            self._echo(message)

    def warn(self, message: str) -> None:
        """Say what makes the answer weaker; ``--quiet`` does not silence it."""
        click.echo(f"{self._tint('warning', 'yellow')}: {inert(without_secrets(message))}", err=True)

    def _echo(self, message: str) -> None:
        click.echo(inert(without_secrets(message)), err=True)

    def _tint(self, text: str, color: str) -> str:
        return click.style(text, fg=color) if self.is_colored and sys.stderr.isatty() else text

    def console(self) -> Console:
        """Return a rich console on standard error (progress bars); it shows nothing with ``--quiet``."""
        from rich.console import Console

        return Console(stderr=True, quiet=self.is_quiet, no_color=not self.is_colored)

    def is_interactive(self) -> bool:
        """Return whether someone watches standard error, so that a progress bar makes sense."""
        return not self.is_quiet and sys.stderr.isatty()


PIPE_WIDTH = 200


@dataclass(frozen=True, slots=True)
class Output:
    """Where the answer goes and in which form."""

    format: str
    path: Path | None = None
    is_colored: bool = True

    def write(self, content: str | bytes) -> None:
        """Write the whole answer: to the file, which lands whole or not at all, or to standard output."""
        write_output(content, self.path)

    def table_console(self, file: Any) -> Console:  # noqa: ANN401 - any text stream, as rich takes it
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
            help=f"Form of the answer; without it the ending of --output decides, else {formats[0]}.",
        )
        @click.option(
            "-o", "--output", "output_path", type=click.Path(path_type=Path, dir_okay=False), help="File to write."
        )
        @functools.wraps(function)
        def wrapped(*args: Any, format_name: str | None, output_path: Path | None, **kwargs: Any) -> R:  # noqa: ANN401 - passed through
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


def common_options(function: Callable[..., R]) -> Callable[..., R]:
    """Add ``--quiet``, ``--verbose``, ``--no-color`` and ``--debug``; the command gets them as one argument, ``talk``."""

    @click.option("--quiet", "is_quiet", is_flag=True, envvar="GPUPLAN_QUIET", help="Say nothing but warnings.")
    @click.option("--verbose", "is_verbose", is_flag=True, envvar="GPUPLAN_VERBOSE", help="Say more.")
    @click.option("--no-color", "is_plain", is_flag=True, help="No color; so does NO_COLOR.")
    @click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
    @functools.wraps(function)
    def wrapped(*args: Any, is_quiet: bool, is_verbose: bool, is_plain: bool, **kwargs: Any) -> R:  # noqa: ANN401 - passed through
        return function(*args, talk=Talk(is_quiet, is_verbose, _may_color(is_plain)), **kwargs)

    return wrapped


def _may_color(is_plain: bool) -> bool:
    return not is_plain and not os.environ.get("NO_COLOR")  # any value but an empty one, as no-color.org has it


def error_object(code: str, message: str, hint: str = "", where: str = "") -> str:
    """Return the JSON text of an error, as scripts read it."""
    error = {"code": code, "message": message, "hint": hint, "where": where}
    return json.dumps({"schema_version": 1, "error": error}, indent=2, ensure_ascii=False)


def run(group: click.Command, args: Sequence[str] | None = None, *, name: str = "gpuplan") -> int:
    """Run a command line and return its exit status; nothing but an exit status leaves this function.

    Parameters
    ----------
    group : click.Command
        The program.
    args : sequence of str, optional
        Without the program's name; the process's own by default.
    name : str
        The program's name in its help.

    Returns
    -------
    int
        0 an answer, 1 a bug, 2 a wrong command line, 130 interrupted; else the error's own status.
    """
    given = list(sys.argv[1:] if args is None else args)
    _mend_streams()
    try:
        defaults = _settings(group, given)
        result = group.main(given, prog_name=name, standalone_mode=False, default_map=defaults)
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
        return EXIT_PIPE_CLOSED
    except (KeyboardInterrupt, click.Abort):
        _tell(given, "interrupted", "interrupted")
        return EXIT_INTERRUPTED
    except click.UsageError as error:
        usage = error.ctx.get_usage() if error.ctx else ""
        hint = f"{error.ctx.command_path} --help" if error.ctx else ""
        _tell(given, "usage", error.format_message(), hint, preface=usage)
        return EXIT_USAGE
    except click.ClickException as error:
        _tell(given, "usage", error.format_message())
        return EXIT_USAGE
    except GpuplanError as error:
        _show_traceback(given)
        _tell(given, error.code, error.message, error.hint, error.where)
        return error.exit_status
    except OSError as error:
        if error.filename is not None:  # a name too long, a folder that may not be looked into, a loop of links
            _show_traceback(given)
            reason = (error.strerror or str(error)).lower()
            _tell(given, "input", f"cannot be used: {reason}", "name another file", str(error.filename))
            return EXIT_USAGE
        if error.errno not in {errno.ENOSPC, errno.EBADF, errno.EIO}:
            return _bug(given, error)
        _abandon_stdout()
        _tell(given, "output", f"standard output cannot be written: {error.strerror}", "name a file: -o FILE")
        return EXIT_USAGE
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug becomes a message and status 1
        return _bug(given, error)
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def _bug(given: Sequence[str], error: Exception) -> int:
    """Say what nobody foresaw; the lack of an extra's library is none of it."""
    if (missing := MissingLibraryError.of(error)) is not None:
        _tell(given, missing.code, missing.message, missing.hint)
        return missing.exit_status
    if not _show_traceback(given):
        _tell(given, "bug", f"a bug of this program: {type(error).__name__}: {error}", "run it again with --debug")
    elif _wants_json(given):
        _tell(given, "bug", f"{type(error).__name__}: {error}")
    return EXIT_BUG


class _ClosedStream(io.TextIOBase):
    """Standard output that was closed before the program began: whatever is written to it is an error that is told."""

    def write(self, _text: str) -> int:
        """Refuse."""
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))


def _mend_streams() -> None:
    """Make standard streams that are closed, or cannot show every character, do what can be done with them."""
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115  as long as the program
    if sys.stdout is None:
        sys.stdout = _ClosedStream()
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  the same
    for stream, errors in ((sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def _settings(group: click.Command, given: Sequence[str]) -> dict[str, Any]:
    """Return the defaults of the settings files, and say on standard error which ones are used."""
    files = (Path.cwd() / CONFIG_FILE, _user_config())
    if not isinstance(group, click.Group) or not any(path.is_file() for path in files):
        return {}
    from pricing.settings import read_settings

    defaults, used = read_settings(group, *files)
    if not {"--quiet", "--help", "-h", "--version"} & set(given) and not os.environ.get("GPUPLAN_QUIET"):
        click.echo(f"settings: {', '.join(str(path) for path in used)}", err=True)
    return defaults


def _show_traceback(args: Sequence[str]) -> bool:
    if "--debug" not in args:
        return False
    import traceback

    traceback.print_exc()
    return True


def _tell(args: Sequence[str], code: str, message: str, hint: str = "", where: str = "", *, preface: str = "") -> None:
    message, hint, where, preface = (
        LONG_WORD.sub(r"\1...", inert(without_secrets(text))) for text in (message, hint, where, preface)
    )
    with suppress(BrokenPipeError):
        if _wants_json(args):
            click.echo(error_object(code, message, hint, where))
            return
        place = f"{where}: " if where else ""
        click.echo(f"{preface}\nerror: {place}{message}".lstrip("\n"), err=True)
        if hint:
            click.echo(f"  hint: {hint}", err=True)


def _wants_json(args: Sequence[str]) -> bool:
    """Return whether JSON was asked for; read from the words themselves, since the parsing may be what failed."""
    if os.environ.get("GPUPLAN_FORMAT") == "json" and not any(a.startswith(("-f", "--format")) for a in args):
        return True
    pairs = zip(args, [*args, ""][1:], strict=True)
    asked = [word for word in args if word in {"--format=json", "-fjson", "-f=json"}]
    return bool(asked) or any(word in {"-f", "--format"} and value == "json" for word, value in pairs)


def _abandon_stdout() -> None:
    # The reader is gone; without this the interpreter complains again when it flushes at the end.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _user_config() -> Path:
    from platformdirs import user_config_path

    return user_config_path("gpuplan") / "config.toml"
