"""The ladder shows nothing in Python; face.compute_quotes() has its prices and amounts."""
