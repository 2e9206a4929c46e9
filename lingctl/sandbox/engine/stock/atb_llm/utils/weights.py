"""Reader of weights: its names only, the emulated engine reads them elsewhere."""

from __future__ import annotations


class Weights:
    """The tensors of a folder's safetensors files."""

    def __init__(self) -> None:
        self.aliases: dict[str, list[str]] = {}
        self.routing: dict[str, str] = {}

    def get_shape(self, tensor_name: str) -> list[int]:
        """The shape of a tensor."""
        raise NotImplementedError

    def get_whole_tensor(self, tensor_name: str, dim: int) -> object:
        """A whole tensor."""
        raise NotImplementedError

    def _get_slice(self, tensor_name: str) -> object:
        raise NotImplementedError
