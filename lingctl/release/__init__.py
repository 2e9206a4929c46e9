"""What a node should look like (Release), what it looks like (NodeState), and the Plan between the two."""
