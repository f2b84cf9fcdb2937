"""One place says what time it is, so that a test, or a run that is to be repeated, can say it instead."""

from __future__ import annotations

import ast
import re

from tests.conftest import ROOT

ASKS_THE_TIME = re.compile(
    r"\b(?:(?:datetime|date|Timestamp)\.(?:now|utcnow|today)|time\.(?:time(?:_ns)?|localtime|gmtime|ctime|strftime))\("
    r"|from time import|\bnow\(\)|\b(?:current_date|current_time(?:stamp)?|localtimestamp|get_current_timestamp)\b",
    re.IGNORECASE,
)


def test_nothing_but_the_clock_asks_what_time_it_is() -> None:
    asking = [
        path.relative_to(ROOT).as_posix()
        for package in ("planner", "pricing")
        for path in (ROOT / package).rglob("*.py")
        if ASKS_THE_TIME.search(path.read_text(encoding="utf-8"))
    ]
    assert asking == ["pricing/clock.py"]


def test_no_conftest_asks_what_time_it_is_while_it_is_imported() -> None:
    """Those of the files that pytest is given are imported before the tests' clock is started."""
    asking = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "tests").rglob("conftest.py")
        for statement in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr)
        for node in ast.walk(statement)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"utc_now", "today", "date.today", "datetime.now"}
    ]
    assert not asking
