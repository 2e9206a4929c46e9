"""The Ling models: the table of the known ones, and what a config.json says."""
