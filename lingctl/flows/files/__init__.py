"""What is written here: MindIE's files, estimates, bundles."""
