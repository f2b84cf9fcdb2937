"""Measured memory rows, and what the formulas predict for them."""
