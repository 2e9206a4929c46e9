"""HTTP listeners and their connections."""
