"""What a person types to gather, see and schedule prices."""
