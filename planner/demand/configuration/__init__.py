"""Hugging Face ``config.json`` files, read into an `Architecture` without any library of theirs."""

from planner.demand.configuration.reading import architecture_from_config

__all__ = ["architecture_from_config"]
