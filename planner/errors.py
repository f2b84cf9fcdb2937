"""Errors of the reasoning half."""

from __future__ import annotations

from pricing.errors import GpuplanError


class PlanningError(GpuplanError):
    """A question that cannot be answered as it was put."""

    code = "planning"


class InputError(PlanningError):
    """A file or an option that the user has to correct; the message lists all faults."""

    code = "input"


class NothingFitsError(PlanningError):
    """No option meets the needs; the message carries the funnel that says where they were lost."""

    code = "nothing_fits"
    exit_status = 3
