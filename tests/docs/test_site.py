"""The docs as a site: every page can be reached, every link leads to a page, and it builds without a warning."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

DOCS = ROOT / "docs"


def _pages(nav: Any) -> list[str]:
    match nav:
        case str():
            return [nav]
        case dict():
            return [page for part in nav.values() for page in _pages(part)]
        case _:
            return [page for part in nav for page in _pages(part)]


def test_every_page_is_reached_once() -> None:
    site = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    assert sorted(_pages(site["nav"])) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def test_links_lead_to_what_is_on_the_site() -> None:
    broken = []
    for path in DOCS.rglob("*.md"):
        for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", path.read_text(encoding="utf-8")):
            found = (path.parent / target).resolve()
            if not found.is_file() or not found.is_relative_to(DOCS):
                broken.append((path.name, target))
    assert broken == []


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mkdocs") is None, reason="no mkdocs (pip install -r requirements/docs.txt)")
def test_the_site_builds_without_a_warning_and_its_search_works_offline(tmp_path: Path) -> None:
    done = subprocess.run(
        ["mkdocs", "build", "--strict", "-d", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "search" / "search_index.json").read_text(encoding="utf-8"))
    assert {"commands.html", "assumptions.html"} <= {each["location"].partition("#")[0] for each in found["docs"]}
    assert "https://fonts" not in (tmp_path / "commands.html").read_text(encoding="utf-8")
