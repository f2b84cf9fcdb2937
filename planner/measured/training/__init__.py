"""Measured training rows, and what the formulas predict for them."""
