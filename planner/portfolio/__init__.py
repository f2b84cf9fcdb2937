"""Portfolio: many workloads against the whole catalog, one verdict each; equal shapes of work are worked out once."""
