"""The text behind ``--engine``: what it says, and what of it may be shown."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from planner.errors import PlanningError

DUCKDB_SETTINGS = {"threads": "threads", "memory": "memory_limit"}
WAREHOUSES = ("bigquery", "trino")
"""What a table is fetched from, by Ibis' own addresses; the rest is worked out here."""
SPARK_PORT = 15002
"""The port that Spark Connect listens on where nobody says another one."""
TOKEN_VARIABLE = "SPARK_CONNECT_AUTHENTICATE_TOKEN"  # noqa: S105  the name of a variable
"""Where Spark's client looks for a token that the address does not hold."""
TARGET = re.compile(r"(?P<host>[^\s:/@=?#\[\]]+)(?::(?P<port>\d{1,5}))?/?")
LONGEST_SAID = 300
NO_SECRET = re.compile(r"true|false|\d{1,5}|", re.IGNORECASE)
NAME = re.compile(r"([A-Za-z]{1,20})(://|:|$)")
"""Any other text may be a token in the wrong place, and is not repeated."""


class EngineError(PlanningError):
    """An engine that cannot be reached, or whose client is not installed."""

    code = "engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAddress:
    """What the text behind ``--engine`` says.

    Attributes
    ----------
    kind : str
        ``duckdb``, ``spark`` or ``warehouse``.
    uri : str
        As the engine's client takes it; with a token in it, so nobody is shown it.
    path : str
        DuckDB's file; empty for one in memory.
    host, port : str, int
        Of the Spark Connect server, or of the warehouse.
    settings : dict of str to str
        DuckDB's own settings.
    secrets : tuple of str
        What of the address must not be shown.
    """

    kind: str
    uri: str = field(repr=False)
    path: str = ""
    host: str = ""
    port: int = 0
    settings: dict[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def shown(self) -> str:
        """The address for people: without the parameters of Spark's, one of which is the token."""
        match self.kind:
            case "spark":
                return f"sc://{self.host}:{self.port}"
            case "warehouse":
                parts = urlsplit(self.uri)
                return f"{parts.scheme}://{self.host}{f':{self.port}' if self.port else ''}{parts.path}"
            case _:
                return self.uri

    def without_secrets(self, text: str) -> str:
        """Return what an engine or its client said, without the tokens that it was given."""
        secrets = {*self.secrets, os.environ.get(TOKEN_VARIABLE, "") if self.kind == "spark" else ""}
        for secret in sorted(secrets, key=len, reverse=True):
            if not NO_SECRET.fullmatch(secret):
                text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")
        return text

    def error_text(self, error: BaseException) -> str:
        """Return an error of an engine or its client in one line without secrets; gRPC's own text, also where Spark's client wraps it."""
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        text = lines[0] if lines else type(error).__name__
        cause: BaseException | None = error
        while cause is not None:
            details = getattr(cause, "details", None)  # gRPC's own text has its words in the third line
            if callable(details) and (words := details()):
                text = str(words).splitlines()[0]
                break
            cause = cause.__context__
        # Cut at last: a part of a token would not be known for one.
        return self.without_secrets(text)[:LONGEST_SAID]


def read_address(uri: str | None) -> EngineAddress:
    """Return what an engine's address says.

    Parameters
    ----------
    uri : str or None
        ``duckdb`` (the default), ``duckdb:///path/to/file.duckdb?threads=2&memory=900MB``, or ``sc://host:15002`` for
        Spark Connect (with the parameters of its own client, ``sc://host:443/;use_ssl=true;token=...``), or a warehouse's
        (``trino://user@host:8080``, ``bigquery://project``).

    Raises
    ------
    EngineError
        Any other text. No message holds a parameter's value, which may be a token.

    Examples
    --------
    >>> read_address(None).kind, read_address("sc://spark.example:15002").host
    ('duckdb', 'spark.example')
    >>> read_address("duckdb:?threads=2").settings
    {'threads': '2'}
    """
    text = (uri or "duckdb").strip()
    if text[:5].lower() == "sc://" and len(text) > len("sc://"):
        return _spark_address(text[5:])
    try:
        parts = urlsplit(text if ":" in text else f"{text}:")
    except ValueError:  # brackets that do not close
        parts = urlsplit("")
    if parts.scheme == "duckdb" and not parts.netloc:
        return _duckdb_address(text, parts.path, parts.query)
    if parts.scheme in WAREHOUSES and "//" in text:
        return _warehouse_address(text)
    name = NAME.match(text)
    raise EngineError(
        f"no engine is called {name[0]!r}" if name else "no engine is called like this",
        hint="duckdb (the default), duckdb:///path/to/file.duckdb?threads=2, sc://host:15002 for Spark Connect, or trino://user@host:8080",
        where="--engine",
    )


def _spark_address(text: str) -> EngineAddress:
    """Read what follows ``sc://``; values may stand as they are (tokens hold ``=`` and ``/``) or percent-encoded."""
    target, _, rest = text.partition(";")
    match = TARGET.fullmatch(target)
    if match is None or int(match["port"] or SPARK_PORT) > 65535:
        raise EngineError(
            "the engine's address must be a host, a port in digits, and nothing else before the first ;",
            hint="sc://host:443/;use_ssl=true;token=...",
            where="--engine",
        )
    parameters = [part.partition("=") for part in rest.split(";") if part]
    if unnamed := [number for number, (name, _, value) in enumerate(parameters, start=1) if not (name and value)]:
        raise EngineError(
            f"parameter {unnamed[0]} of the engine's address is not name=value",
            hint="sc://host:443/;use_ssl=true;token=...; a ; inside a value is written %3B",
            where="--engine",
        )
    values = [(name, unquote(value)) for name, _, value in parameters]
    host, port = match["host"], int(match["port"] or SPARK_PORT)
    return EngineAddress(
        kind="spark",
        uri=f"sc://{host}:{port}/" + "".join(f";{name}={quote(value, safe='')}" for name, value in values),
        host=host,
        port=port,
        secrets=tuple(value for _, value in values),
    )


def _warehouse_address(text: str) -> EngineAddress:
    parts = urlsplit(text)
    try:
        port = parts.port or 0
    except ValueError as error:
        raise EngineError("the port of the engine's address is no number up to 65535", where="--engine") from error
    secrets = (unquote(parts.password or ""), *(value for _, value in parse_qsl(parts.query)))
    return EngineAddress(kind="warehouse", uri=text, host=parts.hostname or "", port=port, secrets=secrets)


def _duckdb_address(text: str, path: str, query: str) -> EngineAddress:
    settings = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(set(settings) - set(DUCKDB_SETTINGS)):
        raise EngineError(
            f"unknown setting of DuckDB: {', '.join(unknown)}",
            hint=f"known: {', '.join(DUCKDB_SETTINGS)}",
            where="--engine",
        )
    if not (settings.get("threads", "1").isascii() and settings.get("threads", "1").isdigit()):
        raise EngineError(f"threads must be a whole number, got {settings['threads']!r}", where="--engine")
    # Three slashes are a path from the root, as in every other URI; duckdb:file.duckdb is beside us.
    return EngineAddress(kind="duckdb", uri=text, path=unquote(path), settings=settings)
