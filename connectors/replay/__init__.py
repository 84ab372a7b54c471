"""Recordings and journals as events in local-time order."""
