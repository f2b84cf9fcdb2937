"""A bill says the same however people save it: names, separators, encodings, numbers, packages."""

from __future__ import annotations

import csv
import io
import json
import re
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planner.engine.session import connect
from planner.report.notes import note_texts
from planner.usage.bill import Bill
from planner.usage.focus_bill import read_bill
from planner.usage.skus import SkuReader
from planner.usage.sources import find_sources

ROWS = [
    {
        "BillingCurrency": "USD", "ChargeCategory": "Usage", "ChargePeriodStart": f"2026-10-01T0{hour}:00:00Z", "ChargePeriodEnd": f"2026-10-01T0{hour + 1}:00:00Z",
        "EffectiveCost": 55.5, "ConsumedQuantity": 1, "ConsumedUnit": "Hours", "ProviderName": "AWS", "ResourceId": "i-1", "SubAccountId": "a", "SkuMeter": "BoxUsage:p5.48xlarge",
        "Tags": '{"team": "Köln"}',
    }
    for hour in range(2)
]  # fmt: skip


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)


def _csv(rename: Callable[[str], str] = str, delimiter: str = ",", comma: bool = False, above: str = "") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow([rename(name) for name in ROWS[0]])
    for row in ROWS:
        writer.writerow(
            [str(cell).replace(".", ",") if comma and isinstance(cell, float) else cell for cell in row.values()]
        )
    return above + text.getvalue()


def _parquet(rename: Callable[[str], str]) -> bytes:
    rows = [
        {rename(name): json.loads(str(cell)) if name == "Tags" else cell for name, cell in row.items()} for row in ROWS
    ]
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def _tar() -> bytes:
    out, text = io.BytesIO(), _csv().encode()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo("export/bill.csv")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return out.getvalue()


def _workbook() -> bytes:
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        book.add_worksheet("About").write_row(0, 0, ["A report of October", "by finance"])
        sheet = book.add_worksheet("Data")
        for number, row in enumerate([["Cost export"], list(ROWS[0]), *(list(row.values()) for row in ROWS)]):
            sheet.write_row(number, 0, row)
    return out.getvalue()


FORMS: dict[str, tuple[str, str | bytes]] = {
    "as FOCUS writes it": ("a.csv", _csv()),
    "Athena's lower case": ("a.csv", _csv(str.lower)),
    "Snowflake's upper case": ("a.csv", _csv(lambda name: _snake(name).upper())),
    "words": ("a.csv", _csv(lambda name: _snake(name).replace("_", " "))),
    "Parquet in lower case, tags as a record": ("a.parquet", _parquet(str.lower)),
    "semicolons": ("a.csv", _csv(delimiter=";")),
    "semicolons and decimal commas": ("a.csv", _csv(delimiter=";", comma=True)),
    "tabs in Excel's Unicode": ("a.txt", _csv(delimiter="\t").encode("utf-16")),
    "UTF-16 without a mark": ("a.csv", _csv().encode("utf-16-le")),
    "Windows-1252": ("a.csv", _csv().encode("cp1252")),
    "a title above the header": ("a.csv", _csv(above="Cost report;October\n\n")),
    "JSON, a record in each line": ("a.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS)),
    "a JSON list": ("a.json", json.dumps(ROWS)),
    "a tar archive": ("a.tar.gz", _tar()),
    "the second sheet of a workbook": ("a.xlsx", _workbook()),
}
EVERY_DAY = ("semicolons and decimal commas", "tabs in Excel's Unicode", "a title above the header", "a JSON list")
"""The others take their seconds in scripts/test --all."""


def _bill(path: Path, reader: SkuReader) -> Bill:
    folder = path.parent / "work"
    folder.mkdir()
    engine = connect("duckdb:?threads=1")
    try:
        sources, faults = find_sources([str(path)], folder=folder)
        assert faults == []
        return read_bill(engine, sources, reader, folder=folder, tag="team")
    finally:
        engine.close()


@pytest.mark.parametrize(
    "form", [form if form in EVERY_DAY else pytest.param(form, marks=pytest.mark.slow) for form in FORMS]
)
def test_a_bill_says_the_same_in_every_form(form: str, tmp_path: Path, reader: SkuReader) -> None:
    name, content = FORMS[form]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    bill = _bill(tmp_path / name, reader)
    assert bill.table.total("gpu_hours") == pytest.approx(16)
    assert bill.table.total("effective_usd") == pytest.approx(111)
    assert list(bill.table.by("tag", "gpu_hours")) == ["Köln"]


def test_a_number_that_means_two_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("timestamp;gpus\n2026-10-01;1.000\n", encoding="utf-8")
    sources, faults = find_sources([str(tmp_path / "a.csv")], folder=tmp_path)
    assert sources == []
    assert "'1.000' is 1000 to some and 1 to others" in faults[0].what


def test_a_tag_that_no_charge_has_is_told(tmp_path: Path, reader: SkuReader) -> None:
    (tmp_path / "a.csv").write_text(_csv().replace("team", "Team"), encoding="utf-8")
    bill = _bill(tmp_path / "a.csv", reader)
    assert [note for note in note_texts(bill.notes) if "no charge of an accelerator has a tag called team" in note]


@pytest.mark.parametrize("tags", ['{"user:team": "ml"}', '{"user_team": "ml"}', '[{"Key": "team", "Value": "ml"}]', '[{"key": "team", "value": "ml"}]'])  # fmt: skip
def test_a_tag_is_found_however_a_cloud_writes_it(tags: str, tmp_path: Path, reader: SkuReader) -> None:
    quoted = tags.replace('"', '""')
    koeln = '{""team"": ""Köln""}'
    (tmp_path / "a.csv").write_text(_csv().replace(koeln, quoted), encoding="utf-8")
    assert list(_bill(tmp_path / "a.csv", reader).table.by("tag", "gpu_hours")) == ["ml"]


@pytest.mark.parametrize("spelled", ["10/0{}/2026 01:00", "1/{}/2026 1:00 AM"])
def test_a_date_that_may_be_of_two_months_is_refused_with_the_way_out(tmp_path: Path, spelled: str) -> None:
    rows = [row | {"ChargePeriodStart": spelled.format(1), "ChargePeriodEnd": spelled.format(2)} for row in ROWS]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(",".join(str(cell) for cell in row) for row in (ROWS[0], *(r.values() for r in rows))))
    sources, faults = find_sources([str(path)], folder=tmp_path)
    assert (sources, len(faults)) == ([], 1)
    assert "may be" in faults[0].what
    assert "2026-10-31T13:00:00Z" in faults[0].hint


def test_dates_of_a_plain_table_are_read_in_the_order_that_its_last_row_tells(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("timestamp,gpus\n" + "".join(f"{day}/10/2026 00:00,8\n" for day in (*range(1, 12), 13)))
    sources, faults = find_sources([str(path)], folder=tmp_path)
    assert faults == []
    lines = Path(sources[0].path).read_text().splitlines()
    assert (lines[1], lines[-1]) == ("2026-10-01T00:00:00,8", "2026-10-13T00:00:00,8")
