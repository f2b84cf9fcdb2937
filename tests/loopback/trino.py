"""A Trino server for tests: its protocol over HTTP, and DuckDB in place of its engine."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import duckdb
import sqlglot

TYPES = {
    "VARCHAR": "varchar", "DOUBLE": "double", "BIGINT": "bigint", "INTEGER": "integer", "BOOLEAN": "boolean", "DATE": "date",
    "TIMESTAMP": "timestamp(6)", "TIMESTAMP WITH TIME ZONE": "timestamp(6) with time zone", "DECIMAL(18,2)": "decimal(18,2)",
    "MAP(VARCHAR, VARCHAR)": "map(varchar,varchar)",
}  # fmt: skip
"""DuckDB's types by Trino's names."""
PAGE = 4
"""Rows of an answer: a client has to ask for the next ones."""


def _value(value: object) -> object:
    if isinstance(value, datetime):
        # DuckDB gives times in the zone of its session.
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f} UTC" if value.tzinfo else f"{value:%Y-%m-%d %H:%M:%S.%f}"
    return f"{value}" if isinstance(value, Decimal) else value


def _signature(name: str) -> dict[str, Any]:
    raw, _, rest = name.partition("(")
    inside = rest.split(")")[0]
    numbers = [{"kind": "LONG", "value": int(each)} for each in inside.split(",") if each.isdigit()]
    types = [{"kind": "TYPE", "value": _signature(each)} for each in inside.split(",") if each and not each.isdigit()]
    return {"rawType": raw + rest.partition(")")[2], "arguments": numbers or types}


@contextmanager
def trino_server(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, list[str]]]:
    """Serve what a DuckDB has; yield the address, and the statements that were asked."""
    asked: list[str] = []
    answers: dict[str, tuple[list[dict[str, Any]], list[list[object]]]] = {}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _page(self, number: str, start: int) -> None:
            columns, rows = answers[number]
            address = f"http://{self.headers['Host']}/v1/statement/{number}"
            found = {
                "id": number, "infoUri": address, "columns": columns, "data": rows[start : start + PAGE],
                "stats": {"state": "FINISHED" if start + PAGE >= len(rows) else "RUNNING"},
            }  # fmt: skip
            if start + PAGE < len(rows):
                found["nextUri"] = f"{address}/{start + PAGE}"
            self._send(found)

        def _send(self, found: dict[str, Any]) -> None:
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append(text)
            number = f"q{len(asked)}"
            try:
                query = sqlglot.transpile(text, read="trino", write="duckdb")[0]
                # DuckDB has one list of columns for all catalogs.
                told = connection.cursor().execute(re.sub(r'"?\w+"?\.("?information_schema)', r"\1", query))
                names = [TYPES.get(f"{each[1]}", "varchar") for each in told.description or ()]
                columns = [{"name": each[0], "type": name, "typeSignature": _signature(name)} for each, name in zip(told.description or (), names, strict=True)]  # fmt: skip
                rows = [[TYPES.get(each, _value(each)) if isinstance(each, str) else _value(each) for each in row] for row in told.fetchall()]  # fmt: skip
            except duckdb.Error as error:
                failed = {"message": f"{error}", "errorCode": 1, "errorName": "SYNTAX_ERROR", "errorType": "USER_ERROR"}
                self._send({"id": number, "infoUri": "", "stats": {"state": "FAILED"}, "error": failed})
                return
            answers[number] = (columns, rows)
            self._page(number, 0)

        def do_GET(self) -> None:
            _, _, _, number, start = self.path.split("/")
            self._page(number, int(start))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"trino://ann@127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
