"""What the daemon finds and takes on its machine: cards, processes, shared memory."""
