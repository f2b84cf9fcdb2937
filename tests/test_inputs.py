"""Files a user writes: every fault told, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.demand.workload import Workload
from planner.errors import InputError
from planner.inputs import read_document, validated


def _read(tmp_path: Path, text: str | bytes) -> Workload:
    path = tmp_path / "w.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return validated(read_document(str(path)), Workload)


SERVE = "kind: serve\nmodel: llama-3.1-8b\nserve: {requests_per_s: 2, input_tokens: 3, output_tokens: 4}\n"


def test_a_workload_is_read_from_yaml_and_from_json_alike(tmp_path: Path) -> None:
    json = '{"kind": "serve", "model": "llama-3.1-8b", "serve": {"requests_per_s": 2, "input_tokens": 3, "output_tokens": 4}}'
    assert _read(tmp_path, SERVE) == _read(tmp_path, json)


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
        ("kind: serve\nkind: batch\n", "stands twice"),
        ("a: [1", "not valid YAML"),
        ("\x00", "not valid YAML"),
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
