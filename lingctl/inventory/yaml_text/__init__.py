"""hosts.yaml as text: its values with their places, and what only looks like YAML."""
