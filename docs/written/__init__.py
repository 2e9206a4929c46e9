"""Pages of docs/reference that the code itself tells."""
