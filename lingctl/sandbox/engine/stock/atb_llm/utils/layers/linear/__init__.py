"""Linears: their names only, the emulated engine computes elsewhere."""

from __future__ import annotations


class TensorParallelColumnLinear:
    """This rank's rows."""


class TensorParallelRowLinear:
    """This rank's columns."""


def get_linear(weight: object, bias: object, quantize: str | None) -> object:
    """The linear for that kind of quantisation."""
    raise NotImplementedError
