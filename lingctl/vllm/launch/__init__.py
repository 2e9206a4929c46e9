"""How vLLM is started on a node: container, environment, command line, how the model is cut."""
