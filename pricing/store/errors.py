"""Errors of the store: each one the user can mend."""

from __future__ import annotations

from pricing.errors import PricingError


class StoreError(PricingError):
    """A store that cannot be opened, read or written."""

    code = "store"


class StoreVersionError(StoreError):
    """A store of another schema version, or a database that is no store of ours."""

    code = "store_version"


class StoreBusyError(StoreError):
    """A store that another program kept locked for too long."""

    code = "store_busy"


class NoPricesError(PricingError):
    """No price, or none young enough, to answer from."""

    code = "no_prices"
    exit_status = 4
