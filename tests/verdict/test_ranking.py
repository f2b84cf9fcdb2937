"""The ranking: a "from" price gives way to the price of a machine, and eight GPUs in one node come before eight machines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.assumptions import default_assumptions
from planner.demand.workload import Workload
from planner.options.reason import ReasonCode
from planner.plan import Plan, make_plan
from pricing.catalog import load_bundled
from pricing.offers import Offer, PurchaseOption
from tests.conftest import TODAY


def _offer(name: str, usd_per_hour: float, count: float = 1.0, **fields: object) -> Offer:
    stated: dict[str, object] = {
        "provider": "lambda", "instance_type": name, "region": "us-east-1", "accelerator": "H100-SXM",
        "accelerator_stated": "H100 SXM", "accelerator_count": count, "accelerator_memory_gb": 80.0,
        "purchase_option": PurchaseOption.ON_DEMAND, "price_usd_per_hour": usd_per_hour, "source": "test", "observed_on": TODAY,
    }  # fmt: skip
    return Offer(**stated | fields)  # type: ignore[arg-type]


def _plan(*offers: Offer, count: int = 1) -> Plan:
    work = Workload.model_validate(
        {"kind": "gpu_hours", "gpu_hours": {"gpu": "h100-sxm", "count": count, "hours_per_month": 100}}
    )
    return make_plan(work, replace(load_bundled(), offers=offers), default_assumptions(), today=TODAY)


@pytest.mark.slow
def test_a_from_price_is_recommended_only_where_no_machine_has_a_price() -> None:
    from_price = _offer("H100 (per GPU, from)", 2.0, flags=("floor_price",))
    plan = _plan(from_price, _offer("one", 2.4))
    assert plan.verdict.option_id == "lambda/us-east-1/one/on_demand"
    (passed_over,) = [option for option in plan.options if "from" in option.instance_type]
    assert [reason.code for reason in passed_over.not_recommended] == [ReasonCode.FLOOR_PRICE]
    assert _plan(from_price).verdict.option_id == "lambda/us-east-1/H100_(per_GPU,_from)/on_demand"


def test_at_one_price_a_node_of_eight_comes_before_eight_machines() -> None:
    plan = _plan(_offer("a single", 3.0), _offer("node", 24.0, 8.0), count=8)
    assert plan.verdict.option_id == "lambda/us-east-1/node/on_demand"


def test_bundled_from_prices_are_flagged() -> None:
    stated = {offer.instance_type for offer in load_bundled().offers if "floor_price" in offer.flags}
    assert {"B200 (per GPU, from)", "L40S (per GPU, from)"} <= stated
    assert not [
        offer
        for offer in load_bundled().offers
        if offer.instance_type.endswith("from)") and "floor_price" not in offer.flags
    ]
