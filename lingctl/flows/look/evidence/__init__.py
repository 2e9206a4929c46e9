"""The evidence of a failure, from the nodes into one file."""
