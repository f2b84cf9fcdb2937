"""Fleets of one shape of work at many sizes at once, as arrays of machines by sizes."""
