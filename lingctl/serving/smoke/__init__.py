"""The smoke test: its ladder, each rung's verdict, and whether a text is an answer."""
