"""The answer proof: what a service says, held against the reference."""
