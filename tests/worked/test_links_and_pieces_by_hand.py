"""Communication, experts, drafts, windows and states by hand: the pieces that the searches are built of."""

from __future__ import annotations

import pytest

from planner.demand.memory import kv_bytes_per_token, model_state_bytes_per_parameter, weight_bytes
from planner.demand.models import known_model
from planner.demand.profiles import hourly_rates, peak_over_mean_ratio
from planner.demand.workload import Profile
from planner.supply.communication import all_gather_s, all_to_all_s, point_to_point_s
from planner.supply.serving.model import experts_read_share, seen_tokens, served_model
from planner.supply.serving.speed import accepted_tokens


def test_gathering_a_gigabyte_over_eight_at_a_hundred_gigabytes_a_second() -> None:
    # Each rank lacks 7/8 of the result: 0.875 GB / 100 GB/s = 8.75 ms, and 20 microseconds to start.
    assert float(all_gather_s(1e9, 8, 100e9, 20e-6)) == pytest.approx(8.77e-3)


def test_an_exchange_between_experts_keeps_one_share_at_home() -> None:
    # Four ranks send 64 MB each, a quarter of it to themselves: 48 MB / 25 GB/s = 1.92 ms.
    assert float(all_to_all_s(64e6, 4, 25e9, 0.0)) == pytest.approx(1.92e-3)


def test_a_stage_hands_on_its_tokens_in_their_bytes_over_the_bandwidth() -> None:
    # 4,096 tokens x 8,192 wide x 2 bytes = 67.1 MB over 50 GB/s = 1.342 ms, and 50 microseconds to start.
    assert float(point_to_point_s(4096 * 8192 * 2, 50e9, 50e-6)) == pytest.approx(1.39218e-3, rel=1e-5)


def test_sixteen_tokens_visit_99_percent_of_mixtrals_experts() -> None:
    # Each token leaves 6 of 8 experts idle: (3/4)^16 = 1.0 % of them stay unread.
    model = served_model(known_model("mixtral-8x7b"), "bf16", "bf16")
    assert float(experts_read_share(model, 16)) == pytest.approx(1 - 0.75**16)


def test_four_drafts_at_seventy_percent_yield_2_77_tokens_a_step() -> None:
    # 1 + 0.7 + 0.49 + 0.343 + 0.2401
    assert accepted_tokens(4, 0.7) == pytest.approx(2.7731)


def test_a_window_in_half_of_the_layers_halves_what_lies_beyond_it() -> None:
    # Gemma 2 9B: 21 of 42 layers see 4,096 tokens at most; at 8,192 a new token sees (8,192 + 4,096) / 2.
    model = served_model(known_model("gemma-2-9b"), "bf16", "bf16")
    assert float(seen_tokens(model, 8192)) == pytest.approx(6144)
    # 42 layers x 2 (K and V) x 8 heads x 256 x 2 bytes = 344,064 bytes; the windowed half keeps half of them.
    assert float(kv_bytes_per_token(known_model("gemma-2-9b"), "bf16", 8192)) == pytest.approx(344_064 * 0.75)


def test_adamw_in_mixed_precision_keeps_sixteen_bytes_a_parameter() -> None:
    # 2 of weight, 2 of gradient, 4 of master copy, 4 + 4 of moments.
    assert sum(model_state_bytes_per_parameter("adamw")) == 16


def test_bf16_weights_of_an_8b_model_are_two_bytes_each() -> None:
    assert weight_bytes(known_model("llama-3.1-8b"), "bf16") == 2 * 8_030_261_248


def test_a_profiles_peak_stands_over_its_mean_as_its_hours_say() -> None:
    rates = hourly_rates(Profile.OFFICE_HOURS)
    assert peak_over_mean_ratio(Profile.OFFICE_HOURS) == pytest.approx(rates.max() / rates.mean())
