"""What the daemon reads before it starts: config.json, rank table, environment, and their rules."""
