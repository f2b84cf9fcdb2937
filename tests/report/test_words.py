"""What a person reads holds no retired word."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

RETIRED = re.compile(
    r"\b(beliefs?|leaner|lent|purse|shelf|let go of|today's money|arithmetic is the limit|accelerators work|a free tier does it|"
    r"machines are needed|turns? rent against buy|only a hint|hint only)\b",
    re.IGNORECASE,
)
"""Words of STYLE that have no other meaning here; those that do (book, floor, room, hint of an error) are left to the reader's eye."""
JOINED = re.compile(r"""["']\s+[fr]*["']""")
"""Between two literals that are one text."""


def _prose(path: Path) -> Iterator[str]:
    """Return what a person reads of a file: the text of a page, the strings of a program that are no names and no docstrings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        yield text
        return
    if not RETIRED.search(JOINED.sub("", text)):
        return  # nothing to take apart
    tree = ast.parse(text)
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    documented |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documented
            and " " in node.value
        ):
            yield node.value


def _files() -> list[Path]:
    found = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
    for folder, endings in (("planner", ("py", "js", "css", "yaml")), ("pricing", ("py",)), ("docs", ("md",)), ("examples", ("yaml",))):  # fmt: skip
        found += [
            path for ending in endings for path in (ROOT / folder).rglob(f"*.{ending}") if "vega" not in path.parts
        ]
    return found


def test_no_retired_word_is_read_anywhere() -> None:
    found = [
        f"{path.relative_to(ROOT)}: ...{text[max(match.start() - 30, 0) : match.end() + 30]!r}"
        for path in _files()
        for text in _prose(path)
        for match in RETIRED.finditer(text)
    ]
    assert found == []


@pytest.mark.parametrize("text", ["a belief of ours", "Lent for free", "over today's money"])
def test_the_list_finds_what_it_names(text: str) -> None:
    assert RETIRED.search(text)
