"""Scenarios: their schema, their costs and their answer, without a model of the work."""
