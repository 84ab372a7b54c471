"""Python face of the planner's steps: none."""
