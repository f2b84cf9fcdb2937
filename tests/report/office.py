"""LibreOffice as a second reader of workbooks: it works every formula out anew."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

__all__ = ["SOFFICE", "book_of", "cells", "changed", "needs_office", "recalculated"]

SOFFICE = shutil.which("soffice") or shutil.which("libreoffice")
needs_office = pytest.mark.skipif(
    SOFFICE is None, reason="no LibreOffice on this machine (apt-get install libreoffice-calc)"
)
# Without this a file's own values are believed, and nothing is tested.
ALWAYS_RECALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load"><prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>
"""


def recalculated(path: Path, folder: Path, form: str = "xlsx") -> Path:
    """Return the same workbook, worked out and written anew by LibreOffice."""
    assert SOFFICE is not None
    profile, out = folder / "profile", folder / "recalculated"
    (profile / "user").mkdir(parents=True, exist_ok=True)
    (profile / "user" / "registrymodifications.xcu").write_text(ALWAYS_RECALCULATE, encoding="utf-8")
    out.mkdir(exist_ok=True)
    subprocess.run(
        [
            SOFFICE,
            f"-env:UserInstallation={profile.as_uri()}",
            "--headless",
            "--convert-to",
            form,
            "--outdir",
            str(out),
            str(path),
        ],
        check=True,
        capture_output=True,
        timeout=180,
    )
    return out / f"{path.stem}.{form}"


def book_of(path: Path, *, values: bool = False) -> Any:
    """Return a workbook as openpyxl reads it: its formulas, or the values that they brought."""
    import openpyxl

    reader: Any = openpyxl  # it has no types
    return reader.load_workbook(path, data_only=values)


def cells(path: Path, *, formulas: bool = False) -> dict[tuple[str, str], Any]:
    """Return every filled cell of a workbook by sheet and place: its value, or its formula."""
    book = book_of(path, values=not formulas)
    try:
        return {
            (sheet.title, cell.coordinate): cell.value
            for sheet in book.worksheets
            for row in sheet.iter_rows()
            for cell in row
            if cell.value is not None
        }
    finally:
        book.close()


def changed(path: Path, values: dict[str, float | str], target: Path) -> Path:
    """Return a copy of a workbook in which the cells of some names hold other values."""
    book = book_of(path)
    for name, value in values.items():
        ((sheet, place),) = book.defined_names[name].destinations
        book[sheet][place.replace("$", "")] = value
    book.save(target)
    book.close()
    return target
