"""The verbs that check cards and network."""
