"""The quoting model shows nothing in Python."""
