"""Fault simulation: the whole maker against the whole exchange, in virtual time, by a seed."""
