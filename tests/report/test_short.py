"""The short answer: one screen, at every width, in ASCII where that is all a terminal shows, with the command that asks again."""

from __future__ import annotations

import io
import json
import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError
from rich.console import Console

from planner.assumptions import default_assumptions
from planner.cli import main
from planner.commands.output import trimmed
from planner.commands.plan import launch as launch_command
from planner.commands.plan import plan as plan_command
from planner.demand.defaults import with_limits
from planner.demand.workload import Workload
from planner.notes import Note, NoteCode
from planner.options.option import OptionKind
from planner.plan import Plan
from planner.report.because import reasons_for
from planner.report.notes import note_text
from planner.report.question import command_of, defaults_of, title_of
from planner.report.record import plan_record
from planner.report.remarks import remark_text
from planner.report.schema.option import OptionRecord
from planner.report.schema.plan import PlanRecord
from planner.report.short import next_steps, short_answer
from planner.report.table import Table, headings
from planner.report.terminal import render_short, render_tables
from planner.report.view import plan_view
from planner.report.words import seller
from planner.verdict.remarks import Remark, RemarkCode
from tests.conftest import EXAMPLES

KINDS = ("serve-llama-70b-office", "pretrain-7b", "lora-llama-8b", "batch-llama-8b", "embed-10m-documents", "diffusion-sdxl", "gpu-hours-h100", "serve-small-cpu")  # fmt: skip


def _text(record: PlanRecord, width: int) -> str:
    buffer = io.StringIO()
    render_short(short_answer(record), Console(file=buffer, width=width, no_color=True))
    return trimmed(buffer)


@pytest.mark.parametrize("name", [KINDS[0], *(pytest.param(name, marks=pytest.mark.slow) for name in KINDS[1:])])
def test_an_answer_fits_on_a_screen_and_within_its_width(name: str, plan_of: Callable[[str], Plan]) -> None:
    record = plan_record(plan_of(name), top=5)
    changes = short_answer(record).changes
    for width in (60, 80, 90, 100, 120):
        text = _text(record, width)
        assert max(len(line) for line in text.splitlines()) <= width
        assert len(text.splitlines()) <= 30 or width < 80
        assert ("What would change the decision" in text) == bool(changes)
        flat = " ".join(text.split())
        option = next(each for each in record["options"] if each["id"] == record["verdict"]["option_id"])
        assert option["region"] in flat or option["region"] == "global"
        assert seller(option["provider"]) in flat
        assert "old" in flat


def test_what_would_change_a_hosted_answer_is_told_however_much_there_is_to_say(plan_of: Callable[[str], Plan]) -> None:
    record = _hosted(plan_record(plan_of("serve-llama-70b-office"), top=5))
    for width in (80, 100):
        text = _text(record, width)
        assert len(text.splitlines()) <= 30
        assert "What would change the decision" in text
    assert "above 0.30 USD/1M tokens (now 0.20): take the GPU cloud." in " ".join(text.split())


def _hosted(record: Any) -> Any:
    """Return a record whose verdict is a hosted API with long names, long reasons and a long command."""
    api = next(each for each in record["options"] if each["kind"] == "api")
    verdict = record["verdict"]
    verdict["option_id"] = verdict["alternatives"]["api"] = api["id"]
    verdict["because"] = ["A reason that takes more than a line of a hundred columns, " + "and goes on and on " * 5] * 5
    turn = {"what": "price", "option_id": api["id"], "planned": 0.2, "value": 0.3, "unit": "USD/1M tokens"}
    verdict["turns_at"] = [{**turn, "then": verdict["alternatives"]["established"]}] * 3
    verdict["command"] += " --set site.colocation.pue_ratio=1.3" * 2
    return record


def test_a_hosted_verdict_first_says_why_hosted_wins(plan_of: Callable[[str], Plan]) -> None:
    plan = plan_of("serve-llama-70b-office")
    api = next(each for each in plan.options if each.kind is OptionKind.API and each.choosable)
    hosted = replace(plan, verdict=replace(plan.verdict, option_id=api.id))
    whys = [each.text for each in reasons_for(hosted) if each.group == "why"]
    assert "by the token you pay only for use" in whys[0]
    assert "TTFT" in whys[1]


def test_a_missed_deadline_says_how_many_machines_would_still_miss_it() -> None:
    for figures, words in (
        ((227.0, "72 x GB200", 8.52e6, 259_200.0, True, 72.0), "227 machines of 72 x GB200 (16,344 GPUs) would take 98.6 days"),
        ((64.0, "1 x L4", 7200.0, 3600.0, True, 1.0), "64 x L4 would take 2.0 hours"),
        ((1.0, "8 x H100-SXM", 7200.0, 3600.0, True, 8.0), "8 x H100-SXM would take 2.0 hours"),
        ((3.0, "AMD EPYC Genoa", 7200.0, 3600.0, True, 0.0), "3 machines of AMD EPYC Genoa would take 2.0 hours"),
    ):  # fmt: skip
        assert note_text(Note(NoteCode.DEADLINE_MISSED, figures)).startswith(words)


def test_every_sort_of_alternative_stands_there_or_says_why_not(plan_of: Callable[[str], Plan]) -> None:
    table = short_answer(plan_record(plan_of("gpu-hours-h100"), top=5)).alternatives
    words = [row[0].strip(">? ") for row in table.rows]
    assert words == ["Hyperscaler", "GPU cloud", "Cheapest rent", "Owned", "None"]
    assert table.rows[-1][1] == "- Hosted API, CPU only"
    assert "None: no such offer does this work" in table.note
    assert [row[0][:2] for row in table.rows].count("> ") == 1
    assert "capex" in table.rows[3][1]


def test_the_question_names_every_value_and_marks_the_defaults(plan_of: Callable[[str], Plan]) -> None:
    record = plan_record(plan_of("serve-llama-70b-office"), top=1)
    answer = short_answer(record)
    for words in ("20 requests/s", "peak 60 requests/s", "TTFT limit 1,000 ms", "precision fp8 or bf16", "office hours demand"):  # fmt: skip
        assert words in answer.question
    assert "owned servers in US" in answer.defaults
    assert "_" not in answer.question + answer.defaults
    assert "have" not in answer.question + answer.defaults
    assert "country" not in answer.question + answer.defaults
    keys = {each["key"] for each in record["defaults"]}
    assert "own.place" in keys
    assert "serve.requests_per_s" not in keys


@pytest.mark.parametrize(
    "name",
    [
        "lora-llama-8b",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("serve-llama-70b-office", "gpu-hours-h100")),
    ],
)
def test_the_command_asks_the_same_question_again(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "plan",
        str(EXAMPLES / f"{name}.yaml"),
        "--set",
        "site.colocation.pue_ratio=1.31",
        "-f",
        "json",
        "--top",
        "1",
    ]
    assert main(words) == 0
    first: dict[str, Any] = json.loads(capsys.readouterr().out)
    command = shlex.split(first["verdict"]["command"])
    assert command[:2] == ["gpuplan", "plan"]
    assert main([*command[1:], "-f", "json", "--top", "1"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["verdict"]["headline"] == first["verdict"]["headline"]
    assert again["workload"] == first["workload"]
    assert again["verdict"]["command"] == first["verdict"]["command"]


def test_a_plan_of_an_older_program_is_shown_with_what_it_has(plan_of: Callable[[str], Plan]) -> None:
    record: Any = plan_record(plan_of("gpu-hours-h100"), top=1)
    for key in ("defaults", "dropped"):
        del record[key]
    for key in ("alternatives", "command"):
        del record["verdict"][key]
    assert record["verdict"]["headline"] in " ".join(_text(record, 100).split())


@pytest.mark.slow
def test_all_tables_come_with_full_and_a_number_of_options_with_top(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(EXAMPLES / "gpu-hours-h100.yaml")
    assert main(["plan", path]) == 0
    assert "Options, cheapest first" not in capsys.readouterr().out
    assert main(["plan", path, "--top", "2"]) == 0
    assert "Options, cheapest first" in capsys.readouterr().out
    assert main(["plan", path, "--full"]) == 0
    full = capsys.readouterr().out
    assert "Rent against buy" in full
    assert "Sources of the prices shown" in full


def test_offers_that_are_one_to_a_buyer_are_one_line(plan_of: Callable[[str], Plan]) -> None:
    record = plan_record(plan_of("gpu-hours-h100"), top=5)
    first = record["options"][0]
    twin: OptionRecord = {
        **first,
        "id": "twin",
        "instance_type": "H100x2",
        "accelerator_count": 2.0,
        "instance_count": 4,
    }
    record["options"].insert(1, twin)
    rows = plan_view(record, top=5).options.rows
    assert sum("H100x2" in row[1] for row in rows) == 1
    assert any(" or 4 x H100x2" in row[1] for row in rows)


def test_columns_leave_by_priority_and_what_holds_nothing_is_absent() -> None:
    columns = headings("name | region | memory | source | nothing", leaving=("memory", "source"), whole=("region",))
    rows = (("instance-of-some-name", "europe-west4", "80 GiB", "a long source of this price", "-"),)

    def text(width: int) -> str:
        buffer = io.StringIO()
        render_tables([Table("", columns, rows)], Console(file=buffer, width=width))
        return buffer.getvalue()

    assert "nothing" not in text(120)
    assert "80 GiB" in text(120)
    assert "80 GiB" not in text(66)
    assert "source" in text(66)
    assert "source" not in text(40)
    assert "europe-west4" in text(40)
    assert "instance-of-some-name" in text(40)


def test_without_utf_8_only_ascii_is_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("COLUMNS", "70")
    assert main(["plan", str(EXAMPLES / "gpu-hours-h100.yaml"), "--full"]) == 0
    text = capsys.readouterr().out
    assert text.isascii()
    assert max(len(line) for line in text.splitlines()) <= 70


def _golden() -> PlanRecord:
    record: PlanRecord = json.loads((EXAMPLES.parent / "tests" / "golden" / "plan.json").read_text(encoding="utf-8"))
    return record


def test_the_answer_ends_with_the_command_that_writes_what_can_be_run() -> None:
    record = _golden()
    command = record["verdict"]["command"]
    rent = next(each for each in record["options"] if each["kind"] == "rent" and each["choosable"])
    record["verdict"]["option_id"] = rent["id"]
    assert next_steps(record) == (f"Launch: {command.replace(' plan ', ' launch ', 1)} --to skypilot",)
    rent["kind"] = "api"
    record["workload"]["kind"] = "serve"
    (step,) = next_steps(record)
    assert step.startswith(f"Next: get an API key from {rent['provider']}, or launch rented GPUs: gpuplan launch ")
    option = shlex.split(step)[-1]
    assert "--to kubernetes --option" in step
    assert [each["purchase_option"] for each in record["options"] if each["id"] == option] == ["on_demand"]


def test_launch_takes_every_option_that_the_question_may_have() -> None:
    asked = {option for each in plan_command.params for option in each.opts} - {
        "--save", "--top", "--full", "--explain", "--workers", "--engine", "--format", "-f", "workloads",
    }  # fmt: skip
    assert asked <= {option for each in launch_command.params for option in each.opts} | {"sources"}


def test_lengths_that_nobody_states_are_those_of_chats_and_marked_as_defaults() -> None:
    work = {"kind": "serve", "model": "m", "serve": {"requests_per_s": 5}}
    stated = Workload.model_validate(work)
    keys = {each["key"] for each in defaults_of(stated, with_limits(stated, default_assumptions()))}
    assert {"serve.traffic", "serve.input_tokens", "serve.output_tokens"} <= keys
    assert command_of(stated, {}, date(2026, 11, 26)) == "gpuplan plan serve --model m --rps 5 --as-of 2026-11-26"
    with pytest.raises(ValidationError, match="output_tokens"):
        Workload.model_validate(work | {"serve": {"requests_per_s": 5, "input_tokens": 100}})


def test_a_hosted_price_without_a_seller_says_why_it_is_not_taken() -> None:
    figures = ("diffusion", 0.152, 0.005, 0.0025, 0.03, "2026-11")
    said = remark_text(Remark(code=RemarkCode.HOSTED, figures=figures))
    assert "costs about 0.152 USD a month" in said
    assert "not taken, since no seller's own price with a date is known" in said


@pytest.mark.parametrize(("method", "has_rank"), [("full", False), ("lora", True), ("dpo", False)])
def test_a_rank_is_told_only_where_adapters_are_trained(method: str, has_rank: bool) -> None:
    stated = Workload.model_validate({"kind": "finetune", "model": "m", "finetune": {"method": method, "tokens_m": 1}})
    keys = {each["key"] for each in defaults_of(stated, with_limits(stated, default_assumptions()))}
    assert ("finetune.rank" in keys) == has_rank


def test_a_deadline_of_one_day_is_in_the_singular() -> None:
    work = {"kind": "pretrain", "model": "m", "pretrain": {"tokens_b": 1, "deadline_days": 1}}
    assert title_of(Workload.model_validate(work), "").endswith("deadline 1 day")
    work["pretrain"] = {"tokens_b": 1, "deadline_days": 2}
    assert title_of(Workload.model_validate(work), "").endswith("deadline 2 days")
