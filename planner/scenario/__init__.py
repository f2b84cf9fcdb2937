"""A scenario: rent against buy from prices and hours that a user states, with no model of the work."""
