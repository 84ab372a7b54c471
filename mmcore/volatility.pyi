"""The windows show nothing in Python; Signals.read() has their figures."""
