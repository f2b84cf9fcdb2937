"""The command line as a user meets it: answers, exit statuses, errors, nothing half-written."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from planner.cli import COMMANDS, main
from tests.conftest import EXAMPLES, ROOT

SERVE = str(EXAMPLES / "serve-llama-70b.yaml")


def test_help_names_every_command_and_imports_nothing_heavy() -> None:
    script = (
        "import sys; from planner.cli import main; status = main(['--help']); "
        "heavy = {'pandas', 'numpy', 'duckdb', 'pydantic', 'boto3', 'google', 'azure', 'rich', 'yaml'} & set(sys.modules); "
        "print('heavy', sorted(heavy)); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "heavy []" in done.stdout
    for name in COMMANDS:
        assert name in done.stdout


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_a_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    assert "Usage: gpuplan" in capsys.readouterr().out


@pytest.mark.slow
def test_planning_imports_neither_pandas_nor_a_cloud_s_client_nor_what_other_work_needs() -> None:
    script = (
        "import sys; from planner.cli import main; status = main(['plan', sys.argv[1], '-f', 'csv']); "
        "heavy = {'pandas', 'scipy', 'boto3', 'google', 'azure', 'duckdb', 'httpx2', 'numpy.ma'}; "
        "heavy |= {'planner.supply.training.fleet', 'planner.supply.throughput.fleet'}; heavy &= set(sys.modules); "
        "print('heavy', sorted(heavy), file=sys.stderr); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", script, SERVE], capture_output=True, text=True, cwd=ROOT, check=True)
    assert "heavy []" in done.stderr


def test_a_missing_workload_is_an_object_where_json_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "nowhere.yaml", "-f", "json"]) == 2
    error = json.loads(capsys.readouterr().out)
    assert error["schema_version"] == 1
    assert set(error["error"]) == {"code", "message", "hint", "where"}
    assert error["error"]["where"] == "nowhere.yaml"


def test_an_assumption_under_a_longer_name_is_found_whatever_its_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", SERVE, "--set", "assumptions.money.financing=lease"]) == 2
    assert "did you mean money.financing?" in capsys.readouterr().err


def test_an_unknown_assumption_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", SERVE, "--set", "own.lifemonths=3"]) == 2
    assert "own.life_months" in capsys.readouterr().err


def test_an_assumption_outside_its_bounds_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", SERVE, "--set", "site.colocation.pue_ratio=0.5"]) == 2
    assert "between" in capsys.readouterr().err


def test_an_unknown_provider_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", SERVE, "--provider", "lamda"]) == 2
    assert "lambda" in capsys.readouterr().err


def test_an_ambiguous_accelerator_asks_which_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["estimate", SERVE, "--on", "h100"]) == 2
    told = capsys.readouterr().err
    assert "H100-SXM" in told
    assert "H100-PCIe" in told


def test_nothing_fits_shows_the_funnel_and_status_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "w.yaml"
    path.write_text(
        Path(SERVE)
        .read_text()
        .replace("horizon_months: 36", "constraints: {gpus: [t4], max_gpus: 1, providers: [azure]}")
    )
    assert main(["plan", str(path)]) == 3
    told = capsys.readouterr().err
    assert "nothing can do this work" in told
    assert "T4" in told


@pytest.mark.slow
def test_a_file_lands_whole_and_its_ending_picks_the_form(tmp_path: Path) -> None:
    for ending, start in (("json", "{"), ("csv", "id,kind"), ("md", "# ")):
        path = tmp_path / f"plan.{ending}"
        assert main(["plan", SERVE, "-o", str(path)]) == 0
        assert path.read_text().startswith(start)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["plan.csv", "plan.json", "plan.md"]


@pytest.mark.slow
def test_a_plan_can_be_reported_again_from_its_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "plan.json"
    assert main(["plan", SERVE, "-o", str(path)]) == 0
    assert main(["plan", SERVE, "--top", "5"]) == 0
    planned = capsys.readouterr().out
    assert main(["report", str(path), "--top", "5"]) == 0
    reported = capsys.readouterr().out
    assert reported.splitlines()[:12] == planned.splitlines()[:12]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 99, "verdict": {}, "options": []}', "{"])
def test_a_file_that_is_no_plan_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    assert main(["report", str(path)]) == 2


@pytest.mark.slow
def test_a_workload_comes_through_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io

    class Stdin:
        buffer = io.BytesIO(Path(SERVE).read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin())
    assert main(["plan", "-", "-f", "csv"]) == 0
    assert capsys.readouterr().out.startswith("id,kind")


@pytest.mark.slow
def test_settings_of_the_folder_give_way_to_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "gpuplan.toml").write_text('horizon = 12\nset = ["site.colocation.pue_ratio=1.3"]\n')
    monkeypatch.chdir(tmp_path)
    assert main(["plan", SERVE, "-f", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["horizon_months"] == 12
    assert [row["name"] for row in record["assumptions"] if row["overridden"]] == ["site.colocation.pue_ratio"]
    monkeypatch.setenv("GPUPLAN_HORIZON", "18")
    assert main(["plan", SERVE, "-f", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["horizon_months"] == 18
    assert main(["plan", SERVE, "-f", "json", "--horizon", "24"]) == 0
    assert json.loads(capsys.readouterr().out)["horizon_months"] == 24


def test_offers_are_sorted_and_a_missing_price_never_wins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["offers", "--gpu", "h100", "--count", "8", "-f", "json"]) == 0
    prices = [offer["price_usd_per_hour"] for offer in json.loads(capsys.readouterr().out)["offers"]]
    assert prices == sorted(prices)
    assert min(prices) > 0


def test_on_eighty_columns_an_offer_keeps_its_tier_age_and_whole_region(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["offers", "--gpu", "h100-sxm", "--provider", "gcp", "--region", "australia-southeast1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    (head,) = [line for line in lines if line.startswith("provider ")]
    assert [name for name in ("tier", "region", "days", "priced on") if name in head] == ["tier", "region", "days"]
    assert any(line.startswith("gcp") and "australia-southeast1" in line for line in lines)


def test_no_offer_left_tells_the_funnel(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["offers", "--gpu", "b200", "--max-usd-per-hour", "0.01"]) == 3
    assert "no offer matches" in capsys.readouterr().err


@pytest.mark.parametrize(
    "kind",
    [
        "pretrain",
        "gpu_hours",
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("serve", "finetune", "batch", "embed", "diffusion")),
    ],
)
def test_the_file_to_start_from_can_be_planned(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    assert main(["init", kind, "-o", str(path)]) == 0
    assert main(["init", kind, "-o", str(path)]) == 2, "a file that is there is not written over"
    assert main(["plan", str(path), "-o", str(tmp_path / "plan.json")]) == 0


def test_a_scenario_answers_with_the_keys_that_scripts_rely_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["breakeven", str(EXAMPLES / "scenario-8x-h100.yaml"), "-f", "json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert round(answer["breakeven_hours"]) == 8556  # Lenovo Press LP2225
    for key in (
        "breakeven_months",
        "breakeven_utilisation_share",
        "breakeven_usd_per_hour",
        "crossings",
        "recommendation",
    ):
        assert key in answer
    assert {"present_value_usd", "total_usd", "usd_per_useful_hour", "by_month"} <= set(answer["rent"])


def test_a_closed_pipe_ends_quietly() -> None:
    command = f'"{sys.executable}" -m planner gpus | head -1'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
    assert "Traceback" not in done.stderr


def test_a_server_is_held_against_every_rent_and_your_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "h100-sxm:8", "--rent", "12.29", "--rent", "2.49", "-f", "json"]) == 0
    rents = {row["rent_id"]: row for row in json.loads(capsys.readouterr().out)["rents"]}
    assert 0.15 < rents["stated rent of 12.29"]["utilisation_share"] < 0.30
    assert rents["stated rent of 2.49"]["utilisation_share"] is None
    assert "more than the rent" in rents["stated rent of 2.49"]["because"]


def test_a_server_is_held_against_the_cheapest_rent_of_each_sound_seller(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "h100-sxm:8", "--as-of", "2026-11-21", "-f", "json"]) == 0
    rents = json.loads(capsys.readouterr().out)["rents"]
    kinds = {
        (row["rent_id"].split("/")[0], row["rent_id"].split("/")[-1]) for row in rents if row["seller_tier"] in "AB"
    }
    assert main(["server", "h100-sxm:8", "--as-of", "2026-11-21"]) == 0
    shown = capsys.readouterr().out
    assert f"{len(kinds)} of {len(rents)} rents" in shown
    assert "voltage-park/global" in shown
    assert "dataoorts" not in shown
    assert main(["server", "h100-sxm:3", "--as-of", "2026-11-21"]) == 2
    assert "servers with 8 of them are known" in capsys.readouterr().err


def test_a_quote_of_your_own_is_dated_today(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "h100-sxm:8", "--price", "200000", "-f", "json"]) == 0
    server = json.loads(capsys.readouterr().out)["server"]
    assert server["price_usd"] == 200000
    assert server["priced_on"] == datetime.now().astimezone().date().isoformat()


def test_a_mix_is_never_dearer_than_its_best_single_tier(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mix", "office_hours", "--gpu", "h100-sxm", "--peak-gpus", "20", "-f", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["total_usd"] <= min(found["single_tier_usd"].values()) * (1 + 1e-6)
    assert sum(tier["gpu_hours"] for tier in found["tiers"]) >= found["gpu_hours"] * (1 - 1e-6)


def test_a_mix_without_a_size_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mix", "office_hours", "--gpu", "h100-sxm"]) == 2
    assert "--peak-gpus" in capsys.readouterr().err


def test_ranges_of_a_scenario_tell_how_sure_the_verdict_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["breakeven", str(EXAMPLES / "scenario-ranges.yaml"), "-f", "json", "--draws", "2000"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert 0 < answer["risk"]["probability_buy_cheaper_share"] < 1
    assert any(bar["turns_verdict"] for bar in answer["tornado"])


def test_offers_say_that_the_bundled_prices_answer_and_how_old_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["offers", "--gpu", "h100", "--top", "1"]) == 0
    assert "bundled" in capsys.readouterr().err
    assert main(["offers", "--gpu", "h100", "--top", "1", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", [["breakeven", "x.yaml"], ["usage", "x.csv", "--decide"]])
@pytest.mark.parametrize("seed", ["-1", "99999999999999999999", "x"])
def test_a_seed_that_no_generator_takes_is_refused(
    command: list[str], seed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--seed", seed]) == 2
    assert "--seed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "option",
    [
        "mix steady --gpu h100-sxm --mean-gpus",
        "mix steady --gpu h100-sxm --peak-gpus",
        "mix steady --gpu h100-sxm --mean-gpus 3 --time-limit",
        "offers --min-memory-gib",
        "offers --count",
        "offers --max-usd-per-hour",
        "server h100-sxm:8 --rent",
        "server h100-sxm:8 --price",
    ],
)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", "-1", "x"])
def test_an_option_of_numbers_takes_finite_ones_alone(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*option.split(), value]) == 2
    assert option.rsplit(maxsplit=1)[-1] in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--mean-gpus", "--peak-gpus"])
def test_a_demand_of_more_gpus_than_there_are_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mix", "steady", "--gpu", "h100-sxm", option, "2e9"]) == 2
    assert option in capsys.readouterr().err
