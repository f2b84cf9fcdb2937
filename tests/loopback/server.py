"""A server on the loopback address that answers as told, and misbehaves as told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Ask:
    """One question."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """Path, query and body, to tell questions apart."""
        return f"{self.path} {self.query} {self.headers.get('X-Amz-Target', '')} {self.body.decode(errors='replace')}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Answer:
        return cls(json.dumps(value).encode(), status)


@dataclass(slots=True)
class Fault:
    """A misbehaviour: what it applies to, how often, and how.

    Attributes
    ----------
    match : str
        Applies to questions whose text contains it.
    times : int
        How often; a large number is always.
    status : int or None
        Answer with this status instead.
    headers : dict
        With the status (``Retry-After``).
    cut_bytes : int or None
        Send so many bytes of a body that was announced whole, and hang up.
    delay_s : float
        Wait before answering.
    change : callable or None
        Hand on another body.
    skip : int
        Let so many matching questions pass first.
    """

    match: str = ""
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_bytes: int | None = None
    delay_s: float = 0.0
    change: Callable[[bytes], bytes] | None = None
    skip: int = 0


class LoopbackServer:
    """Serves until it is closed; `answer` is written by each cloud."""

    def __init__(self) -> None:
        self.asked: list[Ask] = []
        self.faults: list[Fault] = []
        self._guard = threading.Lock()
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each body waits 40 ms for the receipt of its head

            def log_message(self, *_: Any) -> None:
                pass

            def do_GET(self) -> None:
                cloud.handle(self)

            do_POST = do_GET  # noqa: N815 - the name that http.server calls

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, ask: Ask) -> Answer:
        """Return the answer to a question; for each cloud to write."""
        raise NotImplementedError

    def settings(self) -> dict[str, str]:
        """Return the endpoint settings that lead here."""
        raise NotImplementedError

    def count(self, text: str) -> int:
        """Return how often a question was asked that contains a text."""
        return sum(text in ask.text for ask in self.asked)

    def _fault(self, ask: Ask) -> Fault | None:
        with self._guard:
            self.asked.append(ask)
            for fault in self.faults:
                if fault.match in ask.text and fault.times > 0:
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        split = urlsplit(handler.path)
        query = {name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        body = handler.rfile.read(length)
        ask = Ask(handler.command, split.path, query, dict(handler.headers.items()), body)
        with suppress(BrokenPipeError, ConnectionResetError):
            self._respond(handler, ask, self._fault(ask))

    def _respond(self, handler: BaseHTTPRequestHandler, ask: Ask, fault: Fault | None) -> None:
        if fault and fault.delay_s:
            time.sleep(fault.delay_s)
        if fault and fault.status:
            answer = Answer(self.error_body(fault.status), fault.status, headers=fault.headers)
        else:
            answer = self.answer(ask)
        body = fault.change(answer.body) if fault and fault.change else answer.body
        sent = body if not fault or fault.cut_bytes is None else body[: fault.cut_bytes]
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.content_type)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(sent)
        if len(sent) != len(body):
            handler.close_connection = True

    def error_body(self, status: int) -> bytes:
        """Return the body of an error answer, in the cloud's own form."""
        return json.dumps({"error": {"code": status, "message": "told to fail"}}).encode()
