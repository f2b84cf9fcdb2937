"""The reasoning half: draws conclusions from facts and assumptions that are handed to it.

The names below are the public face for use from Python (``docs/python.md``); each is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from planner.assumptions import default_assumptions
    from planner.demand.models import load_workload
    from planner.demand.workload import Workload
    from planner.plan import Plan, make_plan

__all__ = ["Plan", "Workload", "default_assumptions", "load_workload", "make_plan"]

__version__ = "0.1.0"

_HOME = {
    "Plan": "planner.plan",
    "Workload": "planner.demand.workload",
    "default_assumptions": "planner.assumptions",
    "load_workload": "planner.demand.models",
    "make_plan": "planner.plan",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that ``import planner`` stays cheap."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value
