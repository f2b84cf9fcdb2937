"""The reasoning half: draws conclusions from facts and assumptions that are handed to it."""

__version__ = "0.1.0"
