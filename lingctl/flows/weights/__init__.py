"""Weights: fetched, spread, converted, verified."""
