"""What must agree between nodes: versions, clocks, files."""
