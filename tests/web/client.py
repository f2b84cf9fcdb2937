"""A plain HTTP client for the tests: one connection for one request, any header."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

__all__ = ["GPU_HOURS", "SERVE", "Got", "ask"]

GPU_HOURS = {
    "kind": "gpu_hours",
    "gpu_hours.gpu": "h100-sxm",
    "gpu_hours.count": "8",
    "gpu_hours.hours_per_month": "438",
}
SERVE = {
    "kind": "serve",
    "model": "llama-3.1-8b",
    "serve.requests_per_s": "5",
    "serve.input_tokens": "1000",
    "serve.output_tokens": "300",
}


@dataclass(frozen=True)
class Got:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(
    address: str,
    path: str,
    fields: Mapping[str, str] | None = None,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    method: str = "",
) -> Got:
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        sent = urlencode(fields).encode() if fields is not None else body
        given = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
        connection.request(method or ("POST" if sent is not None else "GET"), path, body=sent, headers=given)
        response = connection.getresponse()
        return Got(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()
