"""Errors that a user can mend; anything else is a bug and keeps its traceback."""

from __future__ import annotations

from collections.abc import Iterable

EXTRAS = {
    "azure": "azure",
    "boto3": "aws",
    "botocore": "aws",
    "google": "gcp",
    "grpc": "spark",
    "ibis": "usage",
    "mcp": "mcp",
    "psycopg": "postgres",
    "pyarrow": "usage",
    "pyspark": "spark",
    "starlette": "web",
    "uvicorn": "web",
}
"""Which extra of the package brings a library that a base install lacks."""


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


def did_you_mean(word: str, known: Iterable[str], *, most: int = 1, cutoff: float = 0.5) -> str:
    """Return the known words nearest to an unknown one as the end of a message; empty where none is near.

    Examples
    --------
    >>> did_you_mean("spto", ["spot", "on_demand"])
    '; did you mean spot?'
    """
    import difflib

    near = difflib.get_close_matches(word, list(known), n=most, cutoff=cutoff)
    return f"; did you mean {', '.join(near)}?" if near else ""


class MissingLibraryError(GpuplanError):
    """A command needs a library that comes with an extra."""

    code = "missing_library"

    @classmethod
    def of(cls, error: BaseException) -> MissingLibraryError | None:
        """Return what to install where an error is the lack of an extra's library; None for any other.

        Examples
        --------
        >>> print(MissingLibraryError.of(ModuleNotFoundError("No module named 'pyarrow'", name="pyarrow")))
        this needs the libraries of the extra 'usage': No module named 'pyarrow'
          pip install 'gpuplan[usage]', or in a checkout: .venv/bin/pip install --requirement requirements/all.txt
        """
        extra = EXTRAS.get((error.name or "").partition(".")[0]) if isinstance(error, ImportError) else None
        if extra is None:
            return None
        return cls(
            f"this needs the libraries of the extra '{extra}': {error}",
            hint=f"pip install 'gpuplan[{extra}]', or in a checkout: .venv/bin/pip install --requirement requirements/all.txt",
        )


class StoreError(PricingError):
    """A store that cannot be opened, read or written."""

    code = "store"


class StoreVersionError(StoreError):
    """A store of another schema version, or a database that is no store of ours."""

    code = "store_version"


class StoreBusyError(StoreError):
    """A store that another program kept locked for too long."""

    code = "store_busy"


class NoPricesError(PricingError):
    """No price, or none young enough, to answer from."""

    code = "no_prices"
    exit_status = 4
