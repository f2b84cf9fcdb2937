"""How sure a choice is: assumptions drawn within their ranges, and the plan's own formulas at each draw."""
