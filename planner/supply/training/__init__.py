"""Training: memory, the time of a step, and how many machines a job takes."""
