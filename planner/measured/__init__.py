"""Measured rows: published or the user's own, read from tables and predicted by the same formulas that plan."""
