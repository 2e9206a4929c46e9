"""Many requests of a file to a running service: what they are, how each is asked, what came of them."""
