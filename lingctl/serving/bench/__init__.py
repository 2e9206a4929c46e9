"""The load generator: sends requests, stamps what arrives, and keeps out of the measurement's way."""
