"""Conversion of PyTorch checkpoints to safetensors at the speed of copying, in constant memory."""
