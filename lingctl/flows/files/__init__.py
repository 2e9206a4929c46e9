"""What is written here: files that deploy would send, estimates, bundles."""
