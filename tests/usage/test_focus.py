"""A bill gives back what its maker knows of it, whatever its version, its storage and the engine that reads it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import usage_tables

from planner.engine.session import Engine
from planner.report.notes import note_texts
from planner.usage.bill import Bill, Rate
from planner.usage.faults import UsageError
from planner.usage.summary import summarize
from pricing.catalog import load_bundled

CENT = 0.005
Read = Callable[..., Bill]


def _write(bills: ModuleType, bill: Any, folder: Path, *, version: str = "1.2", form: str = "parquet", **options: Any) -> list[Path]:  # fmt: skip
    folder.mkdir(exist_ok=True)
    paths = []
    for number, table in enumerate(bills.tables(bill, version, seed=3, **options)):
        path = folder / f"part-{number}.{form}"
        if form == "parquet":
            pq.write_table(table, path)
        else:
            bills.write_csv(table, path, offset_hours=(0, 2, -7)[number % 3])
        paths.append(path)
    return paths


def _agrees(bill: Bill, known: dict[str, Any]) -> None:
    usage = summarize(bill, [], load_bundled())
    assert usage.gpu_hours == pytest.approx(known["gpu_hours"], abs=1e-6)
    by_gpu = {group.name: group.gpu_hours for group in usage.groups["gpu"] if group.gpu_hours}
    assert by_gpu == pytest.approx(known["gpu_hours_by_gpu"], abs=1e-6)
    assert usage.effective_usd == pytest.approx(known["effective_usd"], abs=CENT)
    assert usage.list_usd == pytest.approx(known["list_usd"], abs=CENT)
    assert usage.unused_usd == pytest.approx(known["waste_usd"], abs=CENT)
    assert usage.unused_gpu_hours == pytest.approx(known["unused_gpu_hours"], abs=1e-6)
    assert usage.savings_rate_share == pytest.approx(known["savings_rate_share"], abs=1e-9)
    assert usage.commitments is not None
    assert usage.commitments.coverage_share == pytest.approx(known["coverage_share"], abs=1e-9)
    assert usage.commitments.utilisation_share == pytest.approx(known["utilisation_share"], abs=1e-9)
    assert usage.measures[0].curve.peak_gpus == pytest.approx(known["peak_gpus"])
    assert usage.measures[0].curve.base_gpus == pytest.approx(known["base_gpus"])
    apart = {(one.category, one.charge_class): one.effective_usd for one in bill.apart}
    assert apart["Credit", ""] == pytest.approx(known["credit_usd"], abs=CENT)
    assert apart["Tax", ""] == pytest.approx(known["tax_usd"], abs=CENT)
    assert apart["Usage", "Correction"] == pytest.approx(known["correction_usd"], abs=CENT)


def test_a_bill_gives_back_what_is_known_of_it_to_the_cent(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path
) -> None:
    bill = read(*_write(bills, made[0], tmp_path / "bill", doubles=17))
    _agrees(bill, made[1])
    assert bill.copied_rows == _copies_of_use(made[0], bills)
    assert bill.rows == made[1]["rows"] + 17


def _copies_of_use(bill: Any, bills: ModuleType) -> int:
    """Count the doubled rows that are use: a doubled tax is no accelerator-hour."""
    again = np.random.default_rng(3).choice(bill.known["gpu_rows"], 17, replace=False)
    which = np.concatenate(bill.template)[again]
    return sum(bill.templates[number]["ChargeCategory"] == "Usage" for number in which)


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3"])
def test_every_version_of_the_specification_says_the_same(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path, version: str
) -> None:
    bill = read(*_write(bills, made[0], tmp_path / "bill", version=version))
    _agrees(bill, made[1])
    assert bill.versions == (version,)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "csv.gz"])
def test_text_with_times_of_several_zones_says_the_same(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path, form: str
) -> None:
    bill = read(*_write(bills, made[0], tmp_path / "bill", form=form, rows_each=4000))
    _agrees(bill, made[1])
    assert bill.faults == ()


@pytest.mark.slow
def test_times_without_seconds_are_read(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "bill.csv"
    lines = _text(bills, made, path)
    assert ":00:00Z" in lines[1]
    path.write_text("\n".join(line.replace(":00:00Z", ":00Z") for line in lines) + "\n", encoding="utf-8")
    bill = read(path)
    assert bill.faults == ()
    _agrees(bill, made[1])


@pytest.mark.slow
def test_a_folder_of_mixed_versions_and_storages_is_one_bill(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path
) -> None:
    folder = tmp_path / "month=2026-10"
    folder.mkdir()
    parts = {
        version: list(bills.tables(made[0], version, seed=3, rows_each=3000))
        for version in ("1.0", "1.1", "1.2", "1.3")
    }
    for number in range(len(parts["1.0"])):
        version = ("1.0", "1.1", "1.2", "1.3")[number % 4]
        table = parts[version][number]
        if number % 2:
            bills.write_csv(table, folder / f"{number}.csv.gz")
        else:
            pq.write_table(table, folder / f"{number}.parquet")
    bill = read(tmp_path)
    _agrees(bill, made[1])
    assert len(bill.versions) == 4 - max(0, 4 - len(parts["1.0"]))


def test_decimals_naive_times_and_tags_as_a_map_are_read(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path
) -> None:
    table = next(iter(bills.tables(made[0], "1.2", seed=3)))
    for name in ("EffectiveCost", "ListCost", "BilledCost"):
        place = table.column_names.index(name)
        table = table.set_column(place, name, table[name].cast(pa.decimal128(30, 12)))
    for name in usage_tables.TIMES:
        place = table.column_names.index(name)
        table = table.set_column(place, name, table[name].cast(pa.timestamp("us")))
    import json

    maps = [list(json.loads(text).items()) if text else None for text in table["Tags"].to_pylist()]
    tags = pa.array(maps, pa.map_(pa.string(), pa.string()))
    table = table.set_column(table.column_names.index("Tags"), "Tags", tags)
    pq.write_table(table, tmp_path / "bill.parquet")
    bill = read(tmp_path / "bill.parquet", tag="team")
    _agrees(bill, made[1])
    used = bill.table.equals("state", "used")
    # The correction has no tag, and no hours.
    assert bill.table.by("tag", "gpu_hours", used) == {"": 0.0, "team-0": pytest.approx(made[1]["gpu_hours"])}


def test_a_tag_divides_the_hours(read: Read, bills: ModuleType, tmp_path: Path) -> None:
    bill, known = bills.make(5000, seed=5, hours=100, teams=3)
    found = read(*_write(bills, bill, tmp_path / "bill"), tag="team")
    hours = found.table.by("tag", "gpu_hours", found.table.equals("state", "used"))
    assert set(hours) == {"", "team-0", "team-1", "team-2"}
    assert sum(hours.values()) == pytest.approx(known["gpu_hours"])


def test_copies_count_as_often_as_exported_where_that_is_wanted(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path
) -> None:
    paths = _write(bills, made[0], tmp_path / "bill", doubles=40)
    once, twice = read(*paths), read(*paths, keep_copies=True)
    assert twice.table.total("gpu_hours") > once.table.total("gpu_hours")
    assert twice.copied_rows == once.copied_rows > 0


def _text(bills: ModuleType, made: Any, path: Path) -> list[str]:
    bills.write_csv(next(iter(bills.tables(made[0], "1.2", seed=3))), path)
    return path.read_text(encoding="utf-8").splitlines()


@pytest.mark.slow
def test_a_currency_without_a_rate_leaves_its_rows_out_and_says_where(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "bill.csv"
    lines = _text(bills, made, path)
    bill = read(path, rates={})
    fault = next(one for one in bill.faults if "EUR" in one.what)
    place = lines[0].split(",").index("BillingCurrency")
    in_euro = [number for number, line in enumerate(lines, 1) if line.split(",")[place] == "EUR"]
    assert fault.rows == len(in_euro) == bill.unreadable_rows
    assert fault.where == f"{path}:{in_euro[0]}"
    assert "azure" not in bill.table.by("provider", "effective_usd")


def test_a_bill_in_a_currency_without_a_rate_alone_is_refused(read: Read, bills: ModuleType, tmp_path: Path) -> None:
    bill, _ = bills.make(50, seed=1, hours=4)
    table = next(iter(bills.tables(bill, "1.2", seed=1)))
    place = table.column_names.index("BillingCurrency")
    pq.write_table(
        table.set_column(place, "BillingCurrency", pa.array(["JPY"] * len(table))), tmp_path / "bill.parquet"
    )
    with pytest.raises(UsageError, match="JPY has no rate"):
        read(tmp_path / "bill.parquet")


@pytest.mark.slow
def test_rows_that_cannot_be_read_are_counted_with_their_first_place(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "bill.csv"
    lines = _text(bills, made, path)
    header = lines[0].split(",")
    whole = read(path)
    for number in (10, 20):
        cells = _cells(lines[number])
        cells[header.index("EffectiveCost")] = "n/a"
        lines[number] = _line(cells)
    cells = _cells(lines[30])
    cells[header.index("ChargePeriodStart")] = "yesterday"
    lines[30] = _line(cells)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    bill = read(path)
    faults = {one.what.split(" ")[0]: one for one in bill.faults}
    assert (faults["EffectiveCost"].rows, faults["EffectiveCost"].where) == (2, f"{path}:11")
    assert (faults["ChargePeriodStart"].rows, faults["ChargePeriodStart"].where) == (1, f"{path}:31")
    assert bill.unreadable_rows == 3
    assert bill.rows == whole.rows


def _cells(line: str) -> list[str]:
    import csv

    return next(csv.reader([line]))


def _line(cells: list[str]) -> str:
    import csv
    import io

    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


@pytest.mark.slow
def test_a_line_that_is_cut_off_is_told_with_file_and_line(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "bill.csv"
    lines = _text(bills, made, path)
    lines[50] = ",".join(lines[50].split(",")[:5])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    bill = read(path)
    assert [(one.rows, one.where) for one in bill.faults] == [(1, f"{path}:51")]
    assert bill.rows == len(lines) - 2


def test_a_missing_column_names_file_and_column_and_the_other_files_are_read(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path
) -> None:
    first, second = list(bills.tables(made[0], "1.2", seed=3, rows_each=4000))[:2]
    pq.write_table(first, tmp_path / "a.parquet")
    pq.write_table(second.drop_columns(["EffectiveCost"]), tmp_path / "b.parquet")
    bill = read(tmp_path / "a.parquet", tmp_path / "b.parquet")
    assert bill.rows == len(first)
    assert [(one.where, "EffectiveCost" in one.what) for one in bill.faults] == [(str(tmp_path / "b.parquet"), True)]


def test_a_bill_without_a_column_that_it_needs_is_refused(read: Read, bills: ModuleType, tmp_path: Path) -> None:
    bill, _ = bills.make(50, seed=1, hours=4)
    table = next(iter(bills.tables(bill, "1.2", seed=1))).drop_columns(["ChargePeriodEnd"])
    pq.write_table(table, tmp_path / "bill.parquet")
    with pytest.raises(UsageError, match="the column ChargePeriodEnd is missing"):
        read(tmp_path / "bill.parquet")


@pytest.mark.slow
def test_a_truncated_gzip_gives_its_readable_lines_and_says_where_it_ends(
    read: Read, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "bill.csv"
    lines = _text(bills, made, path)
    packed = gzip.compress("\n".join(lines).encode())
    cut = tmp_path / "bill.csv.gz"
    cut.write_bytes(packed[: len(packed) // 2])
    bill = read(cut)
    fault = next(one for one in bill.faults if "gzip" in one.what)
    assert "cut off" in fault.what
    assert fault.where.startswith(f"{cut}:")
    assert 0 < bill.rows < len(lines)
    assert fault.where == f"{cut}:{bill.rows + 2}"


def test_charges_of_a_day_are_spread_over_its_hours_and_that_is_said(
    read: Read, bills: ModuleType, tmp_path: Path
) -> None:
    import json

    bill = bills.Bill()
    machine = bills.AWS_P5
    row = bills.sku(machine) | {"PricingCategory": "Standard", "SubAccountId": "a", "Tags": json.dumps({})}
    bill.add(row, np.array([0, 24]), 12.0, [120 * bills.NANO] * 4, span=24)
    bill.known["gpu_rows"] = 2
    pq.write_table(next(iter(bills.tables(bill, "1.2", seed=1))), tmp_path / "bill.parquet")
    found = read(tmp_path / "bill.parquet")
    assert any("spread evenly" in note for note in note_texts(found.notes))
    level = found.table.level("gpu_hours", int(found.table.hour.min()), 48)
    assert level == pytest.approx(np.full(48, 12 * 8 / 24))
    assert found.table.total("effective_usd") == pytest.approx(240.0)


def test_a_charge_that_ends_before_it_begins_counts_in_its_hour(read: Read, bills: ModuleType, tmp_path: Path) -> None:
    bill = bills.Bill()
    row = bills.sku(bills.AWS_P5) | {"PricingCategory": "Standard", "SubAccountId": "a"}
    bill.add(row, np.array([10]), 1.0, [bills.NANO] * 4, span=-5)
    bill.known["gpu_rows"] = 1
    pq.write_table(next(iter(bills.tables(bill, "1.2", seed=1))), tmp_path / "bill.parquet")
    found = read(tmp_path / "bill.parquet")
    assert found.table.values["gpu_hours"].tolist() == [8.0]


@pytest.mark.slow
def test_both_engines_answer_row_by_row_the_same(
    read: Read, engine: Engine, made: tuple[Any, dict[str, Any]], bills: ModuleType, tmp_path: Path, rates: dict[str, Rate]
) -> None:  # fmt: skip
    from planner.engine.session import connect
    from planner.usage.focus_bill import read_bill
    from planner.usage.skus import SkuReader
    from planner.usage.sources import find_sources

    path = tmp_path / "bill"
    _write(bills, made[0], path, form="csv", rows_each=4000, doubles=9)
    theirs = read(path, tag="team")
    embedded = connect("duckdb:?threads=1")
    folder = tmp_path / "own"
    folder.mkdir()
    sources, _ = find_sources([str(path)], folder=folder)
    ours = read_bill(embedded, sources, SkuReader(load_bundled().offers), rates=rates, tag="team", folder=folder)
    embedded.close()
    assert ours.table.words == theirs.table.words
    assert np.array_equal(ours.table.hour, theirs.table.hour)
    for kind, codes in ours.table.codes.items():
        assert np.array_equal(codes, theirs.table.codes[kind]), kind
    for name, values in ours.table.values.items():
        assert np.array_equal(values, theirs.table.values[name]), name
    assert (ours.apart, ours.rows, ours.copied_rows, ours.notes) == (theirs.apart, theirs.rows, theirs.copied_rows, theirs.notes)  # fmt: skip


@pytest.mark.slow
def test_numbers_and_times_that_cannot_be_are_left_out_and_told(
    read: Read, bills: ModuleType, made: Any, tmp_path: Path
) -> None:
    path = tmp_path / "bill.csv"
    lines = _text(bills, made, path)
    header = lines[0].split(",")
    cost, start, end = (header.index(name) for name in ("EffectiveCost", "ChargePeriodStart", "ChargePeriodEnd"))
    for line, (place, text) in enumerate([(cost, "1e300"), (cost, "inf"), (start, "0001-01-01T00:00:00Z"), (end, "9999-12-31T00:00:00Z")], 1):  # fmt: skip
        cells = _cells(lines[line])
        cells[place] = text
        lines[line] = _line(cells)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    bill = read(path)
    assert bill.unreadable_rows == 4
    assert sorted((one.what.split()[0], one.where, one.rows) for one in bill.faults) == [
        ("ChargePeriodEnd", f"{path}:5", 1),
        ("ChargePeriodStart", f"{path}:4", 1),
        ("EffectiveCost", f"{path}:2", 2),
    ]


def test_details_as_a_struct_or_a_map_say_what_their_json_says(
    read: Read, bills: ModuleType, made: Any, tmp_path: Path
) -> None:
    bill, known = made
    table = next(bills.tables(bill, "1.2", seed=3))
    details = [json.loads(text) if text else None for text in table["SkuPriceDetails"].to_pylist()]
    pairs = [None if one is None else [(key, str(value)) for key, value in one.items()] for one in details]
    place = table.column_names.index("SkuPriceDetails")
    for name, column in (("struct", pa.array(details)), ("map", pa.array(pairs, pa.map_(pa.string(), pa.string())))):
        pq.write_table(table.set_column(place, "SkuPriceDetails", column), tmp_path / f"{name}.parquet")
        assert read(tmp_path / f"{name}.parquet").table.total("gpu_hours") == pytest.approx(
            known["gpu_hours"] + known["unused_gpu_hours"]
        )


def test_times_as_numbers_and_columns_that_come_twice_are_refused_with_the_file(
    read: Read, bills: ModuleType, made: Any, tmp_path: Path
) -> None:
    table = next(bills.tables(made[0], "1.2", seed=3))
    place = table.column_names.index("ChargePeriodStart")
    pq.write_table(table.set_column(place, "ChargePeriodStart", table["ChargePeriodStart"].cast("int64")), tmp_path / "numbers.parquet")  # fmt: skip
    with pytest.raises(UsageError, match=r"numbers.parquet: ChargePeriodStart is of type int64, which is not a time"):
        read(tmp_path / "numbers.parquet")
    lines = _text(bills, made, tmp_path / "twice.csv")
    (tmp_path / "twice.csv").write_text("\n".join(line + ",EffectiveCost" for line in lines[:3]), encoding="utf-8")
    with pytest.raises(UsageError, match=r"twice.csv: EffectiveCost comes twice"):
        read(tmp_path / "twice.csv")


def test_a_header_without_rows_is_told(read: Read, bills: ModuleType, made: Any, tmp_path: Path) -> None:
    header = _text(bills, made, tmp_path / "bill.csv")[0]
    (tmp_path / "bill.csv").write_text(header + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"bill.csv: there is a header and no row"):
        read(tmp_path / "bill.csv")


@pytest.mark.slow
def test_the_time_of_a_bill_is_that_of_all_its_use(read: Read, bills: ModuleType, made: Any, tmp_path: Path) -> None:
    path = tmp_path / "bill.csv"
    lines = _text(bills, made, path)
    header = lines[0].split(",")
    other = dict(zip(header, _cells(next(line for line in lines[1:] if "m7i." in line)), strict=True))
    months = [
        other | {"ChargePeriodStart": "2026-09-01T00:00:00Z", "ChargePeriodEnd": "2026-09-01T01:00:00Z"},
        # A subscription of a year says nothing of which days were exported.
        other | {"ChargePeriodStart": "2026-01-01T00:00:00Z", "ChargePeriodEnd": "2027-01-01T00:00:00Z"},
    ]
    path.write_text("\n".join([*lines, *(_line(list(row.values())) for row in months)]) + "\n", encoding="utf-8")
    bill = read(path)
    assert bill.first_hour == int(datetime(2026, 9, 1, tzinfo=UTC).timestamp()) // 3600
    assert bill.end_hour == int(bill.table.hour.max()) + 1


def test_a_name_cannot_steer_a_terminal(read: Read, bills: ModuleType, made: Any, tmp_path: Path) -> None:
    path = tmp_path / "bill.csv"
    lines = _text(bills, made, path)
    path.write_text(
        "\n".join(line.replace("acct-000", "acct\x1b[31m\u202e") for line in lines) + "\n", encoding="utf-8"
    )
    assert all(name.isprintable() for name in read(path).table.words["account"])
