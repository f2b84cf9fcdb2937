"""``python -m pricing``: the scheduled half alone."""

from __future__ import annotations

import sys

from pricing.commands.prices import prices
from pricing.commands.runner import run

if __name__ == "__main__":
    sys.exit(run(prices, name="python -m pricing"))
