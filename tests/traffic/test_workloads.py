"""Lengths and traffic in a workload, and what a plan says of them."""

from __future__ import annotations

from typing import Any

import pytest

from planner.assumptions import default_assumptions
from planner.demand.defaults import with_limits
from planner.demand.models import known_model
from planner.demand.profiles import hourly_rates
from planner.demand.requirements import peak_requests_per_s, requirements
from planner.demand.sections import Lengths, Profile
from planner.demand.service import PUBLIC_WEEKS, Traffic, extremes_of_week, traffic_kind
from planner.demand.volume import volume
from planner.demand.workload import Serve, Workload
from planner.errors import InputError
from planner.inputs.reading import document_of, validated
from planner.notes import NoteCode
from planner.options.servers import own_machine
from planner.supply.calibration import default_calibration
from planner.supply.fleet import estimate, size
from planner.supply.machines import Fleet, Layout, Refusal
from planner.traffic.confirm import Confirmed, confirmed
from pricing.facts.accelerators import resolve


def _workload(**serve: Any) -> Workload:
    return Workload.model_validate(
        {"kind": "serve", "model": "llama-3.1-70b", "precision": "fp8", "serve": {"requests_per_s": 20, **serve}}
    )


def _serve(workload: Workload) -> Serve:
    assert isinstance(workload.work, Serve)
    return workload.work


PLAIN = {"input_tokens": 1000, "output_tokens": 300}


def test_lengths_that_vary_are_sized_and_paid_by_their_mean() -> None:
    plain, varied = _workload(**PLAIN), _workload(input_tokens={"mean": 1000, "cv": 2}, output_tokens={"mean": 300})
    arch = known_model("llama-3.1-70b")
    assert requirements(varied, arch) == requirements(plain, arch)
    assert volume(varied, 730.0) == volume(plain, 730.0)
    assert with_limits(varied, default_assumptions()).work == _serve(varied).model_copy(
        update=_filled(with_limits(plain, default_assumptions()))
    )


def _filled(workload: Workload) -> dict[str, Any]:
    return {
        name: getattr(workload.work, name) for name in ("ttft_limit_ms", "tpot_limit_ms", "spare_replicas", "traffic")
    }


def test_plain_lengths_vary_as_those_of_chats_and_that_is_a_default() -> None:
    assert _serve(with_limits(_workload(**PLAIN), default_assumptions())).traffic is Traffic.CHAT
    stated = _workload(input_tokens={"mean": 1000, "cv": 2}, output_tokens={"p50": 200, "p99": 900})
    assert _serve(with_limits(stated, default_assumptions())).traffic is None


@pytest.mark.parametrize("traffic", list(Traffic))
def test_a_kind_of_traffic_fills_in_the_lengths_of_its_trace_as_not_stated(traffic: Traffic) -> None:
    work = _serve(_workload(traffic=traffic.value))
    kind = traffic_kind(traffic)
    assert (work.input_tokens, work.output_tokens) == (kind.input_tokens, kind.output_tokens)
    assert not work.model_fields_set & {"input_tokens", "output_tokens"}
    assert kind.source
    assert kind.as_of
    assert _serve(_workload(traffic=traffic.value, input_tokens=7)).input_tokens == 7


def test_quantiles_are_read_as_lengths() -> None:
    assert _serve(_workload(input_tokens={"p50": 700, "p90": 2400}, output_tokens=30)).input_tokens == Lengths(p50=700, p90=2400)  # fmt: skip


@pytest.mark.parametrize(
    ("serve", "fault"),
    [
        ("{requests_per_s: 1, input_tokens: {mean: 5, cvv: 1}, output_tokens: 3}", "did you mean 'cv'"),
        ("{requests_per_s: 1, input_tokens: {p50: 5}, output_tokens: 3}", "at least two of"),
        ("{requests_per_s: 1, input_tokens: many, output_tokens: 3}", "must be a plain number"),
        ("{requests_per_s: 1, traffic: chatt}", "did you mean 'chat'"),
        ("{requests_per_s: 1, input_tokens: 5, output_tokens: 3, limit_percentile: median}", "must be one of"),
        ("{requests_per_s: 1, input_tokens: 5, output_tokens: 3, limit_percentile: 100}", "at most 99.9"),
    ],
)
def test_faults_of_lengths_name_the_key_and_the_way_out(serve: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        validated(document_of(f"kind: serve\nmodel: llama-3.1-8b\nserve: {serve}\n", "w.yaml"), Workload)


def _confirmed(replicas: int, **serve: Any) -> Confirmed:
    work = with_limits(_workload(**(PLAIN | serve)), default_assumptions())
    machine, arch = own_machine(resolve("b200")[0], 8), known_model("llama-3.1-70b")
    fleet = estimate(work, arch, machine, 8, default_assumptions())
    assert isinstance(fleet, Fleet)
    sized = Fleet(
        machine=machine,
        instance_count=1,
        layout=Layout(tensor=1, data=replicas, precision="fp8", kv_precision="bf16"),
        performance=fleet.performance,
        accelerators_used=float(replicas),
    )
    found = confirmed(_serve(work), sized, arch, default_assumptions(), default_calibration())
    assert found is not None
    return found


def test_a_fleet_that_holds_p95_may_take_more_for_p99_and_one_that_does_not_says_how_many() -> None:
    roomy, tight = (
        _confirmed(8, tpot_limit_ms=60),
        _confirmed(3, tpot_limit_ms=50, input_tokens={"mean": 1000, "cv": 1.5}),
    )
    assert roomy.service.holds
    assert roomy.needed_count == roomy.strictest_count == 8
    assert not tight.service.holds
    assert tight.needed_count is not None
    assert 3 < tight.needed_count <= (tight.strictest_count or 99)


def test_a_form_states_numbers_as_text() -> None:
    work = _serve(_workload(input_tokens="1000", output_tokens="300", limit_percentile="99"))
    assert (work.input_tokens, work.limit_percentile) == (1000, 99.0)


def test_limits_hold_for_the_stated_percentile_or_for_the_mean() -> None:
    mean, p99 = _confirmed(4, limit_percentile="mean"), _confirmed(4, limit_percentile=99)
    assert mean.limits.percentile is None
    assert mean.service.at_limit_ms[0] == pytest.approx(mean.service.ttft_ms.mean)
    assert p99.service.at_limit_ms[0] == pytest.approx(p99.service.ttft_ms.p99, rel=0.05)


def test_a_stated_kind_of_traffic_tells_arrivals_hours_and_reuse_and_what_is_stated_stays() -> None:
    chat, agent = _serve(_workload(traffic="chat")), _serve(_workload(traffic="agent"))
    assert (chat.arrival_cv, chat.profile) == (1.09, Profile.PUBLIC_CHAT)
    assert not chat.model_fields_set & {"arrival_cv", "profile"}
    assert (agent.prefix_cache_hit_share, agent.profile) == (0.59, Profile.STEADY)
    stated = _serve(_workload(traffic="chat", profile="steady", arrival_cv=2, prefix_cache_hit_share=0.1))
    assert (stated.profile, stated.arrival_cv, stated.prefix_cache_hit_share) == (Profile.STEADY, 2.0, 0.1)
    assert _serve(_workload()).profile is _serve(_workload(**PLAIN)).profile is Profile.STEADY
    assert peak_requests_per_s(chat) == pytest.approx(20 * 1.64)


@pytest.mark.parametrize("profile", list(PUBLIC_WEEKS))
def test_a_public_week_has_the_busiest_and_the_quietest_hour_of_its_trace(profile: Profile) -> None:
    rates, (peak, trough) = hourly_rates(profile), extremes_of_week(profile)
    assert rates.shape == (168,)
    assert rates.mean() == pytest.approx(1.0)
    assert rates.max() == pytest.approx(peak)
    assert rates.min() == pytest.approx(trough, abs=0.005)


def test_weekends_of_code_are_quieter_than_any_of_its_working_days() -> None:
    rates = hourly_rates(Profile.PUBLIC_CODE)
    assert rates[120:].max() == pytest.approx(0.7)
    assert rates[:120].reshape(5, 24).max(axis=1).min() > 2.3


def test_a_limit_on_the_total_time_takes_machines_and_holds_in_the_simulation() -> None:
    def sized(**serve: Any) -> tuple[Workload, Fleet]:
        work = with_limits(_workload(**PLAIN, **serve), default_assumptions())
        found = size(work, known_model("llama-3.1-70b"), [own_machine(resolve("b200")[0], 1)], default_assumptions())[0]
        assert isinstance(found, Fleet)
        return work, found

    counts = [sized(total_limit_ms=limit)[1].instance_count for limit in (60_000, 20_000, 15_000)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]
    work, fleet = sized(total_limit_ms=20_000)
    assert (_serve(work).ttft_limit_ms, _serve(work).spare_replicas) == (20_000, 1)
    found = confirmed(_serve(work), fleet, known_model("llama-3.1-70b"), default_assumptions(), default_calibration())
    assert found is not None
    assert found.limits.total_ms == 20_000
    assert found.service.at_limit_ms[2] == pytest.approx(20_000, rel=0.15)


def test_an_unreachable_total_time_says_so() -> None:
    work = with_limits(_workload(**PLAIN, total_limit_ms=500), default_assumptions())
    found = size(work, known_model("llama-3.1-70b"), [own_machine(resolve("b200")[0], 8)], default_assumptions())[0]
    assert isinstance(found, Refusal)
    assert (found.stage, found.reason.code) == ("total", NoteCode.TOTAL_ABOVE_LIMIT)


def test_requests_that_come_in_bursts_wait_longer() -> None:
    waits = [_confirmed(4, arrival_cv=cv).service.ttft_ms.p95 for cv in (0, 1, 4)]
    assert waits == sorted(waits)
    assert waits[-1] > 1.2 * waits[0]
