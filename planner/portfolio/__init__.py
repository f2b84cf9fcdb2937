"""Portfolio: many workloads against the whole catalogue, one verdict each; equal shapes of work are worked out once."""
