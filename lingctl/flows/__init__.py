"""What each verb does, in words an operator would use."""
