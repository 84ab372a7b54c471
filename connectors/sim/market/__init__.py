"""Who else trades on the embedded exchange: recorded and synthetic participants."""
