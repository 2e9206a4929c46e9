"""Requests of a batch answered in the engine's container, without a service."""
