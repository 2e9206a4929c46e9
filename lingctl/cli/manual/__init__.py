"""What the command line says of itself: help, examples, usage errors, completion."""
