"""Deribit on the wire: messages, feed, encoding, session, client."""
