"""Bringing weights onto this machine: from a hub, another node or a folder; verified before use."""
