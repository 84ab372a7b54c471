"""Order flow shows nothing in Python; Signals.read() has its figures."""
