"""Whether a model fits the cards, by vLLM's own arithmetic."""
