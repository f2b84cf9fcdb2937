"""Published closed-loop runs through the simulation: the same number of requests under way all the time."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from planner.measured.rows import number, shipped_rows
from planner.measured.serving.predict import constants_of_rows, serving_table
from planner.supply.calibration import default_calibration
from planner.supply.constants import take
from planner.supply.machines import NORMAL_80_PERCENT
from planner.supply.serving.speed import layout_on
from planner.traffic.simulation import NEVER_S, Lane, Ledger
from planner.traffic.step_times import StepTimes, tabulated

ROWS = 60


def _closed_loop(count: int, inputs: int, outputs: int, times: StepTimes, clients: int) -> tuple[float, float]:
    """Return the mean TPOT of equal requests of which so many are under way at any time, and how long all of them took."""
    ledger = Ledger([inputs] * count, [outputs] * count, [0] * count, lanes=times.stage_count)
    lanes = [Lane(slot, times, ledger) for slot in range(times.stage_count)]
    sent, now_s = 0, 0.0
    while True:
        while sent < count and sent - len(ledger.done) - len(ledger.refused) < clients:
            lanes[ledger.load.index(min(ledger.load))].put(sent, now_s)
            sent += 1
        if (earliest := min(ledger.due_s)) == NEVER_S:
            break
        now_s = earliest
        lanes[ledger.due_s.index(earliest)].advance()
    written_s = np.array(ledger.last_s) - np.array(ledger.first_s)
    return float(np.mean(written_s[np.isfinite(written_s)])) / max(outputs - 1, 1), now_s


@cache
def _ratios() -> tuple[tuple[str, float, float], ...]:
    """Return metric, simulated over measured, and the band's standard deviation, of every third closed-loop row that fits."""
    table, _ = serving_table(shipped_rows("inference"))
    calibration = default_calibration()
    constants = constants_of_rows(table, calibration)
    closed = np.flatnonzero((table.sort == "closed") & (table.live <= table.limit))
    found = []
    for place in closed[:: max(1, len(closed) // ROWS)]:
        at = np.array([place])
        hw = table.hardware.take(at)
        layout = layout_on(
            hw,
            take(constants.links, at),
            table.flop_per_s[at],
            table.group[at],
            table.split[at],
            table.stages[at],
            spans=table.across[at] > 0,
        )
        inputs, outputs = int(table.input_tokens[place]), int(table.output_tokens[place])
        times = tabulated(
            take(table.model, at),
            layout,
            take(constants.step, at[:, None]),
            pace_ratio=float(constants.pace_ratio[place]),
            mixed_layer_s=float(constants.mixed_layer_s[place]),
            entry_layer_s=float(constants.entry_layer_s[place]),
            memory_bytes=float(hw.memory_bytes[0]),
            usable_share=0.9,
            longest_tokens=inputs + outputs,
            typical_tokens=inputs + outputs / 2.0,
            chunk_tokens=int(table.chunk_tokens[place]),
        )
        clients = int(table.live[place])
        count = min(max(4 * clients, 40), 2_000)
        tpot_s, took_s = _closed_loop(count, inputs, outputs, times, clients)
        sort = "moe" if "@moe" in table.tags[place] else "dense"
        width = calibration.value(f"band.serve.{sort}")
        rate = count * outputs / took_s * table.replicas[place]
        simulated = {"out_tok_s_total": rate, "tpot_ms": tpot_s * 1e3}
        for metric, value in simulated.items():
            measured = number(table.rows[place], metric)
            if measured > 0:
                found.append((metric, value / measured, width))
    return tuple(found)


def test_published_closed_loops_lie_within_the_band() -> None:
    inside = [abs(math.log(ratio)) <= NORMAL_80_PERCENT * width for _, ratio, width in _ratios()]
    assert len(inside) > 80
    assert np.mean(inside) > 0.75


def test_published_closed_loops_are_met_without_bias() -> None:
    for metric in ("out_tok_s_total", "tpot_ms"):
        ratios = np.array([ratio for name, ratio, _ in _ratios() if name == metric])
        assert abs(np.median(ratios) - 1.0) < 0.08
        assert np.median(np.abs(ratios - 1.0)) < 0.15
