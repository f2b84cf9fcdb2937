"""Files and catalog tables as relations of an engine: those with the same columns are read as one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from planner.engine.session import Engine
from planner.inputs.delimited import lines_of, rows_of
from planner.usage.cache import FileCache
from planner.usage.columns import NEEDED
from planner.usage.exports import projection, quoted_text
from planner.usage.faults import Fault, UsageError
from planner.usage.sources import Source

NAME = re.compile(r"[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*){1,2}")


FILE = "gpuplan_file"
"""The column that says which file a row is from."""


def is_table_name(text: str) -> bool:
    """Say whether a text is the name of a table, and no file.

    Examples
    --------
    >>> is_table_name("main.billing.focus"), is_table_name("bill"), is_table_name("/data/bill.csv")
    (True, False, False)
    """
    return NAME.fullmatch(text) is not None and not Path(text).exists()


def quoted_table(name: str, *, is_spark: bool) -> str:
    """Return a table's name as the engine's SQL has it.

    Examples
    --------
    >>> quoted_table("main.billing.focus-2026", is_spark=True)
    '`main`.`billing`.`focus-2026`'
    """
    mark = "`" if is_spark else '"'
    return ".".join(f"{mark}{part}{mark}" for part in name.split("."))


def table_source(engine: Engine, name: str) -> Source:
    """Return a table of the engine's as a source; its kind is empty, as that of a file before its header is read.

    Raises
    ------
    UsageError
        The engine knows no such table, or may not read it.
    """
    query = f"SELECT * FROM {quoted_table(name, is_spark=engine.is_spark)} LIMIT 0"
    try:
        if engine.warehouse is not None:
            schema = engine.table_there(name).schema().to_pyarrow()
        elif engine.is_spark:
            schema = engine.spark.sql(query).toArrow().schema
        else:
            schema = engine.ibis.con.sql(query).to_arrow_table().schema
    except Exception as error:  # each engine's own
        raise UsageError(
            f"the engine cannot read this table: {engine.address.error_text(error)}", where=name
        ) from error
    return Source(name=name, path=name, form="table", columns=tuple(schema.names), kind="", schema=schema)


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


def relations_of(
    engine: Engine, sources: Sequence[Source], folder: Path, faults: list[Fault], kept: FileCache | None = None
) -> list[Relation]:
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
    kept : Kept, optional
        Where text that was read once is kept.
    """
    if not engine.is_spark:
        # Data that does not fit into memory is spilled here, not into the user's current folder.
        engine.ibis.raw_sql(f"SET temp_directory = {quoted_text(str(folder))}")
    groups: dict[tuple[Any, ...], list[Source]] = {}
    for source in sources:
        types = tuple(map(str, source.schema.types)) if source.schema else ()
        is_object = source.filesystem is not None
        groups.setdefault((source.form, source.columns, types, is_object), []).append(source)
    relations = []
    for number, group in enumerate(groups.values()):
        name = f"bill_{number}"
        is_text = group[0].form == "csv" or group[0].export is not None
        with engine.readable_errors():
            if group[0].form == "table":
                _table_view(engine, name, group, folder)
            elif engine.is_spark:
                _spark_view(engine, name, group, faults)
            elif group[0].form == "csv":
                _duckdb_text(engine, name, group, folder, faults, kept)
            else:
                _duckdb_parquet(engine, name, group)
        relations.append(Relation(name, _schema(group[0]), tuple(group), is_text))
    return relations


def _schema(source: Source) -> dict[str, Any]:
    """Return the types of the columns that are needed and there."""
    import ibis.expr.datatypes as dt

    is_text = source.schema is None or source.export is not None
    types = {
        name: dt.string if is_text else _type(source.schema.field(name).type, name)
        for name in source.focus_columns
        if name in NEEDED
    }
    return types | {FILE: dt.string}


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


def _name(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _columns(source: Source, *, is_spark: bool = False) -> str:
    """Return the needed columns as SQL; nested ones (SkuPriceDetails as a struct) become the JSON that FOCUS asks for."""
    quoted = (lambda name: f"`{name}`") if is_spark else _name
    if source.export is not None:
        texts = projection(source.export, source.columns, source.schema, quoted, is_spark=is_spark)
        return ", ".join(f"{text} AS {quoted(name)}" for name, text in texts.items())
    nested = _nested(source)
    json = "to_json({})" if is_spark else "CAST(to_json({}) AS VARCHAR)"
    names = [(name, quoted(name)) for name in source.columns if name in NEEDED]
    return ", ".join(f"{json.format(text)} AS {text}" if name in nested else text for name, text in names)


def _table_view(engine: Engine, name: str, group: Sequence[Source], folder: Path) -> None:
    """Make a view of tables that the engine has, or fetches; each goes under its own name, as a file does."""
    is_spark = engine.is_spark
    parts = [
        f"SELECT {_columns(source, is_spark=is_spark)}, {quoted_text(source.name)} AS {FILE} FROM {_place(engine, source, folder / f'{name}_{number}.parquet')}"
        for number, source in enumerate(group)
    ]
    query = " UNION ALL ".join(parts)
    if is_spark:
        engine.spark.sql(query).createOrReplaceTempView(name)
    else:
        engine.ibis.raw_sql(f"CREATE OR REPLACE TEMP VIEW {name} AS {query}")


def _place(engine: Engine, source: Source, target: Path) -> str:
    """Return where a table is read: with the engine, or from a file that is fetched."""
    if engine.warehouse is None:
        return quoted_table(source.path, is_spark=engine.is_spark)
    wanted = source.columns if source.export else [name for name in source.columns if name in NEEDED]
    engine.fetch(source.path, wanted, target)
    return f"read_parquet({quoted_text(str(target))})"


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
            f"{name}_there", ds.dataset([source.path for source in group], filesystem=group[0].filesystem)
        )
        engine.ibis.raw_sql(
            f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {_columns(group[0])}, '' AS {FILE} FROM {name}_there"
        )
        return
    paths = ", ".join(quoted_text(source.path) for source in group)
    engine.ibis.raw_sql(f"CREATE OR REPLACE TEMP VIEW {name} AS SELECT {_columns(group[0])}, filename AS {FILE} FROM read_parquet([{paths}], hive_partitioning = false, filename = true)")  # fmt: skip


def _duckdb_text(
    engine: Engine, name: str, group: Sequence[Source], folder: Path, faults: list[Fault], kept: FileCache | None
) -> None:
    """Read text once and keep the needed columns as Parquet; files kept by an earlier run are not read."""
    anew = [source for source in group if not (kept and source.mark)]
    parts, rejected = [], []
    if anew:
        target = folder / f"{name}.parquet"
        rejected += _lay_down_text(engine, name, anew, target)
        parts.append(f"SELECT * FROM read_parquet({quoted_text(str(target))})")
    targets = []
    for number, source in enumerate(source for source in group if kept and source.mark):
        assert kept is not None
        target = Path(f"{source.path}.parquet")
        recipe = f"{_text_query(source, '', '')} {engine.ibis.version}"
        if not kept.fetch(source.mark, recipe, target):
            broken = _lay_down_text(engine, f"{name}_{number}", [source], target)
            if not broken and kept.is_still(source.mark, source.name):
                kept.store(source.mark, recipe, target)
            rejected += broken
        targets.append(quoted_text(str(target)))
    if targets:
        whose = "regexp_replace(filename, '[.]parquet$', '')"
        parts.append(f"SELECT * EXCLUDE (filename) REPLACE ({whose} AS {FILE}) FROM read_parquet([{', '.join(targets)}], filename = true)")  # fmt: skip
    faults += [fault for _, fault in sorted(rejected, key=lambda rejection: rejection[0])]
    engine.ibis.raw_sql(f"CREATE OR REPLACE TEMP VIEW {name} AS {' UNION ALL BY NAME '.join(parts)}")


def _text_query(source: Source, paths: str, options: str) -> str:
    """Return the query that reads files of text with the columns of one of them; where files were joined, without their headers."""
    # Columns that are not read may share a name, or differ from another's by capitals alone; DuckDB takes neither.
    wanted = source.columns if source.export else NEEDED
    called = [
        column if column in wanted and source.columns.index(column) == place else f"column_{place}"
        for place, column in enumerate(source.columns)
    ]
    columns = "{" + ", ".join(f"{quoted_text(column)}: 'VARCHAR'" for column in called) + "}"
    is_row = " OR ".join(
        f"{_name(column)} IS DISTINCT FROM {quoted_text(column)}" for column in called if column in wanted
    )
    form = "header = true, delim = ',', quote = '\"', escape = '\"', auto_detect = false, max_line_size = 16777216"
    return f"SELECT {_columns(source)}, filename AS {FILE} FROM read_csv([{paths}], columns = {columns}, filename = true, {form}{options}) WHERE {is_row}"  # fmt: skip


def _lay_down_text(engine: Engine, name: str, group: Sequence[Source], target: Path) -> list[tuple[str, Fault]]:
    """Write the needed columns of text files as Parquet; return the lines of each file that are no rows."""
    names = {source.path: source.name for source in group}
    rejects = f", store_rejects = true, rejects_table = 'rejects_{name}', rejects_scan = 'scans_{name}'"
    query = _text_query(group[0], ", ".join(quoted_text(path) for path in names), rejects)
    engine.ibis.raw_sql(f"COPY ({query}) TO {quoted_text(str(target))} (FORMAT parquet)")
    rejected = engine.ibis.raw_sql(
        f"SELECT s.file_path, min(r.line), count(DISTINCT r.line), min_by(r.error_message, r.line) FROM rejects_{name} r "
        f"JOIN scans_{name} s ON r.scan_id = s.scan_id AND r.file_id = s.file_id GROUP BY 1 ORDER BY 1"
    ).fetchall()
    what = "a line that is not a row of this table"
    return [
        (path, Fault(what=f"{what}: {str(said).splitlines()[0]}", where=f"{names.get(path, path)}:{line}", rows=count))
        for path, line, count, said in rejected
    ]


def _spark_view(engine: Engine, name: str, group: Sequence[Source], faults: list[Fault]) -> None:
    spark = engine.spark
    assert spark is not None
    paths = [_spark_path(source) for source in group]
    if group[0].form == "parquet":
        frame = spark.read.parquet(*paths)
    else:
        from pyspark.sql.types import StringType, StructField, StructType

        corrupt = "_corrupt_line"
        columns = group[0].columns
        fields = [StructField(column, StringType()) for column in (*columns, corrupt)]
        options = {"header": True, "quote": '"', "escape": '"', "multiLine": True, "mode": "PERMISSIVE", "columnNameOfCorruptRecord": corrupt, "enforceSchema": True}  # fmt: skip
        frame = spark.read.schema(StructType(fields)).options(**options).csv(paths)
        # Spark refuses to look at nothing but the broken lines; another column keeps it company.
        other = "`" + columns[0].replace("`", "``") + "`"  # a point would mean a part of a record
        counts = frame.agg({corrupt: "count", other: "max"}).toArrow()
        broken = int(counts[f"count({corrupt})"][0].as_py())
        if broken:
            where = first_line(group, lambda row, header: len(row) != len(header))
            faults.append(Fault(what="lines that are not rows of this table", where=where, rows=broken))
        names = [name for name in columns if name in NEEDED] or columns[:1]
        cells = (frame["`" + name.replace("`", "``") + "`"].eqNullSafe(name) for name in names)
        frame = frame.where(frame[corrupt].isNull() & ~reduce(and_, cells))  # joined files have a header among the rows
    from pyspark.sql.functions import expr

    frame.select("*", expr("_metadata.file_path").alias("_file")).createOrReplaceTempView(f"{name}_there")
    query = f"SELECT {_columns(group[0], is_spark=True)}, _file AS {FILE} FROM {name}_there"
    spark.sql(query).createOrReplaceTempView(name)


def _spark_path(source: Source) -> str:
    if source.filesystem is None:
        # Spark reads brackets and stars of a path as patterns, and does not decode a URI's escapes.
        return "file://" + re.sub(r"([\\\[\]{}*?])", r"\\\1", str(Path(source.path).resolve()))
    return source.name.replace("s3://", "s3a://", 1)


def source_of_file(file: str, sources: Sequence[Source]) -> Source | None:
    """Return the source whose rows an engine says are from this file."""
    # Spark writes file:/x and file:///x, with escapes; DuckDB the path as it was given.
    path = re.sub(r"^file:/+", "/", unquote(file)) if file.startswith("file:") else file
    for source in sources:
        if path in (source.path, source.name) or Path(path) == Path(source.path).resolve():
            return source
    return None


def first_line(sources: Iterable[Source], is_wrong: Callable[[Sequence[str], Sequence[str]], bool]) -> str:
    """Return file and line of the first row of text that is wrong, as far as this machine can see the files.

    Parameters
    ----------
    sources : iterable of Source
        CSV files.
    is_wrong : callable
        Says it of a row's cells and the header.
    """
    for source in sources:
        if (
            source.export is not None
            or source.form != "csv"
            or source.filesystem is not None
            or not Path(source.path).exists()
        ):
            continue
        rows = rows_of(lines_of(source.path, source.name), source.name)
        _, header = next(rows, (0, []))
        for line, row in rows:
            if row and is_wrong(row, header):
                return f"{source.name}:{line}"
    return ""
