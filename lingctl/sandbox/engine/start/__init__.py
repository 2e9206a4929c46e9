"""From the command to a loaded engine."""
