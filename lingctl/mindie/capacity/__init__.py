"""Whether a model fits the cards, and what is said of it."""
