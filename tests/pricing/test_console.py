"""The shared plumbing of the command line: errors, statuses, output that lands whole, settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from pricing.commands.console import LazyGroup, Output, Talk, common_options, output_options, write_output
from pricing.commands.runner import run
from pricing.errors import PricingError


@click.command()
@click.option("--horizon", default=36)
@output_options("table", "json", "csv")
@common_options
def show(horizon: int, output: Output, talk: Talk) -> None:
    talk.say("talking")
    output.write(f"{output.format} {horizon}")


@click.command()
@output_options("table", "json")
def fail(output: Output) -> None:
    raise PricingError("no such GPU", hint="try h100", where="--gpu")


@click.command()
def crash() -> None:
    raise ZeroDivisionError("oops")


@click.command()
def stop() -> None:
    raise KeyboardInterrupt


@click.command()
def five() -> int:
    return 5


TABLE = {
    "show": (f"{__name__}:show", "Show a thing"),
    "absent": ("no_such_module:command", "A command whose module is never imported for help"),
}


def program() -> LazyGroup:
    group = LazyGroup(name="gpuplan", table=TABLE)
    for command in (show, fail, crash, stop, five):
        group.add_command(command)
    group.table.pop("show")
    return group


def test_help_imports_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(program(), ["--help"]) == 0
    assert "A command whose module is never imported" in capsys.readouterr().out


def test_a_wrong_command_names_the_nearest_known_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(program(), ["shw"]) == 2
    assert "Did you mean 'show'" in capsys.readouterr().err


def test_an_error_the_user_can_mend_says_where_what_and_the_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(program(), ["fail"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: --gpu: no such GPU\n  hint: try h100\n"


@pytest.mark.parametrize("words", [["fail", "--format", "json"], ["fail", "-fjson"], ["fail", "--format=json"]])
def test_with_json_asked_for_an_error_is_an_object_on_standard_output(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(program(), words)
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert answer == {
        "schema_version": 1,
        "error": {"code": "pricing", "message": "no such GPU", "hint": "try h100", "where": "--gpu"},
    }


def test_a_wrong_option_is_an_object_too_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(program(), ["show", "--format", "json", "--horizn", "3"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


def test_a_bug_is_status_1_and_shows_its_traceback_only_with_debug(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(program(), ["crash"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_program_that_fails_without_any_words_tells_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(fail, []) == 2
    assert "no such GPU" in capsys.readouterr().err


def test_an_interruption_is_status_130() -> None:
    assert run(program(), ["stop"]) == 130


def test_a_command_may_return_its_own_status() -> None:
    assert run(program(), ["five"]) == 5


def test_the_ending_of_the_output_picks_the_form(tmp_path: Path) -> None:
    target = tmp_path / "answer.csv"
    assert run(program(), ["show", "-o", str(target)]) == 0
    assert target.read_text() == "csv 36\n"


def test_an_ending_without_a_form_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(program(), ["show", "-o", str(tmp_path / "answer.doc")]) == 2
    assert ".csv" in capsys.readouterr().err


def test_quiet_silences_the_talk_and_not_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    run(program(), ["show", "--quiet"])
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("table 36\n", "")


def test_settings_of_the_folder_are_defaults_that_an_option_overrides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    group = program()
    group.table.clear()  # settings are checked against the options of all commands, so these are imported
    Path("gpuplan.toml").write_text("horizon = 48\n[show]\nquiet = true\n")
    run(group, ["show"])
    assert capsys.readouterr().out == "table 48\n"
    Path("gpuplan.toml").write_text("[show]\nhorizon = 60\n")
    run(group, ["show"])
    run(group, ["show", "--horizon", "12"])
    assert capsys.readouterr().out == "table 60\ntable 12\n"


def test_settings_that_cannot_be_read_name_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gpuplan.toml").write_text("horizon = \n")
    assert run(program(), ["show"]) == 2
    assert "gpuplan.toml" in capsys.readouterr().err


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "plan.json"
    target.write_text("old\n")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(PricingError.__mro__[1], match="No space left"):
        write_output("new", target)
    assert target.read_text() == "old\n"
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
