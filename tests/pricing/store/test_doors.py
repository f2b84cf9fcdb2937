"""The doors of the price store: names are names, rows are judged once, secrets and controls go no further."""

from __future__ import annotations

import csv
import io
import os
import stat
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from planner.cli import main
from pricing.catalog import load_bundled
from pricing.errors import PricingError, StoreError
from pricing.facts.offers import Offer
from pricing.providers.contract import PartFault, SourceError
from pricing.store.database import DuckDbEngine, PostgresEngine, open_store
from pricing.store.exchange import import_offers, offers_as_csv, read_offer_file, write_parquet
from pricing.store.read import read_offers
from pricing.tables import read_rows
from tests.conftest import SEEN_ON

OFFERS = [replace(offer, price_history=()) for offer in load_bundled().offers[:40]]
TODAY = OFFERS[0].observed_on


def parquet(folder: Path, offers: list[Offer]) -> Path:
    """Write one file that holds the columns of its folders, too."""
    write_parquet(offers, folder, TODAY)
    file = folder / "one.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"copy (select * from '{folder}/*/*/*.parquet') to '{file}' (format parquet)")
    return file


@pytest.mark.parametrize("name", ["j[1]", "a*", "q?", "{x}"])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_file_whose_name_looks_like_a_pattern_is_read_itself(name: str, ending: str, tmp_path: Path) -> None:
    one, many = OFFERS[:1], OFFERS[:1]
    for stem, offers in ((name, one), ("j1", many), ("abc", many), ("qx", many)):
        path = tmp_path / f"{stem}{ending}"
        if ending == ".csv":
            path.write_text(offers_as_csv(offers), encoding="utf-8")
        else:
            path.write_bytes(parquet(tmp_path / f"lake-{len(stem)}", offers).read_bytes())
    (tmp_path / f"j1{ending}").write_text("not this one")
    assert len(read_offer_file(tmp_path / f"{name}{ending}")) == 1


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("provider\nGröße\n".encode("latin-1"), "line 2: not UTF-8 text"),
        (b"", "the table is empty"),
        (offers_as_csv(OFFERS[:1]).encode().replace(b"\n", b"\n" + b"x" * 200_000, 1), "no CSV table"),
        (b"provider\n\x00\n", "column"),
    ],
)
def test_text_that_is_no_table_is_told_with_its_line(data: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(data)
    with pytest.raises(PricingError, match=told):
        read_offer_file(path)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("purchase_option", "NULL"), ("purchase_option", "'lease'"), ("payment", "NULL"), ("launchable", "'maybe'"),
        ("price_usd_per_hour", "'dear'"), ("price_usd_per_hour", "'NaN'::double"), ("vcpus", "'many'"), ("observed_on", "'soon'"),
        ("price_parts", "'{'"), ("zone_kind", "'moon'"), ("flags", "'nonsense'"), ("interruptible", "3"),
    ],
)  # fmt: skip
def test_a_cell_of_another_kind_in_parquet_is_told_by_row_and_column(column: str, value: str, tmp_path: Path) -> None:
    file = parquet(tmp_path / "lake", OFFERS[:1])
    broken = tmp_path / "broken.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select * replace ({value} as {column}) from '{file}') to '{broken}' (format parquet)"
        )
    with pytest.raises(StoreError, match="row 1: "):
        read_offer_file(broken)


@pytest.mark.parametrize("text", ["\x1b]0;x\x07", "a\u202eb", "\x9b1m"])
@pytest.mark.parametrize("field", ["provider", "region", "source"])
def test_a_text_that_steers_terminals_is_no_offer(text: str, field: str) -> None:
    with pytest.raises(PricingError, match="control character"):
        replace(OFFERS[0], **{field: text})  # type: ignore[arg-type]


def test_an_export_holds_no_formula_and_comes_back_as_it_was(tmp_path: Path) -> None:
    odd = [replace(OFFERS[0], source=text) for text in ("=1+1", "+x", "-x", "@x", "'=kept", "'plain", "-5")]
    text = offers_as_csv([*OFFERS, *odd])
    for row in csv.reader(io.StringIO(text)):
        assert not [cell for cell in row if cell[:1] in {"=", "+", "@"} or (cell[:1] == "-" and cell != "-5")]
    path = tmp_path / "prices.csv"
    path.write_text(text, encoding="utf-8")
    assert read_offer_file(path) == [*OFFERS, *odd]


def test_facts_are_read_without_quotes_of_spreadsheets() -> None:
    assert read_rows(Offer, offers_as_csv(OFFERS[:3]), where="x") == OFFERS[:3]


@pytest.mark.parametrize(
    "words",
    [
        ["status"],
        pytest.param(["history", "--provider", OFFERS[0].provider], marks=pytest.mark.slow),
        pytest.param(["export", "-"], marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "at_share", [0.2, 0.6, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.4, 0.8, 0.95))]
)
def test_a_damaged_store_is_told_with_its_path(
    words: list[str], at_share: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = DuckDbEngine(tmp_path / "prices.duckdb")
    import_offers(engine, OFFERS, "x")
    data = bytearray(engine.path.read_bytes())
    start = int(len(data) * at_share)
    data[start : start + 4096] = bytes(4096)
    engine.path.write_bytes(data)
    status = main(["prices", *words, "--store", engine.uri])
    err = capsys.readouterr().err
    assert "bug of this program" not in err
    assert status in {0, 2, 3}
    if status == 2:
        assert engine.uri in err


@pytest.mark.slow
def test_a_store_that_was_cut_in_half_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = DuckDbEngine(tmp_path / "prices.duckdb")
    import_offers(engine, OFFERS, "x")
    data = engine.path.read_bytes()
    engine.path.write_bytes(data[: len(data) // 2])
    assert main(["prices", "status", "--store", engine.uri]) == 2
    assert engine.uri in capsys.readouterr().err


def test_a_new_store_is_its_owners_alone(tmp_path: Path) -> None:
    engine = DuckDbEngine(tmp_path / "prices.duckdb")
    engine.create()
    assert stat.S_IMODE(engine.path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://u:S3CRETpw@127.0.0.1:9/x",
        "postgresql+psycopg://u:S3CRETpw@127.0.0.1:9/x",
        "POSTGRESQL://u:S3CRETpw@127.0.0.1:9/x",
        "mysql://u:S3CRETpw@127.0.0.1/x",
        "postgresql:u:S3CRETpw@127.0.0.1/x",
        "postgresql://u:S3CRETpw@h1:9,h2:9/x?connect_timeout=1",
        "postgresql://u:S3CR@ETpw@127.0.0.1:9/x",
        "postgresql://u:S3CRETpw@127.0.0.1:port/x",
        "postgresql://u:S3CRETpw@[::1/x",
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["table", "json"])
def test_no_password_of_an_address_is_shown(uri: str, form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "status", "--store", uri, "-f", form]) == 2
    said = "".join(capsys.readouterr())
    assert "S3CR" not in said
    assert "ETpw" not in said
    assert "bug of this program" not in said


@pytest.mark.parametrize("kind", ["cron", "systemd", "github", "kubernetes"])
def test_no_schedule_holds_the_password_of_the_store(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "schedule", kind, "--store", "postgresql://u:S3CRETpw@db/x"]) == 0
    said = capsys.readouterr()
    assert "S3CRETpw" not in said.out + said.err
    assert "GPUPLAN_STORE" in said.err


def test_credentials_that_an_endpoint_echoes_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNPOD_API_KEY", "rp/key+1234567890")
    echo = (
        "answered 500: GET /?X-Amz-Security-Token=FwoGZXIvYXdzEB&key=AKIAIOSFODNN7EXAMPLE "
        "Authorization: Bearer abcdefghijk rp/key+1234567890 rp%2Fkey%2B1234567890"
    )
    fault = PartFault.of("p", SourceError(echo, reason="http_500"))
    for secret in ("FwoGZXIvYXdzEB", "AKIAIOSFODNN7EXAMPLE", "abcdefghijk", "1234567890"):
        assert secret not in fault.message
    assert "answered 500" in fault.message


def test_a_store_is_opened_whatever_the_case_of_its_scheme() -> None:
    assert isinstance(open_store("POSTGRESQL://h/x"), PostgresEngine)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(offers_as_csv([replace(OFFERS[0], observed_on=SEEN_ON)]), encoding="utf-8")
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert main(["prices", "import", str(path), "--store", str(blocked / "x" / "prices.duckdb")]) == 2
    assert "cannot make the store" in capsys.readouterr().err


def test_an_endless_file_and_a_folder_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    (tmp_path / "folder.csv").mkdir()
    for name in ("zero.csv", "folder.csv", f"{'x' * 300}.csv"):
        with pytest.raises(PricingError):
            read_offer_file(tmp_path / name)


def test_what_was_imported_is_what_the_file_told(tmp_path: Path) -> None:
    engine = DuckDbEngine(tmp_path / "prices.duckdb")
    import_offers(engine, read_offer_file(parquet(tmp_path / "lake", OFFERS[:1])), "x")
    assert [offer.price_usd_per_hour for offer in read_offers(engine)] == [OFFERS[0].price_usd_per_hour]
    assert os.access(engine.path, os.R_OK)


def test_an_export_to_a_dash_is_a_table_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = DuckDbEngine(tmp_path / "prices.duckdb")
    import_offers(engine, OFFERS[:3], "x")
    assert main(["prices", "export", "-", "--store", engine.uri]) == 0
    assert len(read_rows(Offer, capsys.readouterr().out, where="x")) == 3
    assert not (tmp_path / "-").exists()


def test_a_folder_of_a_whole_disk_is_refused_and_not_walked_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pricing.store.exchange.MOST_OTHERS", 20)
    write_parquet(OFFERS, tmp_path / "lake", TODAY)
    assert len(read_offer_file(tmp_path)) == len(OFFERS)
    for number in range(30):
        (tmp_path / f"photo-{number}.jpg").touch()
    with pytest.raises(StoreError, match="more than 20 other files"):
        read_offer_file(tmp_path)
    assert len(read_offer_file(tmp_path / "lake")) == len(OFFERS)
