"""Reads a checkpoint's tensors, whole or this rank's part."""

from enum import Enum
from pathlib import Path

import torch
from safetensors import safe_open


class ProcessGroupType(Enum):
    """Kinds of layers that may have a process group of their own; 1.0.0 has no such type."""

    ATTN = "attn"
    MLP = "mlp"
    LM_HEAD = "lm_head"


class Weights:
    """The tensors of a folder's safetensors files."""

    def __init__(self, model_name_or_path, device, dtype, process_group, aliases=None, mapping=None):
        self.device, self.dtype, self.process_group = device, dtype, process_group
        self.aliases = {} if aliases is None else aliases
        self.mapping, self.quantize, self.sharded = mapping, None, False
        self._handles = [
            safe_open(path, framework="pt") for path in sorted(Path(model_name_or_path).glob("*.safetensors"))
        ]
        self.routing = {key: handle for handle in self._handles for key in handle.keys()}  # noqa: SIM118

    def switch_process_group(self, process_group_type):
        """All kinds share one group here."""
        if not isinstance(process_group_type, ProcessGroupType):
            raise ValueError(f"process group {process_group_type}")

    def _get_slice(self, tensor_name):
        for name in (tensor_name, *self.aliases.get(tensor_name, [])):
            if name in self.routing:
                return self.routing[name].get_slice(name)
        raise AssertionError(f"weight {tensor_name} does not exist")

    def get_shape(self, tensor_name):
        """The shape of a tensor."""
        return self._get_slice(tensor_name).get_shape()

    def get_tensor(self, tensor_name):
        """A whole tensor."""
        return self._get_slice(tensor_name)[:].to(self.dtype)

    def get_whole_tensor(self, tensor_name, dim):
        """A whole tensor."""
        return self.get_tensor(tensor_name)

    def get_sharded(self, tensor_name, dim, gqa_size=1):
        """This rank's part; heads of ``gqa_size`` rows are repeated where ranks are more."""
        part = self._get_slice(tensor_name)
        size, ranks, rank = part.get_shape()[dim], self.process_group.size(), self.process_group.rank()
        groups = size // gqa_size
        if groups % ranks and ranks % groups:
            raise AssertionError(f"{tensor_name}: {size} does not divide by {ranks}")
        width = size // ranks if groups >= ranks else gqa_size
        start = (rank if groups >= ranks else rank * groups // ranks) * width
        rows = part[start : start + width] if dim == 0 else part[:, start : start + width]
        return rows.to(self.dtype)

    def get_multi_weights_col(self, prefixes, quantize, dim, gqa_size=1):
        """This rank's rows of several tensors, one under the other."""
        return torch.cat([self.get_sharded(f"{name}.weight", 0, gqa_size) for name in prefixes])

    def get_multi_weights_row(self, prefix, quantize, gqa_size=1, dim=1):
        """This rank's columns of a tensor."""
        return self.get_sharded(f"{prefix}.weight", 1, gqa_size)
