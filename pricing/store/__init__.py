"""Dated prices: what changed, when, and which part of which source answered."""

from __future__ import annotations
