"""Readers of what comes from elsewhere, fed with input that nobody would send on purpose: ``make fuzz``."""
