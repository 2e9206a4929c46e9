"""Bringing weights to this machine and to nodes: what is wanted, from where, and with which client."""
