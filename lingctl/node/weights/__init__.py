"""What a folder of weights holds, whether it is whole, and whether MindIE may read it."""
