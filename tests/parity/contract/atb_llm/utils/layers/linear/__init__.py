"""Linears: a weight, and whether it is stored as [out, in] or [in, out]."""

import torch
from torch import nn

from atb_llm.utils.quantize.pack_type import TransposeType


class FastLinear(nn.Module):
    """An unquantised linear; stored as [in, out] where that suits the matrix unit better."""

    def __init__(self, weight, bias=None):
        super().__init__()
        if weight.dtype not in (torch.float16, torch.bfloat16):
            raise ValueError("linear type not matched")
        out, width = weight.shape[-2:]
        turned = weight.dim() == 2 and width % 256 != 0 and out % 256 == 0
        self.trans_flag = TransposeType.NOT_TRANSPOSE if turned else TransposeType.TRANSPOSE
        self.weight = nn.Parameter(weight.t().contiguous() if turned else weight, requires_grad=False)
        self.bias = bias

    @classmethod
    def load(cls, prefix, weights, bias):
        """The whole weight."""
        return cls(weights.get_tensor(f"{prefix}.weight"))


def get_linear(weight, bias, quantize, inter_type=None, **kwargs):
    """The linear for that kind of quantisation."""
    if quantize is not None:
        raise AssertionError(f"Quantization `{quantize}` is not implemented")
    return FastLinear(weight, bias)


class SuperLayer(nn.Module):
    """Holds a linear."""

    def __init__(self, linear):
        super().__init__()
        self.linear = linear


class TensorParallelColumnLinear(SuperLayer):
    """This rank's rows."""

    @classmethod
    def load_moe(cls, config, prefix_list, weights, bias):
        """Experts stacked to [experts, out, in]."""
        parts = [weights.get_multi_weights_col(names, quantize=None, dim=0) for names in prefix_list]
        return cls(get_linear(torch.stack(parts), None, None))


class TensorParallelRowLinear(SuperLayer):
    """This rank's columns."""

    def __init__(self, linear, process_group):
        super().__init__(linear)
        self.process_group = process_group

    @classmethod
    def load(cls, config, prefix, weights, bias, gqa_size=1):
        """From the checkpoint."""
        weight = weights.get_multi_weights_row(prefix, quantize=None, gqa_size=gqa_size)
        return cls(get_linear(weight, None, None), weights.process_group)

    @classmethod
    def load_moe(cls, config, prefix_list, process_group, weights, bias):
        """Experts stacked to [experts, out, in]."""
        parts = [weights.get_multi_weights_row(name, quantize=None) for name in prefix_list]
        return cls(get_linear(torch.stack(parts), None, None), process_group)


class TensorParallelHead(SuperLayer):
    """This rank's part of the vocabulary."""

    def __init__(self, linear, process_group, should_gather):
        super().__init__(linear)
        self.process_group, self.should_gather = process_group, should_gather
