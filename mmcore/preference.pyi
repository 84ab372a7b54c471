"""Python face of preference: none."""
