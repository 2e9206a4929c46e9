"""What each path takes: one module per dialect, each with the order of its checks and their words."""
