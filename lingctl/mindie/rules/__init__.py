"""What MindIE asks of config.json and the rank table, version by version, as rules that are data; pure."""
