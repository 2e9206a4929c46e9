"""Files from a hub: its own client library, in a process of its own."""
