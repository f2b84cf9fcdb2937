"""The web app over HTTP: it plans, it hands out every form, it refuses what is not its own."""

from __future__ import annotations

import html
import json
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from planner.web.form import KIND_WORDS, values_of_template
from planner.web.guard import LARGEST_BODY_BYTES
from tests.report.office import book_of
from tests.web.client import GPU_HOURS, SERVE, ask

pytestmark = pytest.mark.slow  # a server and its workers for each process of the tests


@pytest.mark.parametrize("kind", KIND_WORDS)
def test_each_kind_of_work_has_a_form_that_plans_as_it_stands(kind: str, address: str) -> None:
    page = ask(address, f"/?kind={kind}")
    assert page.status == 200
    filled = dict(re.findall(r'<input id="[^"]+" name="([^"]+)" value="([^"]*)"', page.text)) | {"kind": kind}
    filled |= {key: value for key, value in values_of_template(kind).items() if key not in filled}
    assert {key: value for key, value in filled.items() if value} == dict(values_of_template(kind))
    planned = ask(address, "/plan", filled)
    assert planned.status == 200, planned.text[:2000]
    assert '<h1 id="headline">' in planned.text


@pytest.mark.parametrize("ending", ["xlsx", "html", "json", "md", "csv"])
def test_a_plan_is_handed_out_in_every_form(ending: str, address: str, tmp_path: Path) -> None:
    got = ask(address, f"/download/plan.{ending}", GPU_HOURS)
    assert got.status == 200
    assert got.headers["content-disposition"] == f'attachment; filename="plan.{ending}"'
    match ending:
        case "xlsx":
            (tmp_path / "plan.xlsx").write_bytes(got.body)
            assert "Verdict" in book_of(tmp_path / "plan.xlsx").sheetnames
        case "json":
            assert json.loads(got.body)["verdict"]["choice"] == "rent"
        case "html":
            assert "assets/" not in got.text.split("<script>")[0]
        case _:
            assert "H100" in got.text


def test_a_plan_has_a_link_that_opens_the_form_with_its_question(address: str) -> None:
    link = re.search(r'href="(\./\?[^"]+)">Link to this question', ask(address, "/plan", GPU_HOURS).text)
    assert link
    page = ask(address, html.unescape(link[1]).removeprefix("."))
    assert page.status == 200
    assert f'value="{GPU_HOURS["gpu_hours.count"]}"' in page.text
    assert "Link to this question" not in page.text


def test_assumptions_that_are_typed_in_count(address: str) -> None:
    def saving(extra: dict[str, str]) -> float:
        got = ask(address, "/download/plan.json", GPU_HOURS | extra)
        return float(json.loads(got.body)["break_evens"][0]["saving_usd"])

    as_assumed = saving({})
    assert saving({"set.site.colocation.electricity_usd_per_kwh": "0.5"}) < as_assumed
    assert saving({"more": "site.colocation.pue_ratio = 1\n"}) > as_assumed


def test_a_workload_file_can_be_pasted(address: str) -> None:
    text = "kind: gpu_hours\ngpu_hours: {gpu: h100-sxm, count: 8, hours_per_month: 438}\n"
    pasted = json.loads(ask(address, "/download/plan.json", {"kind": "serve", "yaml": text}).body)
    assert pasted["verdict"] == json.loads(ask(address, "/download/plan.json", GPU_HOURS).body)["verdict"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "serve", "model": "llama-3.1-8b"}, "serve"),
        (SERVE | {"serve.requests_per_s": "many"}, "requests_per_s"),
        (SERVE | {"model": "no-such-model-<b>"}, "unknown model"),
        (SERVE | {"model": "/etc/passwd"}, "unknown model"),
        (SERVE | {"model": "../config.json"}, "unknown model"),
        (SERVE | {"more": "own.pue=1.2"}, "unknown assumption"),
        (SERVE | {"more": "import os"}, "NAME=VALUE"),
        (SERVE | {"more": "site.colocation.pue_ratio=1.1k"}, "must lie between"),
        (SERVE | {"set.own.life_months": "-1"}, "own.life_months"),
        ({"kind": "magic"}, "no kind of work"),
        ({"kind": "serve", "yaml": "kind: [serve"}, "not valid YAML"),
        ({"kind": "serve", "yaml": "a: &a [x,x]\nb: [" + "*a," * 5000 + "]"}, ""),
        (GPU_HOURS | {"constraints.max_usd_per_month": "0.01"}, "within 0.01 USD a month"),
    ],
)
def test_what_has_to_be_mended_is_told_and_what_was_typed_is_kept(
    fields: dict[str, str], said: str, address: str
) -> None:
    got = ask(address, "/plan", fields)
    assert got.status == 422
    assert 'role="alert"' in got.text
    assert said in got.text
    assert "<b>" not in got.text
    assert "Traceback" not in got.text
    for value in fields.values():
        if value and "\n" not in value and "<" not in value and fields["kind"] in KIND_WORDS and "*a" not in value:
            assert value in got.text


def test_an_error_of_data_is_an_object(address: str) -> None:
    got = ask(address, "/download/plan.json", {"kind": "magic"})
    assert got.status == 422
    assert json.loads(got.body)["error"]["code"] == "input"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1.evil.example"}, 421),
        ({"host": ""}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:1"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "application/json"}, 415),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
    ],
)
def test_requests_from_elsewhere_are_refused(headers: dict[str, str], status: int, address: str) -> None:
    assert ask(address, "/plan", GPU_HOURS, headers=headers).status == status


def test_our_own_page_may_ask(address: str) -> None:
    headers = {"origin": address, "sec-fetch-site": "same-origin"}
    assert ask(address, "/plan", GPU_HOURS, headers=headers).status == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"x" * (LARGEST_BODY_BYTES + 1), 413),
        (b"\xff\xfe=1", 400),
        (b"&".join(b"a%d=1" % i for i in range(500)), 400),
        (b"", 422),
    ],
)
def test_malformed_bodies_get_a_refusal(body: bytes, status: int, address: str) -> None:
    assert ask(address, "/plan", body=body).status == status


def test_a_body_that_grows_past_the_bound_is_cut_off(address: str) -> None:
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as line:
        head = f"POST /plan HTTP/1.1\r\nHost: {parts.netloc}\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
        line.sendall(head.encode())
        chunk = b"4000\r\n" + b"a" * 0x4000 + b"\r\n"
        for _ in range(6):
            line.sendall(chunk)
        assert line.recv(100).startswith(b"HTTP/1.1 413")
    assert ask(address, "/health").text.startswith("ok")


@pytest.mark.parametrize(
    "raw", [b"GET / HTTP/9.9\r\n\r\n", b"\x00\x01\x02\r\n\r\n", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_harms_no_one(raw: bytes, address: str) -> None:
    parts = urlsplit(address)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as line:
        line.sendall(raw)
        answer = line.recv(100)
        assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert ask(address, "/health").status == 200


@pytest.mark.parametrize(
    "path", ["/assets/../app.py", "/assets/%2e%2e/page.py", "/assets/vega/LICENSE-vega.txt", "/nowhere", "/plan.json"]
)
def test_nothing_but_the_pages_own_files_is_served(path: str, address: str) -> None:
    assert ask(address, path).status == 404


def test_every_answer_carries_the_rules_for_browsers_and_assets_may_be_kept(address: str) -> None:
    for path in ("/", "/health", "/nowhere"):
        headers = ask(address, path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-frame-options"] == "DENY"
    links = re.findall(r'(?:src|href)="(assets/[^"]+)"', ask(address, "/plan", GPU_HOURS).text)
    assert len(links) == 6
    for link in links:
        got = ask(address, f"/{link}")
        assert got.status == 200
        assert "immutable" in got.headers["cache-control"]
