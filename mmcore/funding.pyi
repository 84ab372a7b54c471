"""Python face of funding: none."""
