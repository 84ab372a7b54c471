"""The first phase of a turn shows nothing in Python."""
