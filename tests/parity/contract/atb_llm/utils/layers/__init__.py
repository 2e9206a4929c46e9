"""Embedding, norm and rope; linears come from their own module."""

import torch
from torch import nn

from .linear import (
    TensorParallelColumnLinear,
    TensorParallelHead,
    TensorParallelRowLinear,
    get_linear,
)

__all__ = [
    "PositionRotaryEmbedding",
    "RMSNorm",
    "TensorEmbedding",
    "TensorParallelColumnLinear",
    "TensorParallelRowLinear",
    "get_linear",
    "load_column_multi",
]


class TensorEmbedding(nn.Module):
    """A replicated embedding with one row of zeros at the end."""

    def __init__(self, prefix, weights):
        super().__init__()
        weight = weights.get_whole_tensor(f"{prefix}.weight", dim=0)
        self.weight = nn.Parameter(nn.functional.pad(weight, (0, 0, 0, 1)))


class RMSNorm(nn.Module):
    """A norm's gain."""

    def __init__(self, prefix, weights, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(weights.get_tensor(f"{prefix}.weight"))
        self.variance_epsilon = eps


class PositionRotaryEmbedding(nn.Module):
    """Tables of cosine and sine, both halves alike."""

    def __init__(self, inv_freq, scaling_factor=1.0):
        super().__init__()
        self.inv_freq, self.scaling_factor = inv_freq, scaling_factor
        self._tables = None

    @classmethod
    def static(cls, dim, base, device, scaling_factor=1.0):
        """From the rope base."""
        exponents = torch.arange(0, dim, 2, device=device, dtype=torch.double) / dim
        return cls((1.0 / base**exponents).float(), scaling_factor)

    def update_cos_sin_cache_total(self, dtype, device, seqlen):
        """Make the tables."""
        angles = torch.outer(torch.arange(seqlen).float() / self.scaling_factor, self.inv_freq)
        angles = torch.cat([angles, angles], dim=-1)
        self._tables = angles.cos().to(dtype), angles.sin().to(dtype)

    def get_cos_cached_total(self):
        """[positions, width]."""
        return self._tables[0]

    def get_sin_cached_total(self):
        """[positions, width]."""
        return self._tables[1]


def load_column_multi(config, prefixes, weights, head_size, lm_head=False):
    """Several projections packed into one; the head is one of its own kind."""
    weight = weights.get_multi_weights_col(prefixes, quantize=None, dim=0, gqa_size=head_size)
    linear = get_linear(weight, None, None, inter_type=config.torch_dtype, prefixes=prefixes)
    if lm_head:
        return TensorParallelHead(linear, weights.process_group, should_gather=True)
    return TensorParallelColumnLinear(linear)
