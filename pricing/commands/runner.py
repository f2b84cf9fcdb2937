"""The run of a command line, from its words to an exit status.

An error that the user can mend is one message (or one JSON object where JSON was asked for) and an exit status; a bug keeps
its traceback, shown with ``--debug``.
"""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from pricing.errors import GpuplanError, MissingLibraryError
from pricing.plain_text import said

EXIT_BUG = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE_CLOSED = 141
"""What a shell reports of a program that wrote into a closed pipe (128 + SIGPIPE)."""


CONFIG_FILE = "gpuplan.toml"


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
    from platformdirs import user_config_path

    files = (Path.cwd() / CONFIG_FILE, user_config_path("gpuplan") / "config.toml")
    if not isinstance(group, click.Group) or not any(path.is_file() for path in files):
        return {}
    from pricing.commands.settings import read_settings

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
    message, hint, where, preface = map(said, (message, hint, where, preface))
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
