"""What is gathered of a node, and what is taken out of it before anybody else reads it."""
