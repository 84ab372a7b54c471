"""The embedded exchange: a pure core with a direct and a wire front."""
