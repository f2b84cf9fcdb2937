"""Places and sellers that are named: tariff and grid of owned machines, sellers left out."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from planner.assumptions import default_assumptions
from planner.demand.workload import Constraints
from planner.errors import InputError
from planner.options.energy import assumptions_at
from planner.options.option import OptionKind
from planner.plan import Plan, make_plan
from planner.supply.candidates import find_candidates
from pricing.catalog import load_bundled
from tests.conftest import TODAY

TARIFF = "site.colocation.electricity_usd_per_kwh"


def test_power_in_germany_is_dearer_and_its_source_is_told() -> None:
    german = assumptions_at(default_assumptions(), "DE")
    assert german[TARIFF] > default_assumptions()[TARIFF]
    assert german.rows[TARIFF].source.startswith("DE: ")


def test_a_tariff_of_the_user_s_own_stays() -> None:
    mine = default_assumptions().override({TARIFF: 0.01}, "--set")
    assert assumptions_at(mine, "DE")[TARIFF] == 0.01


def test_a_place_of_which_nothing_is_known_names_the_nearest() -> None:
    with pytest.raises(InputError, match="US-Texas"):
        assumptions_at(default_assumptions(), "US-Texass")


@pytest.mark.slow
def test_owning_in_sweden_emits_less_than_in_poland(plan_of: Callable[[str], Plan]) -> None:
    workload = plan_of("gpu-hours-h100").workload
    emitted = []
    for place in ("SE", "PL"):
        there = workload.model_copy(update={"own": workload.own.model_copy(update={"place": place})})
        plan = make_plan(there, load_bundled(), default_assumptions(), today=TODAY)
        own = next(option for option in plan.options if option.kind is OptionKind.BUY)
        assert own.co2e_kg_per_month is not None
        emitted.append(own.co2e_kg_per_month)
    assert emitted[0] < emitted[1] / 5


def test_a_seller_of_tokens_alone_can_be_left_out_by_the_name_that_the_answer_shows() -> None:
    left_out = Constraints(exclude_providers=("huggingface_novita",))
    found = find_candidates(load_bundled(), left_out)
    assert found.offers
    with pytest.raises(InputError, match="no offer is from provider 'huggingface_novit'"):
        find_candidates(load_bundled(), Constraints(exclude_providers=("huggingface_novit",)))


def test_a_seller_of_tokens_alone_can_be_asked_for_by_name() -> None:
    found = find_candidates(load_bundled(), Constraints(providers=("groq",)))
    assert found.offers == ()
    both = find_candidates(load_bundled(), Constraints(providers=("groq", "lambda")))
    assert {offer.provider for offer in both.offers} == {"lambda"}
