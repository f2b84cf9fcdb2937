"""What machines can do for the work, and how many it takes."""
