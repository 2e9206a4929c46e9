"""status: what runs on every node, once or again and again, and what to type."""
