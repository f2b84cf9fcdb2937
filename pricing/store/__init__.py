"""Dated facts over years: changes only, with a log of what was asked."""
