"""What an adapter is: two functions over pages, offers and faults.

``fetch(request)`` does all the asking and judges nothing; it yields a `RawPage` for everything that answered and a `PartFault`
for each part that did not. ``normalize(pages)`` is pure: it reads the pages and yields an `Offer` for each row, a `RefusedRow`
for each row that cannot be one, a `PartFault` for each part that it cannot trust. A part is what answers or fails as one
(``on_demand/us-east-1``): offers vanish from the store only where their own part answered in full.
"""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pricing.errors import MissingLibraryError, PricingError
from pricing.facts.offers import IDENTITY_COLUMNS, TEXTS, Offer, identity_text
from pricing.plain_text import inert, without_secrets

SHAPE_ERRORS: Final = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, csv.Error, PricingError)
"""What reading an answer of another shape than the reader knows ends in."""


class SourceError(PricingError):
    """A source that did not answer, or answered what cannot be used.

    Attributes
    ----------
    reason : str
        Machine-readable cause: ``unreachable``, ``http_503``, ``truncated``, ``shape``, ``time_limit``, ``credentials`` ...
    """

    code = "source"
    exit_status = 5

    def __init__(self, message: str, *, reason: str, hint: str = "", where: str = "") -> None:
        super().__init__(message, hint=hint, where=where)
        self.reason = reason


@contextmanager
def client_library() -> Iterator[None]:
    """Turn the lack of a cloud's client library, imported within, into a `SourceError` that names the extra."""
    try:
        yield
    except ImportError as error:
        missing = MissingLibraryError.of(error)
        if missing is None:
            raise
        raise SourceError(missing.message, reason=missing.code, hint=missing.hint) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an adapter is asked for.

    Attributes
    ----------
    regions : tuple of str
        All that the provider has, where empty.
    give_up_at : float
        When the time for the whole is over, on `time.monotonic`'s clock.
    spool : Path
        A folder of its own for answers too large to hold in memory; removed after the refresh.
    spot_days : int
        How much of the spot history is asked for.
    rate_cards : tuple of Path
        Folders with rate cards of the user's own.
    settings : mapping of str to str
        Endpoints and credentials, as the environment holds them.
    """

    regions: tuple[str, ...] = ()
    give_up_at: float = float("inf")
    spool: Path = Path()
    spot_days: int = 90
    rate_cards: tuple[Path, ...] = ()
    settings: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))

    def endpoint(self, setting: str, address: str) -> str:
        """Return where to ask: what a setting says, else the public address."""
        return (self.settings.get(setting) or address).rstrip("/")

    def key(self, setting: str, base: str) -> str:
        """Return a key; an anonymous one where the loopback address is asked.

        Raises
        ------
        SourceError
            Where there is none: the part is skipped.
        """
        key = self.settings.get(setting) or ("anonymous" if is_loopback(base) else "")
        if not key:
            raise SourceError(f"needs {setting}", reason="credentials")
        return key

    def time_left_s(self) -> float:
        """Return the seconds that are left.

        Raises
        ------
        SourceError
            When none are.
        """
        left = self.give_up_at - time.monotonic()
        if left <= 0:
            raise SourceError(
                "the time limit of the refresh was reached", reason="time_limit", hint="--time-limit gives more"
            )
        return left


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPage:
    """One answer as it came.

    Attributes
    ----------
    part : str
        What it is a piece of.
    kind : str
        The adapter's own word for its shape.
    body : Any
        Parsed JSON, or the path of a spooled file.
    url : str
        Where it came from.
    fetched_at : datetime
        When (UTC without zone).
    """

    part: str
    kind: str
    body: Any
    url: str
    fetched_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFault:
    """A part that did not answer, or whose answer cannot be trusted; its last good rows stay.

    Attributes
    ----------
    part : str
        Which; ``*`` for all of the provider.
    status : str
        ``failed``, or ``skipped`` where nothing was tried (no credentials, no rate of exchange, no client library).
    reason, message : str
        Machine-readable cause, and what the reader is told.
    """

    part: str
    status: str = "failed"
    reason: str
    message: str

    def __post_init__(self) -> None:
        # Endpoints echo what they were asked, credentials and all, and the message is kept in the store.
        object.__setattr__(self, "message", inert(without_secrets(self.message)))

    @classmethod
    def of_shape(cls, part: str, error: Exception) -> PartFault:
        """Return the fault that one of `SHAPE_ERRORS` means for a part."""
        message = f"the answer has another shape than this reader knows: {type(error).__name__}: {error}"
        return cls(part=part, reason="shape", message=message)

    @classmethod
    def of(cls, part: str, error: SourceError) -> PartFault:
        """Return the fault that an error means for a part."""
        status = "skipped" if error.reason in {"credentials", "exchange_rate", MissingLibraryError.code} else "failed"
        return cls(part=part, status=status, reason=error.reason, message=str(error))


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that cannot be an offer, or is not accepted; what the store has of it stays.

    Attributes
    ----------
    part, identity : str
        What it is a row of, and which offer it would have been.
    reason, message : str
        Machine-readable cause, and what the reader is told.
    cause : str
        The one thing that spoils this row and others, such as a SKU that prices a part of many machines; empty for a row
        that fails by itself. Whether a part has too many refused rows is counted in causes.
    """

    part: str
    identity: str
    reason: str
    message: str
    cause: str = ""

    def __post_init__(self) -> None:
        # Both may carry the source's own words, and are shown in a terminal.
        object.__setattr__(self, "identity", inert(self.identity))
        object.__setattr__(self, "message", inert(without_secrets(self.message)))


Fetched = RawPage | PartFault
Normalized = Offer | RefusedRow | PartFault


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One adapter.

    Attributes
    ----------
    name : str
        As in offers.
    version : str
        Of the reader; told by every row that it makes.
    fetch : callable
        ``fetch(request)`` yields pages and faults; all the I/O.
    normalize : callable
        ``normalize(pages)`` yields offers, refused rows and faults; pure.
    anchors : tuple of str
        Instance types without which a full answer is not accepted, until a second full answer lacks them too.
    part_of : callable or None
        ``part_of(offer)`` names the part that tells an offer, so that the bundled offers of a part stay in force until it has
        answered. None where any answered part replaces all bundled offers of the provider. Purchase options that the source
        has never told stay bundled in any case.
    endpoints : mapping of str to str
        Setting to the public address that it replaces.
    needs : str
        What it takes to ask, in words.
    """

    name: str
    version: str
    fetch: Callable[[Request], Iterator[Fetched]]
    normalize: Callable[[Iterable[RawPage]], Iterator[Normalized]]
    anchors: tuple[str, ...] = ()
    part_of: Callable[[Offer], str] | None = None
    endpoints: Mapping[str, str] = field(default_factory=dict)
    needs: str = "nothing"


def offer_or_refusal(**fields: Any) -> Offer | RefusedRow:
    """Return the offer, or, where its type refuses it (a price of 0), the refused row with the reason in words.

    Raises
    ------
    TypeError
        Where a name is no text: the answer has another shape.
    """
    if odd := [name for name in TEXTS if not isinstance(fields.get(name, ""), str)]:
        raise TypeError(f"{odd[0]} is no text: {str(fields[odd[0]])[:80]!r}")
    try:
        return Offer(**fields)
    except PricingError as error:
        identity = identity_text(**{name: fields[name] for name in IDENTITY_COLUMNS if name in fields})
        return RefusedRow(fields.get("part", ""), identity, "impossible", error.message)


def is_loopback(url: str) -> bool:
    """Return whether an address is this machine's own, where anonymous credentials are used.

    Examples
    --------
    >>> is_loopback("http://127.0.0.1:8123/x"), is_loopback("https://api.example.org")
    (True, False)
    """
    from urllib.parse import urlsplit

    return urlsplit(url).scheme == "http" and urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}
