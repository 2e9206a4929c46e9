"""What the words of vLLM's consoles mean. Pure."""
