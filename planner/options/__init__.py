"""The ways to get the work done: rented, owned, hosted, free, or on plain processors."""
