"""The difference of two plans: what changed, what did it, and the exit status that a scheduled job reads."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from planner.cli import main
from planner.commands.saved import VERDICT_CHANGED
from planner.plan import Plan
from planner.report.difference import difference, difference_tables
from planner.report.record import plan_record
from planner.report.schema.plan import PlanRecord
from planner.report.values import json_text


@pytest.fixture
def old(plan_of: Callable[[str], Plan]) -> PlanRecord:
    return plan_record(plan_of("gpu-hours-h100"))


def with_verdict_on(record: PlanRecord, index: int) -> Any:
    new = copy.deepcopy(record)
    option = new["options"][index]
    new["verdict"] |= {"option_id": option["id"], "choice": option["kind"], "headline": f"Take {option['id']}."}
    return new


def test_a_plan_differs_in_nothing_from_itself(old: PlanRecord) -> None:
    found = difference(old, copy.deepcopy(old))
    assert not found["verdict"]["changed"]
    assert found["prices"] == found["assumptions"] == found["workload"] == found["break_evens"] == []
    assert found["options"] == {"only_old": [], "only_new": []}


def test_the_price_that_turned_the_verdict_is_named_with_its_change(old: PlanRecord) -> None:
    new = with_verdict_on(old, 1)
    new["options"][0]["price_usd_per_hour"] *= 1.5
    found = difference(old, new)
    assert found["verdict"]["changed"]
    assert found["prices"][0]["option_id"] == old["verdict"]["option_id"]
    assert found["prices"][0]["change_share"] == pytest.approx(0.5)
    assert "(+50 %)" in found["verdict"]["why"][0]


def test_prices_that_the_verdict_rests_on_come_before_larger_changes_elsewhere(old: PlanRecord) -> None:
    new: Any = copy.deepcopy(old)
    new["options"][0]["price_usd_per_hour"] *= 1.01
    paired = {pair["rent_id"] for pair in old["break_evens"]}
    far = next(i for i, o in enumerate(old["options"]) if i > 0 and o["kind"] == "rent" and o["id"] not in paired)
    new["options"][far]["price_usd_per_hour"] *= 3
    found = difference(old, new)
    assert [row["is_named"] for row in found["prices"]] == [True, False]
    assert not found["verdict"]["changed"]


def test_assumptions_work_and_options_that_came_or_went_are_told(old: PlanRecord) -> None:
    new = with_verdict_on(old, 1)
    gone = new["options"].pop(0)
    new["assumptions"][0]["value"] += 1
    new["workload"]["gpu_hours"]["count"] = 16
    found = difference(old, new)
    assert found["options"]["only_old"] == [gone["id"]]
    assert found["assumptions"][0]["name"] == old["assumptions"][0]["name"]
    assert found["workload"] == [{"name": "gpu_hours.count", "old": 8, "new": 16}]
    why = " ".join(found["verdict"]["why"])
    assert "no longer among the options" in why
    assert "gpu_hours.count went from 8 to 16." in why


def test_where_nothing_changed_but_the_verdict_the_program_did(old: PlanRecord) -> None:
    assert difference(old, with_verdict_on(old, 1))["verdict"]["why"] == [
        "No price, no assumption and no part of the workload changed: the program did."
    ]


@pytest.mark.parametrize("form", ["table", "json", "md"])
def test_the_exit_status_tells_whether_the_verdict_changed(
    form: str, old: PlanRecord, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "old.json", tmp_path / "new.json"]
    for path, record in zip(paths, (old, with_verdict_on(old, 1)), strict=True):
        path.write_text(json_text(record), encoding="utf-8")
    assert main(["diff", str(paths[0]), str(paths[0]), "-f", form]) == 0
    capsys.readouterr()
    assert main(["diff", str(paths[0]), str(paths[1]), "-f", form]) == VERDICT_CHANGED
    said = capsys.readouterr().out
    if form == "json":
        assert json.loads(said)["verdict"]["changed"]
    else:
        assert "The verdict has changed" in said


def test_what_is_no_plan_is_refused(tmp_path: Path, old: PlanRecord, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = tmp_path / "old.json", tmp_path / "bad.json"
    good.write_text(json_text(old), encoding="utf-8")
    bad.write_text("{}", encoding="utf-8")
    assert main(["diff", str(good), str(bad)]) == 2
    assert "this is not a plan" in capsys.readouterr().err


def test_the_text_tells_how_rent_against_buy_has_moved_and_what_has_not(old: PlanRecord) -> None:
    new = copy.deepcopy(old)
    pair = new["break_evens"][0]
    pair["saving_usd"] += 5000.0
    pair["month"] = 12.5
    texts = {table.title: table for table in difference_tables(difference(old, new))}
    (row,) = texts["Rent against buy has moved"].rows
    assert row[2:4] == ("never", "12.5")
    assert texts["The verdict is the same"].note.endswith("a month, as before")
    same = difference_tables(difference(old, copy.deepcopy(old)))
    assert [table.title for table in same] == ["The verdict is the same", "Nothing else has changed"]


def test_the_cost_of_a_run_and_that_of_a_month_are_not_compared(old: PlanRecord) -> None:
    new = copy.deepcopy(old) | {"runs_once": True}
    chosen = next(o for o in new["options"] if o["id"] == new["verdict"]["option_id"])
    chosen["cost"]["total_usd"] = 29.53
    monthly_usd = f"{chosen['cost']['usd_per_month']:,.0f} USD a month"
    assert difference_tables(difference(old, new))[0].note == (
        f"{monthly_usd} before, 29.53 USD for the run now: not comparable"
    )
    assert difference_tables(difference(new, old))[0].note == (
        f"29.53 USD for the run before, {monthly_usd} now: not comparable"
    )


def test_a_large_change_is_written_without_an_exponent(old: PlanRecord) -> None:
    new = copy.deepcopy(old)
    chosen = next(o for o in new["options"] if o["id"] == new["verdict"]["option_id"])
    chosen["cost"]["usd_per_month"] *= 400
    assert "(+39,900 %)" in difference_tables(difference(old, new))[0].note
