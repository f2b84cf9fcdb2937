"""Measured serving rows, and what the formulas predict for them."""
