"""Second opinion."""
