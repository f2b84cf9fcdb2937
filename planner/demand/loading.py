"""A workload from its file."""

from __future__ import annotations

from os import PathLike, fspath

from planner.demand.models import anchored
from planner.demand.workload import Workload
from planner.inputs import read_document, validated


def load_workload(path: str | PathLike[str]) -> Workload:
    """Return the workload of a YAML file; a model's relative path starts at the file's folder.

    Raises
    ------
    InputError
        No such file, or all its faults at once, with line and key.
    """
    source = fspath(path)
    return anchored(validated(read_document(source), Workload), source)
