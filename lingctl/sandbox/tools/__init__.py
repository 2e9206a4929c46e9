"""Emulated host tools. Standard library only, so that each starts in about 20 ms."""
