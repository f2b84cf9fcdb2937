"""The JSON of a plan as types, which its JSON Schema is derived from."""
