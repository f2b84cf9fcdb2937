"""What could not be read, said and counted; and the error when nothing could."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from planner.errors import InputError, PlanningError


class UsageError(InputError):
    """A bill or a record that cannot be read at all."""

    code = "usage_input"


class NoUsageError(PlanningError):
    """Everything was read, and no accelerator was used; the message carries the funnel."""

    code = "no_usage"
    exit_status = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that could not be read, and is missing from the answer.

    Attributes
    ----------
    what : str
        In words.
    where : str
        The first place: file, with its line or row where that is known.
    rows : int or None
        How many rows; None where nobody can know (the end of a file that is cut off).
    hint : str
        The way out.
    """

    what: str
    where: str = ""
    rows: int | None = None
    hint: str = ""


class UnreadableFileError(Exception):
    """A file that is left out; the others are read."""

    def __init__(self, what: str, where: str, hint: str = "") -> None:
        super().__init__(what)
        self.fault = Fault(what=what, where=where, hint=hint)


@contextmanager
def left_out(name: str, faults: list[Fault]) -> Iterator[None]:
    """Add to the faults why a file cannot be read, and go on."""
    try:
        yield
    except UnreadableFileError as error:
        faults.append(error.fault)
    except OSError as error:
        faults.append(Fault(what=f"it cannot be read: {error.strerror or error}", where=name))


def fault_text(fault: Fault) -> str:
    """Say a fault in one line.

    Examples
    --------
    >>> fault_text(Fault(what="EffectiveCost is not a number", where="bill.csv:7", rows=2))
    'bill.csv:7: EffectiveCost is not a number (2 rows left out)'
    """
    place = f"{fault.where}: " if fault.where else ""
    rows = "" if fault.rows is None else f" ({fault.rows:,} row{'s' if fault.rows != 1 else ''} left out)"
    return f"{place}{fault.what}{rows}"


def refusal(what: str, faults: Sequence[Fault]) -> UsageError:
    """Return the error where nothing is left to read: all faults, and the first way out that one of them names."""
    hint = next((fault.hint for fault in faults if fault.hint), "")
    return UsageError("\n  ".join([f"{what}:", *map(fault_text, faults)]), hint=hint)
