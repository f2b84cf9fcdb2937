"""Encoders serve by the rate within a limit on latency: batches grow as far as the limit allows, and no further."""

from __future__ import annotations

from typing import Any

import pytest

from planner.assumptions import default_assumptions
from planner.demand.defaults import with_limits
from planner.demand.models import known_model
from planner.demand.workload import EmbedService, Workload
from planner.errors import InputError
from planner.inputs.faults import Document
from planner.inputs.reading import validated
from planner.notes import NoteCode
from planner.options.servers import own_machine
from planner.supply.fleet import size
from planner.supply.machines import Fleet, Refusal
from pricing.facts.accelerators import resolve


def _asked(**keys: Any) -> Workload:
    embed: dict[str, Any] = {"requests_per_s": 2000, "tokens_per_document": 512} | keys
    return Workload.model_validate({"kind": "embed", "model": "bge-m3", "embed": embed})


def _sized(**keys: Any) -> Fleet | Refusal:
    machine = own_machine(resolve("l4")[0], 1)
    return size(_asked(**keys), known_model("bge-m3"), [machine], default_assumptions())[0]


def _latency_ms(fleet: Fleet) -> float:
    return float(next(str(note.figures[1]) for note in fleet.notes if note.code is NoteCode.REQUEST_LATENCY))


def test_a_tighter_limit_takes_smaller_batches_and_more_machines() -> None:
    tight, loose = _sized(latency_limit_ms=30), _sized(latency_limit_ms=1000)
    assert isinstance(tight, Fleet)
    assert isinstance(loose, Fleet)
    assert tight.layout.micro_batch < loose.layout.micro_batch
    assert tight.instance_count > loose.instance_count
    assert _latency_ms(tight) <= 30
    assert tight.busy_hours_per_run is None


def test_a_request_of_many_documents_is_one_batch_at_least() -> None:
    fleet = _sized(task="rerank", documents_per_request=20, latency_limit_ms=2000)
    assert isinstance(fleet, Fleet)
    assert fleet.layout.micro_batch % 20 == 0


def test_a_limit_that_one_request_alone_misses_is_refused_with_its_time() -> None:
    refused = _sized(documents_per_request=32, latency_limit_ms=20)
    assert isinstance(refused, Refusal)
    assert refused.reason.code is NoteCode.REQUEST_TOO_SLOW
    assert float(str(refused.reason.figures[0])) > 20


def test_a_service_without_a_limit_is_held_to_one() -> None:
    filled = with_limits(_asked(), default_assumptions()).work
    assert isinstance(filled, EmbedService)
    assert filled.latency_limit_ms == 2000


def test_documents_and_a_rate_are_two_questions() -> None:
    content = {"kind": "embed", "model": "bge-m3", "embed": {"documents": 10, "requests_per_s": 1}}
    with pytest.raises(InputError, match="leave one of them out"):
        validated(Document(content, "w.yaml", {}), Workload)
