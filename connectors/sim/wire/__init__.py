"""The embedded exchange as strangers see it: JSON-RPC over WebSocket."""
