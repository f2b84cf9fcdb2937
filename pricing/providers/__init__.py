"""The providers, each behind an adapter of two functions: fetch and normalise."""
