"""What lies on disk during a refresh goes with it: at its end, or at the start of the next one where it was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pricing.refresh.spool import spool_folder

HOLD = "from pricing.refresh.spool import spool_folder\nimport sys\nwith spool_folder() as f: print(f, flush=True); sys.stdin.read()"


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def _another() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def test_the_folder_goes_at_the_end_whatever_happened(parent: Path) -> None:
    def fails() -> None:
        with spool_folder() as folder:
            (folder / "part.json").write_text("{}")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert not list(parent.iterdir())


@pytest.mark.slow
def test_a_killed_refreshs_folder_goes_at_the_next_start_and_a_running_ones_stays(parent: Path) -> None:
    with _another() as killed, _another() as running:
        assert killed.stdout is not None
        assert running.stdout is not None
        left, kept = Path(killed.stdout.readline().strip()), Path(running.stdout.readline().strip())
        (left / "part.json").write_text("{}")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        foreign = parent / "gpuplan-refresh-link"
        foreign.symlink_to(kept)
        assert left.exists()
        with spool_folder() as own:
            assert not left.exists()
            assert kept.exists()
            assert foreign.exists()
            assert own.exists()
        running.communicate("")
    assert [path.name for path in parent.iterdir()] == ["gpuplan-refresh-link"]
