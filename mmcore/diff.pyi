"""The planner shows nothing in Python."""
