"""What every request has to pass: hosts and origins that are ours, bodies of a bounded size that come in within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import h11
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
LARGEST_BODY_BYTES = 64 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD"})
# Without any referrer a browser would call the origin of our own form "null".
HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
}


class _TooLargeError(Exception):
    """A body that grew past the bound while it was read."""


def _host_of(authority: str) -> str | None:
    """Return the host of ``host:port``; None where it is none."""
    try:
        return urlsplit(f"//{authority}").hostname
    except ValueError:
        return None


class Guard:
    """Refuse what does not come from our own page.

    A page of someone else's that the user has open could send requests to this server; a name of someone else's that
    resolves to this machine could read its answers. Both carry a foreign ``Origin`` or ``Host``.

    Parameters
    ----------
    app : ASGIApp
        What is guarded.
    hosts : collection of str
        Names under which this server is reached, without the port.
    policy : str
        Content security policy of every answer.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], policy: str) -> None:
        self.app, self.hosts = app, frozenset(host.lower() for host in hosts)
        self.headers = {**HEADERS, b"content-security-policy": policy.encode()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def sent(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": [*message["headers"], *self.headers.items()]}
            await send(message)

        refusal = self._refusal(Headers(scope=scope), scope["method"])
        if refusal is not None:
            await refusal(scope, receive, sent)
            return
        try:
            await self.app(scope, _bounded(receive), sent)
        except _TooLargeError:
            if not started:
                await _too_large()(scope, receive, sent)

    def _refusal(self, headers: Headers, method: str) -> PlainTextResponse | None:
        if _host_of(headers.get("host", "")) not in self.hosts:
            return PlainTextResponse("this server does not go by that name", 421)
        if method not in SAFE_METHODS:
            origin = headers.get("origin")
            if origin is not None and not self._is_ours(origin, headers.get("host", "")):
                return PlainTextResponse("requests from other pages are refused", 403)
            if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
                return PlainTextResponse("requests from other pages are refused", 403)
            length = headers.get("content-length")
            if length is not None and (not length.isdecimal() or int(length) > LARGEST_BODY_BYTES):
                return _too_large()
        return None

    def _is_ours(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        # Same name and port; a proxy in front may speak https where we speak http.
        return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()


def _too_large() -> PlainTextResponse:
    return PlainTextResponse(f"a request may have {LARGEST_BODY_BYTES:,} bytes", 413)


def _bounded(receive: Receive) -> Receive:
    size = 0

    async def received() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LARGEST_BODY_BYTES:
            raise _TooLargeError
        return message

    return received


REQUEST_TIMEOUT_S = 10.0


class PatientProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, with a bound on how long a client may take to send headers and body."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # noqa: ANN401  as asyncio types it
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take in what came; the time that is left does not grow with it."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request of the same connection."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(REQUEST_TIMEOUT_S, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
