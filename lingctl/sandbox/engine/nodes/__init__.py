"""Several nodes as one engine: HCCL's start, the world of ranks, the slaves."""
