"""Dated facts with their sources: a row type for each table, beside its CSV."""
