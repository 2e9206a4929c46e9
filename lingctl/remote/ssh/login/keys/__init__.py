"""Our own keys: of files and of the agent."""
