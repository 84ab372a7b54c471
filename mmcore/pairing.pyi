"""Python face of the pairing: none; the planner uses it."""
