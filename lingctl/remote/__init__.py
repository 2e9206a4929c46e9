"""Talking to one node and to many: commands, connections, probes."""
