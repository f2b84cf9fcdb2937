"""A plan's JSON is held against its types before anything reads it: no key of it can end in a traceback."""

from __future__ import annotations

import copy
import dataclasses
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NotRequired, get_args, get_origin, get_type_hints

import pytest
from typing_extensions import is_typeddict

from planner.cli import main
from planner.costs.inputs import BuyInputs, RentInputs, TokenInputs
from planner.report.record import read_record
from planner.report.schema.option import BuyBookRecord, RentBookRecord, TokenBookRecord
from planner.report.schema.plan import PlanRecord
from tests.conftest import ROOT

PLAN: dict[str, Any] = json.loads((ROOT / "tests" / "golden" / "plan.json").read_text(encoding="utf-8"))
VALUES: tuple[Any, ...] = (None, True, "x", "", -1, 0, 1e308, 10**30, [], {}, [1], {"a": 1}, "2026-01-01", "\x1b[31m")
FORMS = ("table", "json", "csv", "md", "html", "xlsx")


def _paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from _paths(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(min(len(value), 2)):
            yield from _paths(value[index], (*path, index))


def _broken(path: tuple[str | int, ...], rng: random.Random) -> dict[str, Any]:
    plan = copy.deepcopy(PLAN)
    place: Any = plan
    for step in path[:-1]:
        place = place[step]
    if rng.random() < 0.4:
        del place[path[-1]]
    else:
        place[path[-1]] = rng.choice(VALUES)
    return plan


def _outcomes(count: int, tmp_path: Path, seed: int) -> Iterator[tuple[int, tuple[str | int, ...]]]:
    rng = random.Random(seed)
    paths = list(_paths(PLAN))
    file, golden = tmp_path / "plan.json", str(ROOT / "tests" / "golden" / "plan.json")
    for _ in range(count):
        path = rng.choice(paths)
        file.write_text(json.dumps(_broken(path, rng)), encoding="utf-8")
        words = ["report", str(file), "-f", rng.choice(FORMS), "-o", str(tmp_path / "out"), "--quiet"]
        yield main(words if rng.random() < 0.8 else ["diff", str(file), golden]), path


@pytest.mark.slow
def test_a_key_that_is_missing_or_of_another_type_is_told_and_never_a_bug(tmp_path: Path) -> None:
    assert [path for status, path in _outcomes(400, tmp_path, 2) if status not in {0, 2, 7}] == []


def test_the_message_names_the_first_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = copy.deepcopy(PLAN)
    del plan["options"][1]["cost"]["usd_per_month"]
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan), encoding="utf-8")
    assert main(["report", str(file)]) == 2
    assert (
        f"{file}: options.1.cost.usd_per_month: this is not a complete plan: this key is missing"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("text", ["[" * 2000, '{"verdict": {}, "options": [], "schema_version": 1}', "", "NaN"])
def test_text_that_is_no_plan_is_told(text: str, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text, encoding="utf-8")
    assert main(["report", str(file)]) == 2


@pytest.mark.parametrize(
    ("record", "book"), [(RentBookRecord, RentInputs), (BuyBookRecord, BuyInputs), (TokenBookRecord, TokenInputs)]
)
def test_the_record_holds_every_number_that_an_options_cost_is_made_from(record: type, book: type) -> None:
    assert set(get_type_hints(record)) == {field.name for field in dataclasses.fields(book)}


def _records_in(kind: Any) -> Iterator[type]:
    if is_typeddict(kind):
        yield kind
    for inner in get_args(kind):
        yield from _records_in(inner)


def _older(value: Any, kind: Any) -> Any:
    """Return a part of a plan without the keys that older plans lack."""
    if isinstance(value, list):
        return [_older(item, kind) for item in value]
    for part in _records_in(kind) if isinstance(value, dict) else ():
        hints = get_type_hints(part, include_extras=True)
        required = {key for key, hint in hints.items() if get_origin(hint) is not NotRequired}
        if required <= set(value):
            kept = {key: item for key, item in value.items() if key in required or key not in hints}
            return {key: _older(item, hints.get(key)) for key, item in kept.items()}
    return value


@pytest.mark.parametrize("form", FORMS)
def test_a_plan_without_the_keys_that_older_plans_lack_has_every_form(form: str, tmp_path: Path) -> None:
    older = _older(PLAN, PlanRecord)
    assert not {"total_usd", "low_usd_per_month"} & set(older["options"][0]["cost"])
    file = tmp_path / "older.json"
    file.write_text(json.dumps(older), encoding="utf-8")
    assert main(["report", str(file), "-f", form, "-o", str(tmp_path / "out"), "--quiet"]) == 0
    assert main(["diff", str(file), str(ROOT / "tests" / "golden" / "plan.json")]) == 0


def test_a_whole_plan_is_read_as_it_was_written() -> None:
    assert read_record(json.dumps(PLAN), "plan.json") == PLAN
