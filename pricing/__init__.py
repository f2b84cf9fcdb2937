"""The knowing half: dated, sourced facts and how they are gathered.

The names below are the public face for use from Python (``docs/python.md``); each is imported when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pricing.catalog import Catalog
    from pricing.facts.offers import Offer
    from pricing.loading import load as load_catalog

__all__ = ["Catalog", "Offer", "load_catalog"]

_HOME = {
    "Catalog": ("pricing.catalog", "Catalog"),
    "Offer": ("pricing.facts.offers", "Offer"),
    "load_catalog": ("pricing.loading", "load"),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that ``import pricing`` stays cheap."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, here = _HOME[name]
    value: object = getattr(import_module(module), here)
    globals()[name] = value
    return value
