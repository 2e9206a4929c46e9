"""Reads what a PyTorch checkpoint file says about its tensors, without executing anything of it."""
