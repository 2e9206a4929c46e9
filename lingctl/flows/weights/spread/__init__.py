"""Weights from node to node: who gives to whom, and the way from this machine."""
