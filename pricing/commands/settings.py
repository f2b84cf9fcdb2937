"""Settings files: ``gpuplan.toml`` of the folder and the user's own, checked against the options that commands have."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click

from pricing.errors import GpuplanError

TRUSTED = "trusted_folders"
"""Key of the user's own settings: folders whose gpuplan.toml may set anything."""
MOST_BYTES = 1 << 20
KEPT_FROM_FOLDERS = {
    "output": "where output goes",
    "host": "what the page listens on",
    "port": "what the page listens on",
    "allow_host": "what the page listens on",
    "command": "which program is scheduled",
    "engine": "which server is contacted",
}
"""What the file of a folder, which may be somebody else's, cannot set; nor a store on a server."""

Settings = dict[str, Any]


class SettingsError(GpuplanError):
    """A settings file that cannot be read, or holds a key or value that no option has."""

    code = "settings"


def read_settings(group: click.Group, folder_file: Path, user_file: Path) -> tuple[Settings, tuple[Path, ...]]:
    """Return the defaults that a user wrote down, and the files that they come from; the folder's win over the user's.

    Parameters
    ----------
    group : click.Group
        The program: a key is an option's long name, a table is named after a command and holds for it alone.
    folder_file, user_file : Path
        TOML files; those that do not exist are passed over.

    Raises
    ------
    SettingsError
        Where a file is not TOML, a key is no option's name, a value is none that the option takes, or the folder's file
        sets what only a trusted folder's may.
    """
    files = [path for path in (user_file, folder_file) if path.is_file()]
    merged: Settings = {}
    trusted: list[str] = []
    for path in files:
        content = _read(path)
        if path == user_file:
            trusted = _folders(content.pop(TRUSTED, []), path)
        is_trusted = path == user_file or str(folder_file.parent.resolve()) in trusted
        checked = _checked(group, content, path)
        if not is_trusted:
            _refuse_untrusted(content, path, user_file)
        merged = _overlay(merged, checked)
    return merged, tuple(files)


def _read(path: Path) -> Settings:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise SettingsError("the settings are larger than 1 MiB", where=str(path))
        return tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SettingsError("not UTF-8 text; save the file as UTF-8", where=f"{path}, line {line}") from None
    except RecursionError:
        raise SettingsError("brackets are nested too deeply", where=str(path)) from None
    except (ValueError, OSError) as error:
        raise SettingsError(f"cannot read the settings: {error}", where=str(path)) from None


def _folders(value: object, path: Path) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(folder, str) for folder in value):
        raise SettingsError("expected a list of folders", where=f"{path}, {TRUSTED}")
    return [str(Path(folder).expanduser().resolve()) for folder in value]


def _checked(group: click.Group, content: Mapping[str, Any], path: Path, prefix: str = "") -> Settings:
    """Return settings under the names of options, with the values in the form in which the command line takes them."""
    commands = dict(_commands(group))
    shared = {name: option for command in _leaves(group) for name, option in _options(command).items()}
    checked: Settings = {}
    for key, value in content.items():
        command = commands.get(key)
        if isinstance(value, dict) and isinstance(command, click.Group):
            checked[_name_of(key)] = _checked(command, value, path, f"{prefix}{key}.")
        elif isinstance(value, dict) and command is not None:
            options = _options(command)
            checked[_name_of(key)] = {
                _name_of(inner): _value(options, inner, inner_value, _place(path, inner, f"{prefix}{key}."))
                for inner, inner_value in value.items()
            }
        else:
            checked[_name_of(key)] = _value(shared, key, value, _place(path, key, prefix), also=commands)
    return checked


def _name_of(key: str) -> str:
    """Return a key as options name it."""
    return key.replace("-", "_")


def _commands(group: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None:
            yield name, command


def _leaves(group: click.Group) -> Iterator[click.Command]:
    for _, command in _commands(group):
        if isinstance(command, click.Group):
            yield from _leaves(command)
        else:
            yield command


def _options(command: click.Command) -> dict[str, click.Option]:
    """Return a command's options by their long names."""
    return {
        _name_of(word.removeprefix("--")): parameter
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for word in parameter.opts
        if word.startswith("--")
    }


def _value(
    options: Mapping[str, click.Option], key: str, value: object, where: str, also: Mapping[str, object] | None = None
) -> object:
    option = options.get(_name_of(key))
    if option is None:
        close = difflib.get_close_matches(_name_of(key), [*options, *(also or {})], n=1)
        hint = f"did you mean {close[0]}?" if close else "gpuplan COMMAND --help lists the options that can be set"
        raise SettingsError(f"no option is called {key}", hint=hint, where=where)
    if option.is_flag:
        if not isinstance(value, bool):
            raise SettingsError(f"expected true or false, got {value!r}", where=where)
        return value
    if option.multiple:
        if not isinstance(value, list):
            hint = f'{key} = ["{value}"]' if isinstance(value, str) else ""
            raise SettingsError(f"expected a list, got {value!r}", hint=hint, where=where)
        return [_scalar(option, item, where) for item in value]
    return _scalar(option, value, where)


def _scalar(option: click.Option, value: object, where: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float | date):
        raise SettingsError(f"expected one value, got {value!r}", where=where)
    text = str(value)
    try:
        option.type.convert(text, option, None)
    except click.BadParameter as error:
        raise SettingsError(error.message, where=where) from None
    except (ValueError, OverflowError):
        raise SettingsError(f"{text[:40]} cannot be read", where=where) from None
    return text


def _refuse_untrusted(content: Mapping[str, Any], path: Path, user_file: Path, prefix: str = "") -> None:
    """Refuse what the file of a folder, which may be somebody else's, cannot set."""
    for key, value in content.items():
        if isinstance(value, dict):
            _refuse_untrusted(value, path, user_file, f"{prefix}{key}.")
            continue
        name = _name_of(key)
        what = "which server is contacted" if name == "store" and "://" in str(value) else KEPT_FROM_FOLDERS.get(name)
        if what is not None:
            raise SettingsError(
                f"a settings file of a folder does not decide {what} unless you trust the folder",
                hint=f"give it as an option, or write {TRUSTED} = [{str(Path.cwd())!r}] into {user_file}",
                where=_place(path, key, prefix),
            )


def _place(path: Path, key: str, prefix: str) -> str:
    """Return the place of a key: its file, its line where known, and its name."""
    pattern = re.compile(rf"""^\s*["']?{re.escape(key)}["']?\s*=""")
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    line = next((f", line {number}" for number, line in lines if pattern.match(line)), "")
    return f"{path}{line}, {prefix}{key}"


def _overlay(base: Mapping[str, Any], top: Mapping[str, Any]) -> Settings:
    merged = dict(base)
    for name, value in top.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = _overlay(merged[name], value)
        else:
            merged[name] = value
    return merged
