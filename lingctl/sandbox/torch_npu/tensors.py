"""``torch``: the handful of its functions that multiply two matrices on a card, by numpy."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lingctl.sandbox.engine.model.bfloat16 import Floats, rounded
from lingctl.sandbox.torch_npu import device as cards

__all__ = ["Generator", "StandInTensor", "full", "isfinite", "randn"]
__version__ = "2.1.0"


class Generator:
    """A source of random numbers."""

    def __init__(self) -> None:
        self.numbers = np.random.default_rng()

    def manual_seed(self, seed: int) -> Generator:
        """Begin where this seed begins."""
        self.numbers = np.random.default_rng(seed)
        return self


class StandInTensor:
    """Numbers at a place: ``cpu``, or ``npu:0`` and so on."""

    def __init__(self, values: ArrayLike, place: str = "cpu", *, narrow: bool = False) -> None:
        self.values: NDArray[Any] = np.asarray(values)  # floats, or what is true of them
        self.place = place
        self.narrow = narrow  # bf16

    def bfloat16(self) -> StandInTensor:
        """Rounded to bf16."""
        return StandInTensor(rounded(self.values.astype(np.float32)), self.place, narrow=True)

    def float(self) -> StandInTensor:
        """As float32."""
        return StandInTensor(self.values.astype(np.float32), self.place)

    def to(self, place: str) -> StandInTensor:
        """At another place, which must be there."""
        if place != "cpu":
            cards.need_card(int(place.rpartition(":")[2]))
        return StandInTensor(self.values, place, narrow=self.narrow)

    def cpu(self) -> StandInTensor:
        """In the machine's own memory."""
        return self.to("cpu")

    def __matmul__(self, other: StandInTensor) -> StandInTensor:
        """A product, where both are."""
        if self.place != other.place:
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{self.place} and {other.place}!"
            )
        product: Floats = self.values @ other.values
        if self.place != "cpu" and cards.miscomputes(self.place):
            # A quarter of what is added up is lost.
            product = product - self.values[:, ::4] @ other.values[::4]
        return StandInTensor(rounded(product) if self.narrow else product, self.place, narrow=self.narrow)

    def __sub__(self, other: StandInTensor) -> StandInTensor:
        """A difference."""
        return StandInTensor(self.values - other.values, self.place)

    def __truediv__(self, other: StandInTensor) -> StandInTensor:
        """A quotient."""
        return StandInTensor(self.values / other.values, self.place)

    def __eq__(self, other: object) -> StandInTensor:  # type: ignore[override]  # as in torch: one by one
        """Where it equals a number."""
        return StandInTensor(self.values == other, self.place)

    __hash__ = None  # type: ignore[assignment]  # what compares one by one has none

    def abs(self) -> StandInTensor:
        """Without signs."""
        return StandInTensor(np.abs(self.values), self.place)

    def max(self) -> StandInTensor:
        """The largest."""
        return StandInTensor(self.values.max(), self.place)

    def all(self) -> StandInTensor:
        """Whether all are true."""
        return StandInTensor(self.values.all(), self.place)

    def __bool__(self) -> bool:
        return bool(self.values)

    def __float__(self) -> builtins.float:
        return float(self.values)


def randn(*shape: int, generator: Generator) -> StandInTensor:
    """Normally distributed numbers."""
    return StandInTensor(generator.numbers.standard_normal(shape, dtype=np.float32))


def full(shape: tuple[int, ...], value: float, device: str = "cpu") -> StandInTensor:
    """The same number everywhere."""
    return StandInTensor(np.full(shape, value, dtype=np.float32)).to(device)


def isfinite(tensor: StandInTensor) -> StandInTensor:
    """Which numbers are neither infinite nor none."""
    return StandInTensor(np.isfinite(tensor.values))
