"""What a configuration is worth: figures with their uncertainty, and the naive baseline."""
