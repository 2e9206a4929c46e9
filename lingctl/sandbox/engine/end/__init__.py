"""How a daemon ends, by version."""
