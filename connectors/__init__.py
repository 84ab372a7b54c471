"""Venue edges: bytes to events, action batches to bytes."""
