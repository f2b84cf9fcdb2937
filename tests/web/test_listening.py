"""Where the page listens, and how long it waits for a client."""

from __future__ import annotations

import socket

import pytest

from planner.cli import main
from planner.web.guard import REQUEST_TIMEOUT_S
from tests.web.client import ask


def test_a_port_in_use_is_told_with_a_way_out(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["web", "--port", str(port)]) == 2
    err = capsys.readouterr().err
    assert f"port {port} of 127.0.0.1 is in use" in err
    assert f"--port {port + 1}" in err


def test_an_address_of_another_machine_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["web", "--host", "192.0.2.1", "--allow-host", "x", "--port", "0"]) == 2
    assert "cannot listen on 192.0.2.1" in capsys.readouterr().err


@pytest.mark.slow
def test_a_request_that_does_not_come_in_whole_has_its_connection_closed(address: str) -> None:
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    slow = [socket.create_connection((host, int(port)), timeout=REQUEST_TIMEOUT_S + 10) for _ in range(20)]
    for number, each in enumerate(slow):
        each.sendall(b"GET / HTTP/1.1\r\nHost: loc" if number % 2 else b"")
    assert ask(address, "/").status == 200
    for each in slow:
        assert each.recv(1) == b""
        each.close()
