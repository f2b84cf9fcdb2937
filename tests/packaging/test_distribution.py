"""What is published: wheel and source archive hold what the program needs, say what they are, and make the same wheel."""

from __future__ import annotations

import email
import subprocess
import tarfile
import tomllib
import venv
import zipfile
from email.message import Message
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NEEDED = (
    "planner/py.typed", "pricing/py.typed", "planner/facts/assumptions.csv", "planner/templates/serve.yaml",
    "planner/report/assets/page.css", "planner/report/assets/vega/vega.min.js", "pricing/facts/",
)  # fmt: skip


def test_every_extra_is_named_where_the_installation_is_told() -> None:
    line = next(each for each in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if "extras:" in each)
    assert {extra for extra in PROJECT["optional-dependencies"] if f"`{extra}`" not in line} == set()


def _metadata(wheel: zipfile.ZipFile) -> Message:
    (name,) = (each for each in wheel.namelist() if each.endswith(".dist-info/METADATA"))
    return email.message_from_string(wheel.read(name).decode())


def _built(python: Path, source: Path, out: Path, *targets: str) -> None:
    subprocess.run(
        [python, "-m", "hatchling", "build", "-d", out, *targets], cwd=source, check=True, capture_output=True
    )


@pytest.mark.slow
def test_wheel_and_source_archive_are_ready_to_be_published(tmp_path: Path) -> None:
    venv.create(tmp_path / "fresh", with_pip=True)
    python = tmp_path / "fresh" / "bin" / "python"
    done = subprocess.run(
        [python, "-m", "pip", "-q", "install", "hatchling"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("no package index can be reached")
    _built(python, ROOT, tmp_path / "out", "-t", "sdist", "-t", "wheel")
    (archive,), (path,) = (tmp_path / "out").glob("*.tar.gz"), (tmp_path / "out").glob("*.whl")
    with zipfile.ZipFile(path) as wheel:
        names, said = wheel.namelist(), _metadata(wheel)
        scripts = wheel.read(next(each for each in names if each.endswith("entry_points.txt"))).decode()
    assert all(any(name.startswith(needed) for name in names) for needed in NEEDED)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"planner", "pricing", "gpuplan"}
    assert not [name for name in names if name.endswith((".pyc", ".pyo")) or "__pycache__" in name]
    assert "gpuplan = planner.cli:main" in scripts
    assert said["Name"] == "gpuplan"
    assert said["Requires-Python"] == PROJECT["requires-python"]
    assert said["License-Expression"] == PROJECT["license"]
    assert said["Description-Content-Type"] == "text/markdown"
    assert said.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(said.get_all("Provides-Extra", [])) == set(PROJECT["optional-dependencies"])
    with tarfile.open(archive) as source:
        source.extractall(tmp_path / "source", filter="data")
    (folder,) = (tmp_path / "source").iterdir()
    assert {"LICENSE", "README.md", "PKG-INFO", "pyproject.toml"} <= {each.name for each in folder.iterdir()}
    _built(python, folder, tmp_path / "again", "-t", "wheel")
    with zipfile.ZipFile(next((tmp_path / "again").glob("*.whl"))) as wheel:
        assert wheel.namelist() == names
