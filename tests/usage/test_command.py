"""``gpuplan usage`` as its users call it."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow.parquet as pq
import pytest

from planner.cli import main

RATE = "EUR=1.25@2026-11-01"


@pytest.fixture
def bill(bills: ModuleType, made: tuple[Any, dict[str, Any]], tmp_path: Path) -> Path:
    folder = tmp_path / "bill"
    folder.mkdir()
    for number, table in enumerate(bills.tables(made[0], "1.2", seed=3, rows_each=4000)):
        pq.write_table(table, folder / f"{number}.parquet")
    return folder


def _json(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, Any]:
    assert main([*args, "-f", "json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.slow
def test_the_json_form_has_a_schema_version_and_says_what_each_hour_is(
    bill: Path, made: tuple[Any, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    record = _json(capsys, "usage", str(bill), "--rate", RATE, "--tag", "team")
    assert record["schema_version"] == 1
    assert (record["basis"], record["source"], record["is_partial"]) == ("allocated", "bill", False)
    assert record["effective_usd"] == pytest.approx(made[1]["effective_usd"], abs=0.005)
    assert record["bill"]["rates"]["EUR"] == {"usd": 1.25, "source": "--rate", "as_of": "2026-11-01"}
    assert sum(sum(level) for level in record["gpus_by_hour"].values()) == pytest.approx(made[1]["gpu_hours"])
    assert {group["name"] for group in record["groups"]["tag:team"]} == {"", "team-0"}
    assert all(one["priced_on"] for one in record["elsewhere"])


def test_the_table_says_paid_hours_and_savings_first(bill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", str(bill), "--rate", RATE]) == 0
    text = capsys.readouterr().out
    assert "allocated GPU-hours for" in text.splitlines()[0]
    for words in (
        "effective savings rate",
        "Load-duration curve",
        "By purchase option",
        "Commitments",
        "The same hours elsewhere",
    ):
        assert words in text


def test_a_partial_answer_warns_and_names_the_place(bill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", str(bill), "-f", "json"]) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    assert record["is_partial"]
    assert "EUR has no rate" in captured.err
    assert record["faults"][0]["rows"] == record["bill"]["unreadable_rows"] > 0


@pytest.mark.slow
def test_the_demand_of_a_bill_is_read_by_mix_with_the_same_hours(
    bill: Path, made: tuple[Any, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    demand = tmp_path / "demand.csv"
    assert main(["usage", str(bill), "--rate", RATE, "--gpu", "h100-sxm", "--to-demand", str(demand), "--quiet"]) == 0
    capsys.readouterr()
    record = _json(capsys, "mix", str(demand), "--gpu", "h100-sxm")
    assert record["gpu_hours"] == pytest.approx(made[1]["gpu_hours_by_gpu"]["H100-SXM"])


@pytest.mark.slow
def test_the_workload_of_a_bill_is_read_by_plan_with_the_same_hours(
    bill: Path, made: tuple[Any, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = tmp_path / "work.yaml"
    assert main(["usage", str(bill), "--rate", RATE, "--gpu", "L40S", "--to-workload", str(work), "--quiet"]) == 0
    capsys.readouterr()
    record = _json(capsys, "plan", str(work))
    stated = record["workload"]["gpu_hours"]
    monthly = made[1]["gpu_hours_by_gpu"]["L40S"] / 336 * 730
    assert stated["count"] * stated["hours_per_month"] == pytest.approx(monthly, rel=1e-4)


def test_a_curve_of_several_accelerators_asks_which(bill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", str(bill), "--rate", RATE, "--to-demand", "x.csv"]) == 2
    assert "H100-SXM" in capsys.readouterr().err


def test_one_row_for_each_hour_and_accelerator_in_csv(bill: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", str(bill), "--rate", RATE, "-f", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "hour,gpu,basis,gpus"
    assert len(lines) == 1 + 3 * 336


def test_bill_and_counters_together_tell_idle_hours(
    bill: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["timestamp,Hostname,gpu,DCGM_FI_PROF_GR_ENGINE_ACTIVE"]
    rows += [f"2026-10-02T{hour:02d}:{minute:02d}:00Z,n{gpu},0,0.5" for hour in range(6) for minute in (0, 30) for gpu in range(8)]  # fmt: skip
    counters = tmp_path / "dcgm.csv"
    counters.write_text("\n".join(rows) + "\n", encoding="utf-8")
    record = _json(capsys, "usage", str(bill), str(counters), "--rate", RATE)
    bases = {(one["source"], one["basis"]): one["gpu_hours"] for one in record["measures"]}
    assert bases["dcgm", "busy"] == pytest.approx(24.0)
    # Eight accelerators report; what the rest of the company did, no counter saw.
    assert record["idle_gpu_hours"] == pytest.approx(8 * 6 - 24.0)
    assert record["idle_share"] == pytest.approx(0.5)


@pytest.mark.parametrize("rate", ["EUR", "EUR=much", "EURO=1", "EUR=-1", "EUR=1@soon"])
def test_a_rate_that_cannot_be_read_is_a_wrong_command_line(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["usage", "bill.csv", "--rate", rate]) == 2
    assert "CUR=USD was expected" in capsys.readouterr().err


def test_a_file_without_use_exits_with_3_and_nothing_readable_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    idle = tmp_path / "idle.csv"
    idle.write_text("timestamp,gpus\n2026-10-01T00:00:00Z,0\n", encoding="utf-8")
    assert main(["usage", str(idle)]) == 3
    broken = tmp_path / "broken.csv"
    broken.write_text("ChargeCategory;EffectiveCost\n", encoding="utf-8")
    assert main(["usage", str(broken)]) == 2
    assert "ChargePeriodStart" in capsys.readouterr().err


def test_records_alone_cannot_be_decided_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = tmp_path / "plain.csv"
    plain.write_text("timestamp,gpus,gpu\n2026-10-01T00:00:00Z,8,h100-sxm\n", encoding="utf-8")
    assert main(["usage", str(plain), "--decide"]) == 2
    assert "needs a bill" in capsys.readouterr().err


@pytest.mark.slow
def test_the_decision_says_what_it_saves_of_what_was_paid_and_how_sure_it_is(
    bill: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = _json(capsys, "usage", str(bill), "--rate", RATE, "--decide", "--resamples", "8")
    decision = record["decision"]
    assert decision["paid_usd_per_month"] == pytest.approx(record["effective_usd"] * 730 / record["hours"])
    saved = decision["paid_usd_per_month"] - decision["after_usd_per_month"]
    assert decision["saving_usd_per_month"] == pytest.approx(saved)
    assert decision["saving_low_usd_per_month"] <= decision["saving_high_usd_per_month"]
    assert 0 <= decision["holds_share"] <= 1
    assert any("seasons" in note for note in decision["notes"])
    assert "more than 5 % cheaper. Before you buy" in decision["headline"]
    assert main(["usage", str(bill), "--rate", RATE, "--decide", "--resamples", "0", "-f", "md"]) == 0
    assert "Switch off" in capsys.readouterr().out


@pytest.mark.slow
def test_the_same_command_with_an_engine_gives_the_same_answer(
    bill: Path, cluster: str, capsys: pytest.CaptureFixture[str]
) -> None:
    args = (
        "usage",
        str(bill),
        "--rate",
        RATE,
        "--tag",
        "team",
        "--decide",
        "--resamples",
        "3",
        "--as-of",
        "2026-11-01",
    )
    assert _json(capsys, *args) == _json(capsys, *args, "--engine", cluster)


def test_a_bill_that_nothing_beats_is_answered_and_not_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = "BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,ConsumedQuantity,ConsumedUnit,EffectiveCost,ListCost,PricingCategory,ProviderName,SkuPriceDetails"
    details = '"{""InstanceType"": ""p5.48xlarge""}"'
    rows = [f"USD,Usage,2026-10-01T{hour:02d}:00:00Z,2026-10-01T{hour:02d}:59:59Z,1,Hours,1,55,Standard,AWS,{details}" for hour in range(24)]  # fmt: skip
    path = tmp_path / "bill.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    record = _json(capsys, "usage", str(path), "--decide", "--resamples", "3")
    assert record["decision"]["saving_usd_per_month"] == 0
    assert record["decision"]["after_usd_per_month"] == record["decision"]["paid_usd_per_month"] == pytest.approx(730)
    assert record["decision"]["headline"].startswith("Keep what you have")
    assert "costs less than what is paid now" in record["decision"]["kept"][0]["because"]
