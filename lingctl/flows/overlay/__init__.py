"""The overlay in the trees of MindIE."""
