"""Files as relations of an engine: those with the same columns are read as one."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planner.engine import Engine
from planner.usage.columns import NEEDED
from planner.usage.faults import Fault
from planner.usage.sources import Source

__all__ = ["Relation", "first_line", "relations_of"]


@dataclass(frozen=True, slots=True)
class Relation:
    """Files with the same columns, as the engine knows them.

    Attributes
    ----------
    name : str
        Of the view.
    schema : dict of str to ibis data type
        Of the columns that are read.
    sources : tuple of Source
        The files.
    is_text : bool
        Whether they are CSV.
    """

    name: str
    schema: dict[str, Any]
    sources: tuple[Source, ...]
    is_text: bool


def relations_of(engine: Engine, sources: Sequence[Source], folder: Path, faults: list[Fault]) -> list[Relation]:
    """Make the files known to the engine.

    Parameters
    ----------
    engine : Engine
        Where they are read.
    sources : sequence of Source
        FOCUS files.
    folder : Path
        Where the embedded engine lays down what it has read of text, so that text is read once.
    faults : list of Fault
        Lines that are no rows are added here.
    """
    if not engine.is_spark:
        # What does not fit its memory is laid down here, and not in the folder that the user stands in.
        engine.ibis.raw_sql(f"SET temp_directory = {_quoted(str(folder))}")
    groups: dict[tuple[Any, ...], list[Source]] = {}
    for source in sources:
        types = tuple(str(source.schema.field(name).type) for name in source.columns) if source.schema else ()
        is_object = source.filesystem is not None
        groups.setdefault((source.form, source.columns, types, is_object), []).append(source)
    found = []
    for number, group in enumerate(groups.values()):
        name = f"bill_{number}"
        is_text = group[0].form == "csv"
        with engine.told():
            if engine.is_spark:
                _spark_view(engine, name, group, faults)
            elif is_text:
                _duckdb_text(engine, name, group, folder, faults)
            else:
                _duckdb_parquet(engine, name, group)
        found.append(Relation(name, _schema(group[0]), tuple(group), is_text))
    return found


def _schema(source: Source) -> dict[str, Any]:
    """Return the types of the columns that are needed and there."""
    import ibis.expr.datatypes as dt

    if source.schema is None:
        return {name: dt.string for name in source.columns if name in NEEDED}
    return {name: _type(source.schema.field(name).type, name) for name in source.columns if name in NEEDED}


def _type(arrow: Any, name: str) -> Any:  # noqa: ANN401  Arrow's types have none of their own here
    import ibis.expr.datatypes as dt
    import pyarrow.types as kinds

    if kinds.is_dictionary(arrow):
        return _type(arrow.value_type, name)
    if kinds.is_timestamp(arrow):
        return dt.Timestamp(timezone="UTC" if arrow.tz else None)
    if kinds.is_date(arrow):
        return dt.date
    if kinds.is_map(arrow) and name == "Tags":
        return dt.Map(dt.string, dt.string)
    if kinds.is_decimal(arrow):
        return dt.Decimal(arrow.precision, arrow.scale)
    if kinds.is_floating(arrow):
        return dt.float64
    return dt.int64 if kinds.is_integer(arrow) else dt.string


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _columns(source: Source) -> str:
    """Return the needed columns as SQL; what is nested (SkuPriceDetails as a struct) as the JSON that FOCUS asks for."""
    nested = _nested(source)
    return ", ".join(f'CAST(to_json("{name}") AS VARCHAR) AS "{name}"' if name in nested else f'"{name}"' for name in source.columns if name in NEEDED)  # fmt: skip


def _nested(source: Source) -> set[str]:
    import pyarrow.types as kinds

    if source.schema is None:
        return set()
    types = {name: source.schema.field(name).type for name in source.columns if name in NEEDED}
    return {
        name for name, kind in types.items() if kinds.is_nested(kind) and not (kinds.is_map(kind) and name == "Tags")
    }


def _duckdb_parquet(engine: Engine, name: str, group: Sequence[Source]) -> None:
    if group[0].filesystem is not None:
        import pyarrow.dataset as ds

        # DuckDB's own reader of object stores is a download; Arrow's is in its wheel.
        engine.ibis.con.register(
            f"{name}_there", ds.dataset([one.path for one in group], filesystem=group[0].filesystem)
        )
        engine.ibis.raw_sql(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {_columns(group[0])} FROM {name}_there")  # noqa: S608  our own names
        return
    paths = ", ".join(_quoted(one.path) for one in group)
    engine.ibis.raw_sql(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {_columns(group[0])} FROM read_parquet([{paths}], hive_partitioning = false)")  # fmt: skip  # noqa: S608  our own names, quoted paths


def _duckdb_text(engine: Engine, name: str, group: Sequence[Source], folder: Path, faults: list[Fault]) -> None:
    """Read text once and keep what is needed as Parquet; lines that are no rows are told with file and line."""
    names = {one.path: one.name for one in group}
    paths = ", ".join(_quoted(path) for path in names)
    target = folder / f"{name}.parquet"
    columns = "{" + ", ".join(f"{_quoted(column)}: 'VARCHAR'" for column in group[0].columns) + "}"
    options = (
        "header = true, delim = ',', quote = '\"', escape = '\"', auto_detect = false, max_line_size = 16777216, "
        f"store_rejects = true, rejects_table = 'rejects_{name}', rejects_scan = 'scans_{name}'"
    )
    engine.ibis.raw_sql(f"COPY (SELECT {_columns(group[0])} FROM read_csv([{paths}], columns = {columns}, {options})) TO {_quoted(str(target))} (FORMAT parquet)")  # fmt: skip  # noqa: S608  our own names, quoted paths
    rejected = engine.ibis.raw_sql(
        f"SELECT s.file_path, min(r.line), count(DISTINCT r.line), min_by(r.error_message, r.line) FROM rejects_{name} r "  # noqa: S608  our own names
        f"JOIN scans_{name} s ON r.scan_id = s.scan_id AND r.file_id = s.file_id GROUP BY 1 ORDER BY 1"
    ).fetchall()
    for path, line, count, message in rejected:
        what = f"a line that is no row of this table: {str(message).splitlines()[0]}"
        faults.append(Fault(what=what, where=f"{names.get(path, path)}:{line}", rows=count))
    engine.ibis.raw_sql(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT * FROM read_parquet({_quoted(str(target))})")  # noqa: S608


def _spark_view(engine: Engine, name: str, group: Sequence[Source], faults: list[Fault]) -> None:
    spark = engine.spark
    assert spark is not None
    paths = [_spark_path(one) for one in group]
    needed = [column for column in group[0].columns if column in NEEDED]
    if group[0].form == "parquet":
        frame = spark.read.parquet(*paths)
    else:
        from pyspark.sql.types import StringType, StructField, StructType

        corrupt = "_corrupt_line"
        fields = [StructField(column, StringType()) for column in (*group[0].columns, corrupt)]
        options = {"header": True, "quote": '"', "escape": '"', "multiLine": True, "mode": "PERMISSIVE", "columnNameOfCorruptRecord": corrupt, "enforceSchema": True}  # fmt: skip
        frame = spark.read.schema(StructType(fields)).options(**options).csv(paths)
        # Spark refuses to look at nothing but the broken lines; another column keeps it company.
        found = frame.agg({corrupt: "count", group[0].columns[0]: "max"}).toArrow()
        broken = int(found[f"count({corrupt})"][0].as_py())
        if broken:
            where = first_line(group, lambda row, header: len(row) != len(header))
            faults.append(Fault(what="lines that are no rows of this table", where=where, rows=broken))
        frame = frame.where(frame[corrupt].isNull())
    nested = _nested(group[0])
    frame.selectExpr(*(f"to_json(`{column}`) AS `{column}`" if column in nested else f"`{column}`" for column in needed)).createOrReplaceTempView(name)  # fmt: skip


def _spark_path(source: Source) -> str:
    if source.filesystem is None:
        # Spark reads brackets and stars of a path as patterns, and does not decode a URI's escapes.
        return "file://" + re.sub(r"([\\\[\]{}*?])", r"\\\1", str(Path(source.path).resolve()))
    return source.name.replace("s3://", "s3a://", 1)


def first_line(sources: Iterable[Source], is_wrong: Callable[[Sequence[str], Sequence[str]], bool]) -> str:
    """Return file and line of the first row of text that is wrong, as far as this machine can see the files.

    Parameters
    ----------
    sources : iterable of Source
        CSV files.
    is_wrong : callable
        Says it of a row's cells and the header.
    """
    import gzip

    for source in sources:
        if source.form != "csv" or source.filesystem is not None or not Path(source.path).exists():
            continue
        is_gzip = source.path.lower().endswith(".gz")
        with (
            gzip.open(source.path, "rt", encoding="utf-8-sig", errors="replace", newline="")
            if is_gzip
            else Path(source.path).open(encoding="utf-8-sig", errors="replace", newline="")
        ) as file:
            reader = csv.reader(file)
            header = next(reader, [])
            for row in reader:
                if row and is_wrong(row, header):
                    return f"{source.name}:{reader.line_num}"
    return ""
