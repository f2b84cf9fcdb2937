"""Errors that a user can mend; anything else is a bug and keeps its traceback."""

from __future__ import annotations

__all__ = ["GpuplanError", "PricingError"]


class GpuplanError(Exception):
    """Something the user can put right, said in one message.

    Attributes
    ----------
    message : str
        What is wrong, with the value that was found and what was expected.
    hint : str
        The way out: the nearest known name, an option, a command.
    where : str
        File, line and column, or the option; empty where it does not apply.
    """

    code: str = "error"
    """The error's machine-readable name, as in the JSON error object."""
    exit_status: int = 2
    """Exit status of the command line when this error ends it."""

    def __init__(self, message: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where

    def __str__(self) -> str:
        """Return the whole message on one line or more: where, what, way out."""
        place = f"{self.where}: " if self.where else ""
        hint = f"\n  {self.hint}" if self.hint else ""
        return f"{place}{self.message}{hint}"


class PricingError(GpuplanError):
    """A fact, a price or a store that cannot be read or found."""

    code = "pricing"
