"""More machines save less and less time; the part that binds is the one whose relief helps most."""

from __future__ import annotations

from planner.assumptions import default_assumptions
from planner.demand.models import known_model
from planner.demand.workload import Pretrain, Serve, Workload
from planner.supply.machines import Machine
from planner.supply.scaling import relief, scaling_curve
from pricing.facts.accelerators import accelerators

ASSUMPTIONS = default_assumptions()


def _box(network: str, speed: float) -> Machine:
    return Machine(
        accelerator=accelerators()["H100-SXM"],
        accelerator_count=8,
        memory_gib=1024,
        network=network,
        network_gb_per_s_each_way=speed,
    )


def _job() -> Workload:
    return Workload(kind="pretrain", model="llama-2-7b", pretrain=Pretrain(tokens_b=100))


def test_more_machines_are_faster_and_dearer_in_accelerator_hours() -> None:
    curve = scaling_curve(_job(), known_model("llama-2-7b"), _box("infiniband", 400), ASSUMPTIONS, most_machines=128)
    hours = [point.hours for point in curve]
    assert hours == sorted(hours, reverse=True)
    assert curve[-1].accelerator_hours > curve[0].accelerator_hours
    assert sum(point.is_knee for point in curve) <= 1


def test_plain_ethernet_loses_its_efficiency_sooner_than_infiniband() -> None:
    last = [
        scaling_curve(_job(), known_model("llama-2-7b"), box, ASSUMPTIONS, most_machines=16)[-1]
        for box in (_box("infiniband", 400), _box("ethernet", 12.5))
    ]
    assert last[1].hours > last[0].hours


def test_generating_one_answer_at_a_time_is_relieved_by_memory_bandwidth_not_by_arithmetic() -> None:
    work = Serve(requests_per_s=0.1, input_tokens=20, output_tokens=500, tpot_limit_ms=12)
    asked = Workload(kind="serve", model="llama-3.1-8b", precision=("bf16",), serve=work)
    gains = relief(asked, known_model("llama-3.1-8b"), _box("infiniband", 400), 1, ASSUMPTIONS)
    assert gains["memory_bandwidth"] > gains["compute"] >= 0
    assert all(gain >= -1e-9 for gain in gains.values())
