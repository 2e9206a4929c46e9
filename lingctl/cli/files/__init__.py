"""The verbs that write files, or judge them."""
