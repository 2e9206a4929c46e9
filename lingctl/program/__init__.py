"""lingctl's own program on a node (lingctl.node): what it answers, read in one place."""
