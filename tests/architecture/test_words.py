"""Codes below, words in `planner/report/`: what reasons builds no sentence, so that no wording decides anything."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

SPEAKS = ("report/", "commands/", "web/", "launch/", "intake/", "cli.py")
"""What is read by people as it is: reports, help and pages, the files that `launch` and `intake` write with their remarks, units."""
TELLS_ERRORS = {
    "assumptions.py": "a value outside of its range",
    "scenario/schema.py": "faults that pydantic collects",
    "demand/architecture.py": "the same",
    "demand/configuration/": "why a config.json is not understood; the error that is raised joins them",
    "demand/profiles.py": "what is no demand",
    "demand/fields.py": "titles of a workload's sections, for its schema",
    "demand/models.py": "why a model cannot do a kind of work",
    "demand/workload.py": "faults that pydantic collects",
    "engine/session.py": "what an engine's failure means",
    "inputs/faults.py": "pydantic's faults in the words of a file",
    "inputs/reading.py": "what a YAML file must not hold",
    "measured/verify.py": "why a measured row is refused",
    "measured/scores.py": "why a measured row is refused",
    "portfolio/": "why a row is refused or kept apart, which workers write beside it, and what they say while they work",
    "mix/capacity.py": "faults of a tier",
    "usage/columns.py": "columns that are missing",
    "usage/file_kinds.py": "what a file is that is not read, and what to export instead",
    "usage/table_formats.py": "how else to read the table of a lake",
    "usage/archives.py": "where a gzip that is cut off ends",
    "usage/unreadable_rows.py": "what a column holds that cannot be read",
    "usage/sources.py": "why a file is not read",
    "usage/relations.py": "lines that are not rows",
    "usage/slurm.py": "lines that are not jobs",
    "usage/summary.py": "where rows were lost, in the error that nothing is left; a drafted workload, with its remarks",
    "verdict/refusal.py": "the error that nothing fits; the steps of the funnel are named by `pricing.catalog`",
}
"""Files that word errors outside of the `raise` itself, and of what kind."""
NAMES_STEPS = {"filtered", "FunnelStep", "Dropped", "split"}
"""Filters of `pricing.catalog` are named where they are applied, as those of `pricing` are."""
ORDINARY = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "for",
        "from",
        "has",
        "have",
        "in",
        "is",
        "it",
        "its",
        "no",
        "not",
        "of",
        "on",
        "or",
        "that",
        "the",
        "they",
        "this",
        "to",
        "with",
    ]
)
SQL = re.compile(
    r"\b(SELECT|CASE WHEN|CREATE|COPY|CAST|TRY_CAST|COALESCE|CONCAT|INSERT|NULLIF|SET|DROP|FILTER|AND|OR)\b"
)
PATTERN = re.compile(r"\(\?|\\[bdsw]")


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "0" for part in values)
        case _:
            return ""


def _is_sentence(text: str) -> bool:
    words = {word.strip(",.;:()").lower() for word in text.split()}
    return len(text.split()) >= 5 and bool(ORDINARY & words) and not SQL.search(text) and not PATTERN.search(text)


def _is_error(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    return name.endswith("Error") or name in {"Fault", "fail", "field_validator"} | NAMES_STEPS


def _sentences(node: ast.AST) -> Iterator[tuple[int, str]]:
    if _is_error(node) or (isinstance(node, ast.Expr) and _text(node.value)):
        return
    if isinstance(node, ast.expr) and _text(node):
        if _is_sentence(_text(node)):
            yield node.lineno, _text(node)
        return
    for child in ast.iter_child_nodes(node):
        yield from _sentences(child)


@cache
def _told(path: Path) -> list[str]:
    return [f"{line}: {text}" for line, text in _sentences(ast.parse(path.read_text(encoding="utf-8")))]


def test_no_sentence_is_built_below_the_report() -> None:
    found = {
        name: told
        for path in sorted((ROOT / "planner").rglob("*.py"))
        if not (name := path.relative_to(ROOT / "planner").as_posix()).startswith((*SPEAKS, *TELLS_ERRORS))
        and (told := _told(path))
    }
    assert not found, "say it in planner/report/notes.py, by a code of planner/notes.py"


def test_every_exception_is_still_one() -> None:
    told = {path.relative_to(ROOT / "planner").as_posix() for path in (ROOT / "planner").rglob("*.py") if _told(path)}
    assert not [name for name in TELLS_ERRORS if not any(path.startswith(name) for path in told)]


def test_a_sentence_is_told_from_a_name_an_error_and_a_query() -> None:
    tree = ast.parse(
        'def f(n):\n    """Return what is said to the reader."""\n'
        '    raise ValueError("this is not what was asked for")\n'
        '    return "a-b", f"SELECT {n} FROM the_table WHERE it is in", f"{n} of them are kept for the night"\n'
    )
    assert [text for _, text in _sentences(tree)] == ["0 of them are kept for the night"]
