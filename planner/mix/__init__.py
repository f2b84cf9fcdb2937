"""A mix: owned, committed, spot and on-demand capacity for an hourly demand curve."""
