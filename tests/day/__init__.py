"""The day of an operator: some sixty commands at 80 columns and 24 lines, and what the screen shows."""
