"""The model itself: from the checkpoint's tensors to the next token."""
