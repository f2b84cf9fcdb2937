"""What a replay of traffic shows, as tables and as a page."""
