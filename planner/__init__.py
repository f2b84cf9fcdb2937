"""The reasoning half: draws conclusions from facts and assumptions that are handed to it."""
