"""What a run came to, as a page a desk would print: figures, plots, caveats."""
