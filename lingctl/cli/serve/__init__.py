"""The verbs that ask a running service."""
