"""What vLLM's words mean."""
