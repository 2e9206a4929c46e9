"""What vLLM reads beside its command line: the model's own files."""
