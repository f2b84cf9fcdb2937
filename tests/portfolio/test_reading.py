"""Tables and folders of workloads: what can be read is read, what cannot is told with its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from planner.demand.workload import Workload
from planner.errors import InputError
from planner.portfolio.blocks import work_rows
from planner.portfolio.cells import content_of_cells, known_columns
from planner.portfolio.reading import asked_of, read_portfolio
from tests.portfolio.equal import tables, usual_market

HEAD = "id,team,kind,model,serve.requests_per_s,serve.input_tokens,serve.output_tokens\n"
GOOD = "a,ads,serve,llama-3.1-8b,2.5,500,100\n"


def _csv(tmp_path: Path, text: str, name: str = "jobs.csv") -> str:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_row_of_cells_is_the_workload_that_its_file_would_hold(tmp_path: Path) -> None:
    rows = list(tables().portfolio_rows(60, shapes=30, seed=4))
    for row in rows:
        assert content_of_cells(row) == tables().content(row)


def test_every_key_of_a_workload_can_be_a_column() -> None:
    known = known_columns()
    assert {"kind", "model", "model.parameters_b", "serve.requests_per_s", "constraints.max_gpus", "own.place"} <= set(
        known
    )
    assert set(tables().COLUMNS) - {"id", "team", "cost_centre"} <= set(known)


CREDIT = {"provider": "voltage-park", "usd": 1000.0, "expires": "2028-12-31"}


@pytest.mark.parametrize(
    "cells",
    [
        {"have.credits": json.dumps([CREDIT])},
        {"have": json.dumps({"credits": [CREDIT]})},
        {"have.credits": [CREDIT], "have": None},
        {"have": json.dumps({"credits": [CREDIT]}), "have.owned": "[]"},
        {"have.owned": "[]", "have": json.dumps({"credits": [CREDIT]})},
    ],
)
def test_what_is_paid_for_already_stands_in_a_cell_as_json(cells: dict[str, Any]) -> None:
    content = content_of_cells({"kind": "gpu_hours", "gpu_hours.gpu": "h100-sxm", **cells})
    assert [each.model_dump(mode="json") for each in Workload.model_validate(content).have.credits] == [CREDIT]


def test_a_credit_in_a_table_is_counted_as_in_a_file_and_what_is_no_section_is_refused(tmp_path: Path) -> None:
    head = "id,kind,gpu_hours.gpu,gpu_hours.count,gpu_hours.hours_per_month,have\n"
    quoted = json.dumps({"credits": [CREDIT]}).replace('"', '""')
    plain = "gpu_hours,h100-sxm,8,730"
    found = read_portfolio([_csv(tmp_path, f'{head}a,{plain},"{quoted}"\nb,{plain},\nc,{plain},yes\n')])
    paid, without, faulty = sorted(work_rows(found.rows, usual_market()).rows, key=lambda row: str(row["row"]))
    assert paid["total_usd"] == pytest.approx(without["total_usd"] - 1000.0)
    assert faulty["status"] == "refused"
    assert "have" in faulty["reason"]


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_commas_semicolons_and_tabs_divide_cells(tmp_path: Path, mark: str) -> None:
    found = read_portfolio([_csv(tmp_path, (HEAD + GOOD).replace(",", mark))])
    workload = asked_of(found.rows[0]).workload
    assert workload is not None
    assert workload.serve is not None
    assert (found.ids, found.teams, workload.serve.requests_per_s) == (["a"], ["ads"], 2.5)


def test_tables_of_every_form_hold_the_same_workloads(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = list(tables().portfolio_rows(40, shapes=12, seed=2))
    columns = tables().COLUMNS
    lines = [",".join(columns)] + [",".join("" if row[c] is None else str(row[c]) for c in columns) for row in rows]
    plain = _csv(tmp_path, "\n".join(lines) + "\n")
    zipped = tmp_path / "jobs.csv.gz"
    zipped.write_bytes(gzip.compress(Path(plain).read_bytes()))
    flat, nested = tmp_path / "flat.parquet", tmp_path / "nested.parquet"
    parquet.write_table(pa.Table.from_pylist(rows), flat)
    inside = [{"id": r["id"], "team": r["team"], "cost_centre": r["cost_centre"], **tables().content(r)} for r in rows]
    keys = sorted({key for row in inside for key in row})
    parquet.write_table(pa.table({key: [row.get(key) for row in inside] for key in keys}), nested)
    wanted = [asked_of(row).workload for row in read_portfolio([plain]).rows]
    assert all(wanted)
    for source in (zipped, flat, nested):
        assert [asked_of(row).workload for row in read_portfolio([str(source)]).rows] == wanted


def test_a_folder_holds_a_workload_in_each_file_and_teams_in_its_folders(tmp_path: Path) -> None:
    (tmp_path / "ads").mkdir()
    (tmp_path / "ads" / "one.json").write_text(
        json.dumps(tables().content({"kind": "gpu_hours", "gpu_hours.gpu": "h100"}))
    )
    (tmp_path / "two.yaml").write_text("kind: gpu_hours\ngpu_hours: {gpu: h100, cuont: 2}\n")
    (tmp_path / "notes.txt").write_text("nothing")
    found = read_portfolio([str(tmp_path)])
    assert found.ids == ["ads/one.json", "two.yaml"]
    assert found.teams == ["ads", ""]
    assert [bool(row.fault) for row in found.rows] == [False, True]
    assert "two.yaml:2:" in found.rows[1].fault
    assert "did you mean 'count'" in found.rows[1].fault


def test_tags_of_the_user_s_own_are_passed_on(tmp_path: Path) -> None:
    text = HEAD.replace("\n", ",cost_centre,tag.kind_of\n") + GOOD.replace("\n", ",cc7,=1+1\n")
    assert read_portfolio([_csv(tmp_path, text)]).tags == {"cost_centre": ["cc7"], "tag.kind_of": ["=1+1"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        (HEAD, "there is no workload in it"),
        (HEAD.replace("serve.requests_per_s", "serve.request_per_s") + GOOD, "did you mean 'serve.requests_per_s'"),
        (HEAD.replace("serve.requests_per_s", "requests_per_s") + GOOD, "did you mean 'serve.requests_per_s'"),
        (HEAD.replace("model", "modle") + GOOD, "did you mean 'model'"),
        (HEAD.replace("team", "id") + GOOD, "appears twice"),
        (HEAD.replace("kind", "sort") + GOOD, "no column 'kind'"),
        (HEAD + GOOD + GOOD, "the id 'a' appears twice"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_as_a_whole(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_portfolio([_csv(tmp_path, text)])
    assert said in str(caught.value)
    assert "jobs.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a,,serve,llama-3.1-8b,-3,500,100\n", "serve.requests_per_s must be above 0, got -3"),
        ("a,,serve,llama-3.1-8b,many,500,100\n", "must be a plain number"),
        ("a,,serve,,2,500,100\n", "needs a `model:`"),
        ("a,,srve,llama-3.1-8b,2,500,100\n", "did you mean 'serve'"),
        ("a,,serve,llama-3.1-8b,2,500\n", "6 cells, but 7 columns"),
        ("a,,serve,llama-3.1-8b,nan,500,100\n", "serve.requests_per_s must be"),
        ("a,,serve,llama-3.1-8b,2,500.5,100\n", "whole number"),
    ],
)
def test_a_row_that_cannot_be_read_is_told_with_its_line(tmp_path: Path, row: str, said: str) -> None:
    found = read_portfolio([_csv(tmp_path, HEAD + GOOD.replace("a,", "b,", 1) + row)])
    good, bad = (asked_of(one) for one in found.rows)
    assert good.workload is not None
    assert bad.workload is None
    assert "jobs.csv:3: " in bad.fault
    assert said in bad.fault


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("jobs.parquet", b"PAR1 but not really"),
        ("jobs.csv.gz", b"\x1f\x8b\x08\x00 cut off"),
        ("jobs.csv", b"id,kind\n\xff\xfe\x00"),
    ],
)
def test_files_that_are_no_tables_are_told_so(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_portfolio([str(path)])
    assert name in str(caught.value)


def test_a_missing_table_names_the_nearest_file(tmp_path: Path) -> None:
    _csv(tmp_path, HEAD + GOOD)
    with pytest.raises(InputError, match=r"did you mean .*jobs\.csv"):
        read_portfolio([str(tmp_path / "job.csv")])
