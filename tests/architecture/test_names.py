"""Names that were retired stay retired: one word for each thing, and that the field's own."""

from __future__ import annotations

import ast
import re

from tests.conftest import ROOT

INSTEAD_OF = {
    "belief": "assumption",
    "beliefs": "assumptions",
    "doubt": "uncertainty",
    "leaner": "smaller_weights",
    "lent": "free",
    "purse": "costs",
    "shelf": "market",
    "ways": "options",
    "house": "the thing itself",
    "hall": "the thing itself",
}
"""What each is called now; a word that was no image is in `MEANT_LITERALLY`."""
MEANT_LITERALLY = {"both_ways", "ways_out"}
HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
RETIRED = re.compile(rf"(?<![a-z])({'|'.join(INSTEAD_OF)})(?![a-z])")


def _names(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Name():
                found.add(node.id)
            case ast.arg() | ast.keyword() if node.arg:
                found.add(node.arg)
            case ast.Attribute():
                found.add(node.attr)
            case ast.alias():
                found.add((node.asname or node.name).rsplit(".", 1)[-1])
    return found


def _words(name: str) -> list[str]:
    plain = HUMP.sub("_", name).lower()
    for phrase in MEANT_LITERALLY:
        plain = plain.replace(phrase, "")
    return plain.split("_")


def test_no_retired_word_is_a_name_in_the_code() -> None:
    retired = []
    for folder in ("planner", "pricing", "scripts"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if not RETIRED.search(HUMP.sub("_", f"{path.stem} {text}").lower()):
                continue  # nothing to take apart
            names = _names(ast.parse(text)) | {path.stem}
            retired += [
                f"{path.relative_to(ROOT).as_posix()}: {name} (say {INSTEAD_OF[word]})"
                for name in sorted(names)
                for word in _words(name)
                if word in INSTEAD_OF
            ]
    assert retired == []
