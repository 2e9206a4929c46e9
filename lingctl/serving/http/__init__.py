"""Asking a service over HTTP: an exchange, streams, the ways to ask for text and what answers mean."""
