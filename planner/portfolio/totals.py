"""Totals: parts put together into one file in the order of the input, and counted by team."""

from __future__ import annotations

import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planner.options.option import OptionKind
from planner.portfolio.blocks import COLUMNS, PortfolioError

if TYPE_CHECKING:
    import duckdb


STARTS_A_FORMULA = "^[=+@\\-\\t\\r]"
"""Text that a spreadsheet would take for a formula; see `planner.report.values`."""
MOST_FAULTS = 10
SORTS = tuple(kind.value for kind in OptionKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """What a team's workloads come to.

    Attributes
    ----------
    name : str
        Of the team; empty for workloads without one.
    workloads : int
        All of them.
    choices : dict of str to int
        How many take which way (``rent``, ``buy``, ``api``, ``free``, ``have``, ``cpu``).
    no_answer : int
        Workloads that nothing fits, that could not be read, or that failed.
    gpus : float
        Accelerators of work that lasts, rented and owned.
    usd_per_month, once_usd : float
        Mean cost of a month of work that lasts, and cost of jobs that are run once.
    present_value_usd : float
        Of everything (NPV).
    """

    name: str
    workloads: int
    choices: dict[str, int]
    no_answer: int
    gpus: float
    usd_per_month: float
    once_usd: float
    present_value_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What all workloads come to.

    Attributes
    ----------
    whole : Team
        All teams together.
    teams : tuple of Team
        The dearest first.
    statuses : dict of str to int
        ``planned``, ``nothing_fits``, ``refused``, ``failed``.
    faults : tuple of str
        The first reasons of rows that were refused or failed.
    """

    whole: Team
    teams: tuple[Team, ...]
    statuses: dict[str, int]
    faults: tuple[str, ...] = field(default=())


@contextmanager
def _answers(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the parts as one view, ``answers``."""
    import duckdb

    connection = duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder / "spill")})
    try:
        connection.execute("SET preserve_insertion_order = true")
        answered = ", ".join(f'a."{name}"' for name in COLUMNS if name != "row")
        names, parts = folder / "names.jsonl", sorted(folder.glob("part-*.jsonl"))
        connection.execute(
            f"CREATE VIEW answers AS SELECT n.*, {answered} FROM {_rows([names], _name_columns(names))} n "
            f"JOIN {_rows(parts, COLUMNS)} a USING (row)"
        )
        yield connection
    except duckdb.Error as error:
        raise PortfolioError(
            f"the parts cannot be put together: {str(error).splitlines()[0]}",
            where=str(folder),
            hint="what is done is kept; make room and run the same command again",
        ) from error
    finally:
        connection.close()


def _rows(files: Sequence[Path], columns: Mapping[str, str]) -> str:
    """Return files of JSON lines as a relation; the names of files are patterns to DuckDB, so they are taken apart."""
    named = ", ".join(f"'{_quoted(glob.escape(str(file)))}'" for file in files)
    kinds = ", ".join(f"'{_quoted(name)}': '{kind}'" for name, kind in columns.items())
    return f"read_json([{named}], format = 'newline_delimited', columns = {{{kinds}}})"


def _name_columns(names: Path) -> dict[str, str]:
    with names.open(encoding="utf-8") as file:
        return {name: "BIGINT" if name == "row" else "VARCHAR" for name in json.loads(file.readline())}


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def write_result(folder: Path, target: Path) -> None:
    """Write all answers into one file in the order of the input, whole or not at all.

    Parameters
    ----------
    folder : Path
        With the parts of all blocks.
    target : Path
        ``.parquet``, else CSV.

    Raises
    ------
    PortfolioError
        The file cannot be written; the parts are kept.
    """
    part = target.resolve().with_name(f".{target.name}.part")
    with _answers(folder) as connection:
        columns = [
            (name, kind) for name, kind, *_ in connection.execute("DESCRIBE answers").fetchall() if name != "row"
        ]
        is_table = target.suffix.lower() == ".parquet"
        chosen = ", ".join(
            f'"{name}"'
            if is_table or kind != "VARCHAR"
            else f'CASE WHEN regexp_matches("{name}", \'{STARTS_A_FORMULA}\') THEN \'\'\'\' || "{name}" ELSE "{name}" END AS "{name}"'
            for name, kind in ((name.replace('"', '""'), kind) for name, kind in columns)
        )
        form = "FORMAT parquet, COMPRESSION zstd" if is_table else "FORMAT csv, HEADER"
        try:
            connection.execute(f"COPY (SELECT {chosen} FROM answers ORDER BY row) TO '{_quoted(str(part))}' ({form})")
            part.replace(target.resolve())
        except OSError as error:
            raise PortfolioError(f"cannot be written: {error.strerror or error}", where=str(target)) from error
        finally:
            part.unlink(missing_ok=True)


def totals_of(folder: Path) -> Totals:
    """Return what the workloads come to, by team."""
    lasts = "status = 'planned' AND NOT runs_once"
    figures = (
        "count(*)", *(f"count(*) FILTER (choice = '{sort}')" for sort in SORTS), "count(*) FILTER (status <> 'planned')",
        f"coalesce(sum(accelerators_total_count) FILTER ({lasts} AND choice IN ('rent', 'buy')), 0)",
        f"coalesce(sum(usd_per_month) FILTER ({lasts}), 0)",
        "coalesce(sum(total_usd) FILTER (status = 'planned' AND runs_once), 0)",
        "coalesce(sum(present_value_usd), 0)",
    )  # fmt: skip
    asked = ", ".join(figures)
    with _answers(folder) as connection:
        by_team = connection.execute(f"SELECT coalesce(team, ''), {asked} FROM answers GROUP BY ALL").fetchall()
        whole = connection.execute(f"SELECT '', {asked} FROM answers").fetchone()
        statuses = dict(
            connection.execute("SELECT status, count(*) FROM answers GROUP BY ALL ORDER BY 2 DESC").fetchall()
        )
        faults = connection.execute(
            f"SELECT reason FROM answers WHERE status IN ('refused', 'failed') ORDER BY row LIMIT {MOST_FAULTS}"
        ).fetchall()
    assert whole is not None
    teams = sorted((_team(row) for row in by_team), key=lambda team: (-team.present_value_usd, team.name))
    return Totals(
        whole=_team(whole), teams=tuple(teams), statuses=statuses, faults=tuple(str(row[0]) for row in faults)
    )


def _team(row: tuple[Any, ...]) -> Team:
    name, workloads, *rest = row
    counts, (no_answer, gpus, monthly, once, value) = rest[: len(SORTS)], rest[len(SORTS) :]
    return Team(
        name=name,
        workloads=workloads,
        choices={sort: count for sort, count in zip(SORTS, counts, strict=True) if count},
        no_answer=no_answer,
        gpus=gpus,
        usd_per_month=monthly,
        once_usd=once,
        present_value_usd=value,
    )
