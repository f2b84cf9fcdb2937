"""Moving prices in and out: partitioned Parquet to publish and exchange, CSV and JSON for one table."""

from __future__ import annotations

import csv
import glob
import io
import json
import os
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime, time
from pathlib import Path
from types import NoneType
from typing import Any, Final

from pricing.cells import SEPARATOR, columns
from pricing.clock import utc_now
from pricing.errors import PricingError, StoreError
from pricing.facts.instances import named
from pricing.facts.offers import TEXTS, Launchable, Offer, Payment, PurchaseOption, identity_of
from pricing.plain_text import shortened
from pricing.store.database import Engine
from pricing.store.parts import PartAnswer
from pricing.store.rows import EXPORTED, offer_of, staged_offers
from pricing.store.spreads import renew_spreads
from pricing.store.write import Landing, PartResult, land
from pricing.tables import read_rows, read_text, text_of_rows

PARTITIONS: Final = "snapshot, provider"


def offers_as_json(offers: Sequence[Offer]) -> str:
    """Return offers as JSON text: dates as text, enumerations as their words."""
    record = {"schema_version": 1, "offers": [asdict(offer) for offer in offers]}
    return json.dumps(record, indent=1, default=lambda day: day.isoformat())


def write_parquet(offers: Sequence[Offer], target: Path, snapshot: date) -> list[Path]:
    """Write offers as ``TARGET/snapshot=DAY/provider=NAME/*.parquet``; each partition lands whole or not at all.

    Parameters
    ----------
    offers : sequence of Offer
        To write.
    target : Path
        Folder; partitions of other days and providers in it stay.
    snapshot : date
        The day that the offers are of.

    Returns
    -------
    list of Path
        The partitions written.
    """
    import duckdb

    from pricing.store.session import _DuckDbSession

    rows = {
        "identity": ("text", list(map(identity_of, offers))),
        **staged_offers(EXPORTED, offers),
        "snapshot": ("text", [snapshot.isoformat()] * len(offers)),
    }
    target.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=target, prefix=".part-"))
    try:
        with duckdb.connect(":memory:") as connection:
            _DuckDbSession(connection).stage("exported", rows)
            connection.execute(  # COPY takes no parameter for its target
                f"copy (select * from exported order by identity) to '{str(draft).replace(chr(39), chr(39) * 2)}' "
                f"(format parquet, compression zstd, partition_by ({PARTITIONS}), overwrite_or_ignore)"
            )
        written: list[Path] = []
        for made in sorted(draft.glob("snapshot=*/provider=*")):
            place = target / made.relative_to(draft)
            place.parent.mkdir(exist_ok=True)
            old = draft / f"old-{len(written)}"
            if place.exists():
                place.rename(old)
            made.rename(place)
            written.append(place)
    except (duckdb.Error, OSError) as error:
        raise StoreError(f"cannot write the Parquet files: {str(error).splitlines()[0]}", where=str(target)) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return written


def read_offer_file(path: Path) -> list[Offer]:
    """Read offers from a CSV file, or from Parquet: one file, or a folder as `write_parquet` makes it.

    Raises
    ------
    StoreError
        Where nothing is there, or it cannot be read.
    """
    if path.suffix.lower() == ".csv":
        rows = read_rows(Offer, _as_table(_without_quotes(read_text(path))), where=str(path))
        return [named(row) for row in rows]
    files = _parquet_files(path) if path.is_dir() else [path]
    if not files or not all(file.is_file() for file in files):
        raise StoreError(
            "there is nothing to import", hint="name a CSV file, a Parquet file or a folder of them", where=str(path)
        )
    return [offer for file in files for offer in _offers_of_parquet(file)]


MOST_OTHERS: Final = 10_000
"""Files and folders that are no part of an export, among which its own are looked for: a home folder or a disk has more."""


def _parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files in a folder and the folders in it.

    Raises
    ------
    StoreError
        Where the folder holds so much else that it is hardly the one that was meant.
    """
    files: list[Path] = []
    others = 0
    for place, folders, names in os.walk(folder):
        parquet = [Path(place, name) for name in names if name.endswith(".parquet")]
        files += parquet
        others += len(names) - len(parquet) + sum("=" not in name for name in folders)
        if others > MOST_OTHERS:
            raise StoreError(
                f"the folder holds more than {MOST_OTHERS:,} other files and folders, so it is not searched",
                hint="name the folder that holds the Parquet files",
                where=str(folder),
            )
    return sorted(files)


def _as_table(text: str) -> str:
    """Return a listing of ``gpuplan offers -f csv`` as the table behind it: what is worked out is left out."""
    if not text.startswith("id,"):
        return text
    reader = csv.DictReader(io.StringIO(text, newline=""))
    fields = {column.name for column in columns(Offer)}
    try:
        kept = [name for name in reader.fieldnames or () if name in fields]
        rows = list(reader)
    except csv.Error:  # told where the table is read
        return text
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, kept, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"flags": SEPARATOR.join((row.get("flags") or "").split())} for row in rows)
    return out.getvalue()


def _offers_of_parquet(file: Path) -> list[Offer]:
    import duckdb

    try:
        with duckdb.connect(":memory:") as connection:
            read = connection.execute(
                "select * from read_parquet($file, hive_partitioning = true, hive_types_autocast = false)",
                {"file": glob.escape(os.fspath(file))},  # a name is a name, and no pattern
            )
            names = [column[0] for column in read.description]
            rows = [dict(zip(names, row, strict=True)) for row in read.fetchall()]
    except duckdb.Error as error:
        raise StoreError(f"cannot be read as Parquet: {str(error).splitlines()[0]}", where=str(file)) from error
    faults: list[str] = []
    offers: list[Offer] = []
    for number, row in enumerate(rows, 1):
        try:
            offers.append(_offer_of_row(row))
        except (PricingError, ValueError, TypeError, AttributeError, OverflowError) as error:
            faults.append(f"row {number}: {error.message if isinstance(error, PricingError) else error}")
    if faults:
        message = "\n  ".join(shortened(faults, MOST_FAULTS_TOLD, "and {} more rows"))
        raise StoreError(message, hint="correct the table; nothing was read from it", where=str(file))
    return offers


TEXT_COLUMNS: Final = (*TEXTS, "zone_kind", "purchase_option", "payment", "launchable", "price_parts", "source_sku_ids", "flags")  # fmt: skip
NUMBER_COLUMNS: Final = ("accelerator_count", "term_months", "minimum_hours", "price_usd_per_hour", "upfront_usd")
MAYBE_NUMBER_COLUMNS: Final = ("accelerator_memory_gb", "vcpus", "memory_gib")
MOST_FAULTS_TOLD: Final = 10


def _offer_of_row(row: Mapping[str, Any]) -> Offer:
    """Return the offer of a row of an export, each cell of the type that the export writes."""
    wanted: list[tuple[Sequence[str], type | tuple[type, ...], str]] = [
        (TEXT_COLUMNS, str, "text"),
        (NUMBER_COLUMNS, (int, float), "a number"),
        (MAYBE_NUMBER_COLUMNS, (int, float, NoneType), "a number or nothing"),
        (("accelerator",), (str, NoneType), "text or nothing"),
        (("cancellable", "interruptible"), (bool, NoneType), "true or false"),
        (("observed_on",), date, "a day"),
        (("effective_on",), (date, NoneType), "a day or nothing"),
    ]
    for names, kinds, said in wanted:
        for name in names:
            if name not in row:
                raise PricingError(f"the column {name} is missing; is it an export of this program?")
            if not isinstance(row[name], kinds):
                raise PricingError(f"column {name}: expected {said}, got {row[name]!r:.60}")
    for name, words in (("purchase_option", PurchaseOption), ("payment", Payment), ("launchable", Launchable)):
        if row[name] not in {word.value for word in words}:
            raise PricingError(f"column {name}: {row[name]!r:.60} is none of {', '.join(word.value for word in words)}")
    return offer_of(row)


def import_offers(engine: Engine, offers: Iterable[Offer], name: str, *, is_now: bool = False) -> list[PartResult]:
    """Bring offers from a file into the store, oldest day first; nothing that the file does not tell is said to be gone.

    What is older than the store's own knowledge of an offer becomes its past and leaves the present alone; the results count
    it (`pricing.store.late_rows` has the rule).

    Parameters
    ----------
    engine : Engine
        The store; made if it is not there.
    offers : iterable of Offer
        Of one day or many, of one provider or many.
    name : str
        Part for the rows that have none.
    is_now : bool
        Whether the prices are those of this moment, whatever day the rows tell: they take effect.

    Raises
    ------
    StoreError
        Where one offer comes twice for one day; then nothing is written.
    """
    now = utc_now()
    today = now.date()
    by_day: dict[tuple[date, str], list[Offer]] = defaultdict(list)
    for offer in offers:
        part = offer.part or f"import/{name}"
        day = today if is_now else offer.observed_on
        dated = replace(offer, part=part, observed_on=today) if is_now else replace(offer, part=part)
        by_day[day, offer.provider].append(dated)
    for (day, _), rows in by_day.items():
        _refuse_repeated(rows, day, is_now=is_now)
    engine.create()
    results: list[PartResult] = []
    with engine.held():
        for (day, provider), rows in sorted(by_day.items(), key=lambda item: item[0]):
            # A file says a day; noon of it, or now where that has not come yet.
            noon = datetime.combine(day, time(12))
            counts = sorted(Counter(row.part for row in rows).items())
            landing = Landing(
                provider=provider,
                adapter_version="import",
                asked_at=now if is_now or day > today else min(noon, now),
                parts=tuple(PartAnswer(part=part, row_count=count) for part, count in counts),
                offers=rows,
                is_import=True,
            )
            results += land(engine, landing)
        if by_day:
            renew_spreads(engine)  # a past that was filled in has another median
    return results


def _refuse_repeated(rows: Sequence[Offer], day: date, *, is_now: bool) -> None:
    counts = Counter(identity_of(row) for row in rows)
    repeated = sorted(identity for identity, count in counts.items() if count > 1)
    if repeated:
        more = f" (and {len(repeated) - 1} more)" if len(repeated) > 1 else ""
        hint = "with --now a file has one row for each offer" if is_now else "leave one of the rows"
        raise StoreError(f"the offer {repeated[0]}{more} comes twice for {day}", hint=hint)


FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def offers_as_csv(offers: Sequence[Offer]) -> str:
    """Return offers as the table that `read_offer_file` reads; text that a spreadsheet would take for a formula is quoted."""
    return _each_cell(text_of_rows(Offer, offers), lambda cell: f"'{cell}" if _is_formula(cell.lstrip("'")) else cell)


def _without_quotes(text: str) -> str:
    """Return a table without the quotes that `offers_as_csv` puts before what looks like a formula."""
    return _each_cell(text, lambda cell: cell[1:] if cell[:1] == "'" and _is_formula(cell.lstrip("'")) else cell)


def _is_formula(cell: str) -> bool:
    if not cell.startswith(FORMULA):
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False


def _each_cell(text: str, change: Callable[[str], str]) -> str:
    if not any(f"{mark}" in text for mark in FORMULA):
        return text
    out = io.StringIO(newline="")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        csv.writer(out, lineterminator="\n").writerows([change(cell) for cell in row] for row in reader)
    except csv.Error:
        return text  # the reader of rows says what is wrong, with its line
    return out.getvalue()
