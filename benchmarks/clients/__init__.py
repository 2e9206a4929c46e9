"""Other published clients, and a server that paces tokens by the clock: see compare_clients.py."""
