"""Traffic: requests as they really come, replicas that serve them step by step, and how long each request waits."""
