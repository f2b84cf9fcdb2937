"""Files a user writes: every fault told, each with its place."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from planner.commands.files import KINDS
from planner.demand.workload import Workload
from planner.errors import InputError
from planner.inputs.reading import document_of, read_document, validated
from planner.mix.request import MixRequest
from planner.scenario.schema import Scenario


def _read(tmp_path: Path, text: str | bytes) -> Workload:
    path = tmp_path / "w.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return validated(read_document(str(path)), Workload)


SERVE = "kind: serve\nmodel: llama-3.1-8b\nserve: {requests_per_s: 2, input_tokens: 3, output_tokens: 4}\n"


def test_a_workload_is_read_from_yaml_and_from_json_alike(tmp_path: Path) -> None:
    json = '{"kind": "serve", "model": "llama-3.1-8b", "serve": {"requests_per_s": 2, "input_tokens": 3, "output_tokens": 4}}'
    assert _read(tmp_path, SERVE) == _read(tmp_path, json)


OF_OTHERS = {
    "breakeven": "rent: {usd_per_hour: 98}\nbuy: {capex_usd: 833806}\n",
    "mix": "gpu: h100-sxm\ndemand: {profile: steady, mean_gpus: 4}\n",
    "plan": SERVE,
}


@pytest.mark.parametrize(("model", "own"), [(Workload, "plan"), (Scenario, "breakeven"), (MixRequest, "mix")])
def test_a_file_of_another_command_is_refused_with_that_command(model: type[BaseModel], own: str) -> None:
    for command, text in OF_OTHERS.items():
        if command == own:
            continue
        with pytest.raises(InputError) as caught:
            validated(document_of(text, "f.yaml"), model)
        assert caught.value.message == f"this file is for `gpuplan {command}`"
        assert caught.value.hint == f"gpuplan {command} f.yaml"


def test_a_slip_in_a_file_of_this_command_is_told_as_one() -> None:
    with pytest.raises(InputError, match="unknown key 'demand'"):
        validated(document_of(SERVE + "demand: {mean_gpus: 4}\n", "f.yaml"), Workload)


def test_all_faults_are_told_at_once_with_line_and_nearest_key(tmp_path: Path) -> None:
    text = (
        "kind: serve\n"
        "model: {parameters_b: -1, layres: 3}\n"
        "precision: fp9\n"
        "serve:\n"
        "  requests_per_s: 20 rps\n"
        "  input_tokens: 1000.5\n"
        "  output_tokens: 300\n"
        "  ttft_limit: 3\n"
        "  tpot_limit_ms: .nan\n"
        "constraints: {max_gpu: 3}\n"
        "horizon_months: 1e9\n"
    )
    with pytest.raises(InputError) as caught:
        _read(tmp_path, text)
    lines = str(caught.value).splitlines()
    told = [line.split("w.yaml:")[1] for line in lines]
    assert [entry.split(":")[0] for entry in told] == ["2", "2", "3", "5", "6", "8", "9", "10", "11"]
    for words in (
        "must be above 0",
        "'layers'",
        "'fp8'",
        "plain number",
        "whole number",
        "'ttft_limit_ms'",
        "finite",
        "'max_gpus'",
        "at most 600",
    ):
        assert any(words in entry for entry in told), words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("   \n# nothing\n", "keys with values"),
        ("[1, 2]", "keys with values"),
        ("just text", "keys with values"),
        ("kind: serve\nkind: batch\n", "appears twice"),
        ("a: [1", "not valid YAML"),
        ("a: 1\nb: \x00", "w.yaml:2:4: not valid YAML: the character U+0000"),
        ("kind: serve\nx: caf\xe9".encode("latin-1"), "w.yaml:2:7: not UTF-8 text: byte 0xe9"),
        ("kind: serve".encode("utf-16"), "is it UTF-16? Save it as UTF-8"),
        ("kind: !!bool maybe", "w.yaml:1:7: the tag"),
        ("kind: !!int ''", "w.yaml:1:7: the tag"),
        ("kind: !!float ''", "the tag"),
        ("kind: !!timestamp x", "the tag"),
        ("kind: !!binary aGk=", "the tag"),
        ("kind: !!set {serve}", "the tag"),
        ("!!python/object:os.system {a: 1}", "the tag"),
        ("? [kind]\n: serve", "a key must be a word"),
        ("horizon_months: " + "1" * 5_000, "w.yaml:1:17: a whole number of 5,000 digits"),
        ("horizon_months: " + "1" * 400, "a whole number of 400 digits"),
        ('model: "\\ud800"', "surrogate"),
        ("serve: &x [*x]", "nested deeper"),
        ("constraints: 5", "constraints must be keys with values, got 5"),
        ("constraints: {min_secure: maybe}", "must be true or false, got 'maybe'"),
        ("constraints: {gpus: 3}", "must be a list, got 3"),
        ("precision: 5", "precision must be a list, got 5"),
        ("kind: gpu_hours\ngpu_hours: {gpu: ''}", "at least 1 characters, got 0"),
        ("model: ~\nserve: ~\nkind: ~", "got nothing"),
        (b"\xff\xfe\xff", "not UTF-8"),
        ("kind: serv\n", "did you mean 'serve'"),
        ("kind: serve\nmodel: x\n", "section `serve:`"),
        (SERVE + "batch: {requests: 1, input_tokens: 1, output_tokens: 1}\n", "does not belong here"),
        (SERVE.replace("model: llama-3.1-8b\n", ""), "needs a `model:`"),
        (SERVE.replace("requests_per_s: 2", "requests_per_s: true"), "got true"),
        (SERVE.replace("requests_per_s: 2", "requests_per_s: 2, peak_requests_per_s: 1"), "must not be below"),
        (SERVE + "runs_per_month: 2\n", "jobs that end"),
        ("x: " + "[" * 60 + "]" * 60, "nested deeper"),
        ("x" * 1_000_001, "larger than"),
    ],
)
def test_a_broken_file_gets_one_clear_message(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        _read(tmp_path, text)
    assert words in str(caught.value)
    assert "w.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("written", "count"),
    [("010", 10), ("08", 8), ("+007", 7), ("0o17", 15), ("0x1F", 31), ("1_000", 1000), ("!!str 8", 8), ("1e1", 10)],
)
def test_numbers_are_those_of_yaml_1_2(tmp_path: Path, written: str, count: int) -> None:
    work = _read(tmp_path, f"kind: gpu_hours\ngpu_hours: {{gpu: h100-sxm, count: {written}}}\n")
    assert work.gpu_hours is not None
    assert work.gpu_hours.count == count


def test_no_message_about_a_users_file_is_in_the_words_of_the_library(tmp_path: Path) -> None:
    for value in ("~", "5", "x", "[1]", "{a: 1}", "true", ".nan", "1e400", "2026-01-01", "''"):
        for key in ("kind", "model", "precision", "constraints", "own", "serve", "horizon_months", "runs_per_month"):
            with pytest.raises(InputError) as caught:
                _read(tmp_path, f"{key}: {value}\n")
            for word in ("Input", "input should", "instance", "dictionary", "valid ", "parse", "unable"):
                assert word not in str(caught.value), (key, value)


def test_a_link_that_leads_nowhere_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "w.yaml").symlink_to("gone.yaml")
    with pytest.raises(InputError, match=r"leads to gone\.yaml"):
        read_document(str(tmp_path / "w.yaml"))


@pytest.mark.parametrize("name", ["x" * 300 + ".yaml", "a\0b", ""])
def test_a_name_that_no_file_can_have_is_told(name: str) -> None:
    with pytest.raises(InputError):
        read_document(name)


def test_an_endless_file_is_read_to_a_bound() -> None:
    with pytest.raises(InputError, match="larger than"):
        read_document("/dev/zero")


@pytest.mark.parametrize(("example", "told"), [("scenario", "gpuplan init scenario"), ("write a: b", "write a: b")])
def test_an_empty_file_is_answered_with_where_to_begin(example: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        read_document("/dev/null", example=example)
    assert told in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n".join(f"k{number}: 1" for number in range(5_000)), "and more faults like these"),
        (SERVE + "own: {" + ", ".join(f"k{number}: 1" for number in range(5_000)) + "}\n", "and more faults"),
        ("? " + "k" * 100_000 + "\n: 1", "unknown key 'kkk"),
        ("kind: " + "s" * 100_000, "must be one of"),
        (SERVE + f"precision: [{', '.join(['fp8'] * 5_000)}]\n", "at most 20 entries, got 5000"),
        (SERVE + f"constraints: {{gpus: [{', '.join(['h100'] * 5_000)}]}}\n", "at most 200 entries"),
        (SERVE + f"constraints: {{providers: [{'x' * 100_000}]}}\n", "at most 100 characters, got 100,000"),
    ],
)
def test_a_file_of_very_many_or_very_long_parts_is_refused_at_once_and_briefly(
    tmp_path: Path, text: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        _read(tmp_path, text)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 20_000


@pytest.mark.parametrize("kind", KINDS)
def test_what_init_prints_is_read_by_the_command_it_names(kind: str) -> None:
    text = resources.files("planner").joinpath(f"templates/{kind}.yaml").read_text(encoding="utf-8")
    models: dict[str, type[BaseModel]] = {"scenario": Scenario, "demand": MixRequest}
    assert validated(document_of(text, kind), models.get(kind, Workload)).model_fields_set


def test_norway_is_a_country(tmp_path: Path) -> None:
    assert _read(tmp_path, SERVE + "constraints: {countries: [NO, SE]}\n").constraints.countries == ("NO", "SE")


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "workload.yaml").write_text(SERVE)
    with pytest.raises(InputError) as caught:
        read_document(str(tmp_path / "worklod.yaml"))
    assert "workload.yaml" in caught.value.hint


@given(st.binary(max_size=300))
def test_no_bytes_make_the_reader_fall_over(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "w.yaml")
        path.write_bytes(content)
        try:
            validated(read_document(str(path)), Workload)
        except InputError as error:
            assert str(error)  # noqa: PT017  any refusal will do, any other exception is the failure
