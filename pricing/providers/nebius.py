"""Nebius: prices as gpuhunt publishes them."""

from __future__ import annotations

from pricing.providers.gpuhunt_catalog import published

PROVIDER = published("nebius")
