"""Time: the only place that asks what time it is, and the one length of a month."""

from __future__ import annotations

from datetime import UTC, date, datetime

HOURS_PER_MONTH = 730.0
"""Clock hours of a mean month, 8,760 / 12."""
SECONDS_PER_DAY = 86_400.0


def utc_now() -> datetime:
    """Return the time as the store keeps it: UTC, without zone, to the microsecond."""
    return datetime.now(UTC).replace(tzinfo=None)


def today() -> date:
    """Return the day where the reader is, by which files are named."""
    return datetime.now().astimezone().date()
