"""What the daemon says at its start, of a request, and at its end."""
