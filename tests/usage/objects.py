"""A loopback server that answers as S3 does where objects are listed and read (moto's own needs a web framework)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


@contextmanager
def object_store(objects: dict[str, bytes]) -> Iterator[str]:
    """Serve objects by ``bucket/key``; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def do_HEAD(self) -> None:
            self._object(with_body=False)

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query, keep_blank_values=True)
            if "list-type" in query:
                self._list(
                    unquote(parts.path).strip("/"), query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
                )
            else:
                self._object(with_body=True)

        def _list(self, bucket: str, prefix: str, delimiter: str) -> None:
            keys = [name.removeprefix(f"{bucket}/") for name in sorted(objects) if name.startswith(f"{bucket}/")]
            rows, folders = [], set()
            for key in keys:
                if not key.startswith(prefix):
                    continue
                rest = key[len(prefix) :]
                if delimiter and delimiter in rest:
                    folders.add(prefix + rest.split(delimiter)[0] + delimiter)
                    continue
                size = len(objects[f"{bucket}/{key}"])
                rows.append(
                    f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size><ETag>&quot;x&quot;</ETag>"
                    "<LastModified>2026-11-01T00:00:00.000Z</LastModified><StorageClass>STANDARD</StorageClass></Contents>"
                )
            rows += [f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>" for one in sorted(folders)]
            body = (
                '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
                f"<Name>{bucket}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(rows)}</KeyCount><MaxKeys>1000</MaxKeys>"
                f"<IsTruncated>false</IsTruncated>{''.join(rows)}</ListBucketResult>"
            ).encode()
            self._answer(200, body, {"Content-Type": "application/xml"}, with_body=True)

        def _object(self, *, with_body: bool) -> None:
            data = objects.get(unquote(urlsplit(self.path).path).strip("/"))
            if data is None:
                self._answer(404, b"", {}, with_body=with_body)
                return
            headers = {"Last-Modified": formatdate(1793491200, usegmt=True), "ETag": '"x"', "Accept-Ranges": "bytes"}
            asked = self.headers.get("Range")
            if asked:
                first, _, last = asked.removeprefix("bytes=").partition("-")
                begin, end = int(first), min(int(last or len(data) - 1), len(data) - 1)
                headers["Content-Range"] = f"bytes {begin}-{end}/{len(data)}"
                self._answer(206, data[begin : end + 1], headers, with_body=with_body)
            else:
                self._answer(200, data, headers, with_body=with_body)

        def _answer(self, status: int, body: bytes, headers: dict[str, str], *, with_body: bool) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
