"""Reactions show nothing in Python; Market.why() has their effect."""
