"""The one length of a month."""

from __future__ import annotations

HOURS_PER_MONTH = 730.0
"""Clock hours of a mean month, 8,760 / 12."""
