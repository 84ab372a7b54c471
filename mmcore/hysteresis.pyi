"""Python face of the hysteresis: none; the planner uses it."""
