"""Providers: one module per cloud, each `fetch` (all the asking), `normalize` (pure) and `PROVIDER`."""

from __future__ import annotations

import importlib
from typing import Final

from pricing.errors import PricingError
from pricing.providers.contract import Provider

__all__ = ["PROVIDERS", "load_provider"]

PROVIDERS: Final[dict[str, str]] = {
    "aws": "pricing.providers.aws",
    "gcp": "pricing.providers.gcp",
    "azure": "pricing.providers.azure",
    "runpod": "pricing.providers.runpod",
    "lambda": "pricing.providers.lambda_cloud",
    "verda": "pricing.providers.verda",
    "oci": "pricing.providers.oci",
    "vultr": "pricing.providers.vultr",
    "vast": "pricing.providers.vast",
    "hyperstack": "pricing.providers.hyperstack",
    "digitalocean": "pricing.providers.digitalocean",
    "scaleway": "pricing.providers.scaleway",
    "nebius": "pricing.providers.catalogs:NEBIUS",
    "cloudrift": "pricing.providers.catalogs:CLOUDRIFT",
    "rate_card": "pricing.providers.rate_card",
}
"""Name to module, whose adapter is called ``PROVIDER`` or as stands behind a colon; imported when it is asked, its SDK when it asks."""


def load_provider(name: str) -> Provider:
    """Return one provider's adapter.

    Raises
    ------
    PricingError
        Where the name is none of `PROVIDERS`.
    """
    if name not in PROVIDERS:
        raise PricingError(f"no adapter for the provider {name!r}", hint=f"known: {', '.join(PROVIDERS)}")
    module, _, attribute = PROVIDERS[name].partition(":")
    provider = getattr(importlib.import_module(module), attribute or "PROVIDER")
    assert isinstance(provider, Provider)
    return provider
