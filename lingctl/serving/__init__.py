"""Talks HTTP to the service: client, readiness, smoke test, benchmark. Never prints."""
