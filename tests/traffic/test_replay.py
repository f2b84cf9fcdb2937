from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from planner.cli import main
from planner.options.servers import own_machine
from planner.supply.machines import Layout
from planner.traffic.percentiles import Limits, fewest_replicas, service_of
from planner.traffic.replay import Fewest, Target, fewest_accelerators
from planner.traffic.simulation import simulated
from planner.traffic.streams import drawn_requests
from pricing.facts.accelerators import resolve
from tests.traffic.test_lanes import PLAIN

REQUESTS = drawn_requests(800, 200, rate_per_s=9, count=2500, length_cv=(1.2, 1.2), longest_tokens=20_000, seed=3)
LIMITS = Limits(ttft_ms=1_000.0, tpot_ms=50.0, percentile=95.0)


def test_the_fewest_replicas_hold_the_limits_and_one_less_does_not() -> None:
    found = fewest_replicas(REQUESTS, PLAIN, LIMITS)
    assert found is not None
    assert found > 1
    assert service_of(simulated(REQUESTS, PLAIN, found), LIMITS).holds
    assert not service_of(simulated(REQUESTS, PLAIN, found - 1), LIMITS).holds


def test_where_a_request_alone_takes_too_long_no_number_of_replicas_helps() -> None:
    assert fewest_replicas(REQUESTS, PLAIN, replace(LIMITS, ttft_ms=5.0)) is None


def test_a_layout_that_reads_prompts_faster_holds_what_more_replicas_do_not() -> None:
    quick = replace(PLAIN, prompt_s=[each / 3.6 for each in PLAIN.prompt_s])
    tight = Limits(ttft_ms=140.0, tpot_ms=50.0, percentile=99.0)
    assert fewest_accelerators(REQUESTS, [(1, PLAIN)], tight) is None
    found = fewest_accelerators(REQUESTS, [(1, PLAIN), (4, quick)], tight)
    assert found is not None
    assert found.replica_accelerator_count == 4


def _log(path: Path) -> None:
    requests = drawn_requests(1000, 300, rate_per_s=20, count=3000, length_cv=(1.2, 0.8), longest_tokens=30_000, seed=1)
    rows = zip(requests.arrival_s, requests.input_tokens, requests.output_tokens, strict=True)
    path.write_text("time,input_tokens,output_tokens\n" + "".join(f"{at:.3f},{i},{o}\n" for at, i, o in rows))


@pytest.mark.slow
def test_a_log_is_replayed_on_the_fleet_of_a_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _log(tmp_path / "log.csv")
    serve = {"requests_per_s": 20, "input_tokens": 1000, "output_tokens": 300, "ttft_limit_ms": 1000, "tpot_limit_ms": 50}  # fmt: skip
    (tmp_path / "w.json").write_text(json.dumps({"kind": "serve", "model": "llama-3.1-70b", "serve": serve}))
    plan = tmp_path / "plan.json"
    assert main(["plan", str(tmp_path / "w.json"), "--as-of", "2026-11-26", "-o", str(plan)]) == 0
    found = {}
    for source in (plan, tmp_path / "w.json"):
        assert main(["traffic", str(tmp_path / "log.csv"), "--replay", str(source), "--as-of", "2026-11-26", "-f", "json"]) == 0  # fmt: skip
        found[source.name] = json.loads(capsys.readouterr().out.partition("{")[2].join(["{", ""]))["replay"]
    replay = found["plan.json"]
    assert replay == found["w.json"]
    assert 0 < replay["ttft_ms"]["p50"] < replay["ttft_ms"]["p95"] < replay["ttft_ms"]["p99"]
    needed = [each["accelerator_count"] for each in replay["fewest"]]
    assert needed == sorted(needed)
    machines = [each["usd_per_month"] / each["instance_count"] for each in replay["fewest"]]
    assert np.allclose(machines, machines[0])
    cheapest, scaled = replay["cheapest"], replay["autoscaling"]
    fleets = [fleet for each in (replay, *replay["other_options"]) for fleet in each["fewest"]]
    rivals = [fleet for fleet in fleets if fleet["percentile"] == 95]
    assert len(rivals) == 3
    assert cheapest["usd_per_month"] == min(each["usd_per_month"] for each in rivals if each["usd_per_month"])
    assert cheapest["p99_added_usd_per_month"] >= 0
    assert scaled["usd_per_month"] == pytest.approx(cheapest["usd_per_month"] * scaled["paid_share"])
    assert scaled["saved_usd_per_month"] == pytest.approx(cheapest["usd_per_month"] - scaled["usd_per_month"])


@pytest.mark.slow
@pytest.mark.parametrize("form", ["table", "html", "csv"])
def test_a_log_a_model_and_limits_are_enough_for_the_cheapest_fleet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    _log(tmp_path / "log.csv")
    words = ["--model", "llama-3.1-8b", "--ttft", "500", "--tpot", "30", "--as-of", "2026-11-26", "-f", form]
    assert main(["traffic", str(tmp_path / "log.csv"), *words]) == 0
    said = capsys.readouterr().out
    if form == "csv":
        assert said.splitlines()[0] == "hour,request_count,input_tokens,output_tokens,accelerator_count"
        assert said.splitlines()[1].startswith("0,3000,")
        return
    for wanted in ("cheapest fleet that meets", "p99 adds", "autoscaling saves"):
        assert wanted in said
    if form == "html":
        assert all(f'id="chart-{key}"' in said for key in ("rate", "lengths", "latency", "percentile", "gpus"))


def test_a_log_is_shown_as_a_page_that_asks_for_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _log(tmp_path / "log.csv")
    assert main(["traffic", str(tmp_path / "log.csv"), "-f", "html"]) == 0
    said = capsys.readouterr().out
    assert 'id="chart-lengths"' in said
    assert "Content-Security-Policy" in said


def test_the_replicas_that_a_machine_holds_are_paid_with_it() -> None:
    target = Target(
        option_id="x", accelerator="H100-SXM", machine=own_machine(resolve("h100-sxm")[0], 8), layout=Layout(tensor=2, precision="fp8"),
        usd_per_machine_hour=20.0, is_paid_by_hour=True, start_minutes=5.0,
    )  # fmt: skip
    for size, count, machines in ((2, 5, 2), (8, 3, 3), (1, 8, 1), (16, 2, 4)):
        found = Fewest(percentile=95.0, replica_accelerator_count=size, replica_count=count)
        assert target.machines_of(found) == machines
        assert target.usd_per_month(found, 730.0) == machines * 20.0 * 730.0


def test_the_command_tells_a_log_and_writes_a_workload(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _log(tmp_path / "log.csv")
    out = tmp_path / "w.yaml"
    assert main(["traffic", str(tmp_path / "log.csv"), "--model", "llama-3.1-8b", "--to-workload", str(out)]) == 0
    said = capsys.readouterr().out
    assert "3,000" in said
    assert "To plan with" in said
    assert "kind: serve" in out.read_text()


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["--to-workload", "w.yaml"], 2),
        (["--option", "x"], 2),
        (["--replay", "no-such.yaml"], 2),
        (["--min-replicas", "3", "--max-replicas", "2"], 2),
        (["--model", "no-such-model", "--ttft", "500"], 2),
    ],
)
def test_a_command_line_that_cannot_be_answered_is_refused(tmp_path: Path, words: list[str], status: int) -> None:
    _log(tmp_path / "log.csv")
    assert main(["traffic", str(tmp_path / "log.csv"), *words]) == status
