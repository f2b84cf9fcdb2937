"""Request logs: every format as it is, and what of a log cannot be read."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from planner.errors import InputError
from planner.traffic.request_log import RequestLog, read_log
from planner.traffic.summary import serve_section, summarized

START = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""A Monday."""
ROWS = [(0.0, 512, 100), (1.5, 1024, 50), (4.0, 700, 1)]
"""Seconds from the start, prompt, answer."""


def _spelled(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S.%f0")


def _azure(rows: Sequence[tuple[float, int, int]]) -> str:
    lines = [f"{_spelled(at)},{inputs},{outputs}" for at, inputs, outputs in rows]
    return "\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines]) + "\n"


def _burst(rows: Sequence[tuple[float, int, int]]) -> str:
    lines = [f"{at},,3.1,GPT-4,{i},{o},{i + o},API log" for at, i, o in rows]
    return "\n".join(["Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type", *lines])  # fmt: skip


def _lines(objects: Sequence[object]) -> str:
    return "\n".join(json.dumps(each) for each in objects) + "\n"


def _mooncake(rows: Sequence[tuple[float, int, int]]) -> str:
    return _lines([{"timestamp": int(at * 1000), "input_length": i, "output_length": o, "hash_ids": [1, 2][: -(-i // 512)]} for at, i, o in rows])  # fmt: skip


def _access(rows: Sequence[tuple[float, int, int]]) -> str:
    return _lines([
        {"ts": f"{(START + timedelta(seconds=at)).timestamp() * 1000:.0f}", "response": {"usage": {"prompt_tokens": i, "completion_tokens": o, "prompt_tokens_details": {"cached_tokens": 64}}}}
        for at, i, o in rows
    ])  # fmt: skip


def _capture(rows: Sequence[tuple[float, int, int]], *, encoding: str = "JSON") -> str:
    def part(content: object) -> dict[str, str]:
        text = json.dumps(content)
        data = base64.b64encode(text.encode()).decode() if encoding == "BASE64" else text
        return {"observedContentType": "application/json", "mode": "OUTPUT", "data": data, "encoding": encoding}

    return _lines([
        {
            "captureData": {"endpointInput": part({"inputs": "x"}), "endpointOutput": part({"usage": {"prompt_tokens": i, "completion_tokens": o}})},
            "eventMetadata": {"eventId": "1", "inferenceTime": f"{_spelled(at)[:23]}Z"}, "eventVersion": "0",
        }
        for at, i, o in rows
    ])  # fmt: skip


def _read(tmp_path: Path, text: str | bytes, name: str = "log.csv", **options: str) -> RequestLog:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_log([str(path)], tmp_path, **options)  # type: ignore[arg-type]


def _rows(log: RequestLog) -> list[tuple[float, int, int]]:
    found = log.requests
    return [
        (round(float(at), 3), int(i), int(o))
        for at, i, o in zip(found.arrival_s, found.input_tokens, found.output_tokens, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("azure.csv", _azure(ROWS)),
        ("burstgpt.csv", _burst(ROWS)),
        ("mooncake.jsonl", _mooncake(ROWS)),
        ("access.jsonl", _access(ROWS)),
        ("sagemaker.jsonl", _capture(ROWS)),
        ("sagemaker64.jsonl", _capture(ROWS, encoding="BASE64")),
        ("both.jsonl", _capture(ROWS[:2]) + _capture(ROWS[2:], encoding="BASE64")),
        ("tabs.tsv", _azure(ROWS).replace(",", "\t")),
    ],
)
def test_each_format_is_read_as_it_is(tmp_path: Path, name: str, text: str) -> None:
    log = _read(tmp_path, text, name)
    assert _rows(log) == ROWS
    assert log.faults == ()
    packed = _read(tmp_path, gzip.compress(text.encode()), f"{name}.gz")
    assert _rows(packed) == ROWS


def test_parquet_is_read(tmp_path: Path) -> None:
    import duckdb

    (tmp_path / "log.csv").write_text(_azure(ROWS))
    duckdb.execute(f"COPY (FROM '{tmp_path}/log.csv') TO '{tmp_path}/log.parquet'")
    assert _rows(read_log([str(tmp_path / "log.parquet")], tmp_path)) == ROWS


def test_rows_out_of_order_and_several_files_are_one_log(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(_azure(ROWS[1:][::-1]))
    (tmp_path / "b.jsonl").write_text(_access(ROWS[:1]))
    assert _rows(read_log([str(tmp_path / "a.csv"), str(tmp_path / "b.jsonl")], tmp_path)) == ROWS


def test_blocks_that_an_earlier_prompt_had_count_as_read_before(tmp_path: Path) -> None:
    log = _read(tmp_path, _mooncake(ROWS), "log.jsonl")
    assert log.requests.cached_tokens.tolist() == [0, 512, 699]
    assert summarized(log).prefix_reuse_share == pytest.approx((512 + 699) / (512 + 1024 + 700))


def test_stated_cached_tokens_count(tmp_path: Path) -> None:
    assert _read(tmp_path, _access(ROWS), "log.jsonl").requests.cached_tokens.tolist() == [64, 64, 64]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    text = _azure([*ROWS, (5.0, 10, 0), (6.0, 0, 10)]) + "yesterday,10,10\n" + f"{_spelled(9)},many,10\n"
    log = _read(tmp_path, text)
    assert _rows(log) == ROWS
    assert {each.code: each.count for each in log.faults} == {"unreadable": 2, "no_prompt": 1, "no_answer": 1}


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_a_file_cut_in_the_middle_is_read_up_to_there(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(1)
    rows = [(float(at), int(i), 20) for at, i in enumerate(rng.integers(1, 9_000, 20_000))]
    whole = _azure(rows).encode()
    data = gzip.compress(whole) if name.endswith("gz") else whole
    log = _read(tmp_path, data[: len(data) // 2 + 3], name)
    assert 0.4 * len(rows) < len(log.requests.arrival_s) < 0.6 * len(rows)
    assert log.faults


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("when,what\n1,2\n", "no column holds"),
        ("timestamp,input_tokens,output_tokens\n", "no row"),
        ("timestamp,input_tokens,output_tokens\nx,y,z\n", "none of 1 rows"),
        ('{"a": 1}\n', "no column holds"),
        ("PAR1 is no Parquet", "cannot be read"),
    ],
)
def test_a_file_that_is_no_log_is_refused_with_the_way_out(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault) as caught:
        _read(tmp_path, text)
    assert caught.value.hint
    assert caught.value.where


def test_times_without_a_zone_are_of_the_stated_one(tmp_path: Path) -> None:
    utc, berlin = _read(tmp_path, _azure(ROWS)), _read(tmp_path, _azure(ROWS), timezone="Europe/Berlin")
    assert utc.first_s == START.timestamp()
    assert utc.first_s - berlin.first_s == 3600.0
    assert summarized(berlin).first_request == "2026-03-02T10:00:00+01:00"


def test_an_unknown_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no time zone"):
        _read(tmp_path, _azure(ROWS), timezone="Mars/Olympus")


def test_the_summary_of_a_synthetic_log_has_the_quantiles_it_was_made_with(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    count = 20_000
    at = np.cumsum(rng.exponential(0.5, count))
    inputs = np.maximum(1, np.rint(np.exp(rng.normal(6.0, 0.8, count)))).astype(int)
    log = _read(tmp_path, _azure([(float(t), int(i), 30) for t, i in zip(at, inputs, strict=True)]))
    found = summarized(log)
    assert found.requests_per_s == pytest.approx(2.0, rel=0.02)
    assert found.input_tokens.p50_tokens == pytest.approx(np.exp(6.0), rel=0.03)
    assert found.input_tokens.p99_tokens == pytest.approx(np.exp(6.0 + 2.3263 * 0.8), rel=0.06)
    assert found.interarrival_cv_ratio == pytest.approx(1.0, abs=0.05)
    assert (found.output_tokens.cv_ratio, found.gaps) == (0.0, ())
    section = serve_section(found)
    assert section["output_tokens"] == {"mean": 30.0, "cv": 0.0}


def test_gaps_and_the_hours_of_the_week_are_told(tmp_path: Path) -> None:
    every = [float(at) for at in range(0, 7 * 86_400 + 3600, 60)]
    busy = [at + 1 for at in every if (at % 86_400) // 3600 == 4]  # at 14 o'clock, since the log begins at 10
    kept = sorted(at for at in every + busy if not 86_400 < at < 88_200)
    found = summarized(_read(tmp_path, _azure([(at, 10, 10) for at in kept])))
    assert found.gaps[0].duration_s == pytest.approx(1800.0)
    assert len(found.hourly_ratio) == 168
    assert max(found.hourly_ratio[:24]) == found.hourly_ratio[14] == pytest.approx(2 * found.hourly_ratio[13])
    # The gap is on Tuesday at 10.
    assert min(found.hourly_ratio) == found.hourly_ratio[34]
