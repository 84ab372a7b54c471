"""Python face of standing decisions: none; a turn uses them."""
