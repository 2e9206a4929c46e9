"""What is asked of a service: the smoke test and the benchmark."""
