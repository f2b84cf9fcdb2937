"""A month that is begun by the rounding of floats alone is not billed."""

from __future__ import annotations

import numpy as np
import pytest

from planner.assumptions import default_assumptions
from planner.options.machine_hours import hours_of_runs
from planner.portfolio.costs import HorizonCosts

SENT = {"rent.storage_gb": 0.0, "rent.egress_gb_per_month": 1000.0, "rent.egress_usd_per_gb": 0.1}


@pytest.mark.parametrize(("hours", "months"), [(730.0, 1), (730.0 * (1 + 1e-12), 1), (731.0, 2)])
def test_what_a_run_sends_out_is_paid_for_each_month_that_it_works_in(hours: float, months: int) -> None:
    costs = HorizonCosts(default_assumptions().override(SENT, "--set"), 36)
    run = hours_of_runs(np.array([[hours]]), 0.0, once=True, start_hours=0.0, months=36, hours_per_month=730.0)
    assert costs.storage(run)[1, 0, 0] == pytest.approx(100.0 * months)
