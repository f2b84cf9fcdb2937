"""Fits: the constants of the performance model, out of measured rows."""
