"""The verbs about models and their weights."""
