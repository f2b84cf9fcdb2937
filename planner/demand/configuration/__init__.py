"""Configurations: what a model's ``config.json`` says of its architecture and number formats."""

from planner.demand.configuration.reading import architecture_from_config

__all__ = ["architecture_from_config"]
