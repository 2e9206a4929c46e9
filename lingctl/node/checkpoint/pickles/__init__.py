"""The pickle in a checkpoint, read as data: nothing of it is run."""
