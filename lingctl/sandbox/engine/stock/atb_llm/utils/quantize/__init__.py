"""Kinds of quantisation."""
