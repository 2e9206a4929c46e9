"""What goes to a node and what comes back, as bytes and lines."""
