"""Money over time: renting, owning, paying per token, and where they cross."""
