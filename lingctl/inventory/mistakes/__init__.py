"""What is wrong with hosts.yaml, in words."""
