"""The files that MindIE reads: its config.json, the model's config.json, the rank table."""
