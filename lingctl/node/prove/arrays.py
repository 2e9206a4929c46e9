"""The few operations that the reference needs, by torch or by numpy: whichever is there.

Each product is computed by one thread: the libraries' own threads wait by spinning, which beside a service
costs several times what it gains (measured: a product of 66 rows took 5 ms of one thread, and 17 to 37 ms of
two on a busy machine). Experts are computed side by side instead.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, List, Sequence, Tuple

from lingctl.node.trouble import Trouble

# Of numpy or torch, which are not installed where types are checked for a node.
Array = Any

_HIDDEN = float("-inf")


def _one_thread() -> None:
    """To be called before a library is loaded, which reads these once."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


class NumpyArrays:
    """By numpy."""

    def __init__(self) -> None:
        _one_thread()
        self._np: Any = importlib.import_module("numpy")
        self.name = f"numpy {self._np.__version__}"

    def widen(self, data: bytearray, dtype: str, shape: Sequence[int]) -> Array:
        """Stored numbers (``BF16``, ``F16`` or ``F32``) as float32."""
        np = self._np
        if dtype == "BF16":
            wide = np.frombuffer(data, dtype=np.uint16).astype(np.uint32)
            wide <<= np.uint32(16)
            return wide.view(np.float32).reshape(shape)
        stored = np.frombuffer(data, dtype=np.float16 if dtype == "F16" else np.float32)
        return stored.astype(np.float32, copy=False).reshape(shape)

    def rounded(self, x: Array) -> Array:
        """Each number as bfloat16 keeps it: rounded to the nearest, ties to the even one."""
        np = self._np
        bits = np.ascontiguousarray(x, dtype=np.float32).view(np.uint32)
        odd = (bits >> np.uint32(16)) & np.uint32(1)
        return ((bits + (odd + np.uint32(0x7FFF))) & np.uint32(0xFFFF0000)).view(np.float32)

    def floats(self, rows: Sequence[Sequence[float]]) -> Array:
        """A table of float32."""
        return self._np.asarray(rows, dtype=self._np.float32)

    def zeros(self, *shape: int) -> Array:
        """Float32 zeros."""
        return self._np.zeros(shape, dtype=self._np.float32)

    def joined(self, parts: Sequence[Array], axis: int = 0) -> Array:
        """One behind another along an axis."""
        return self._np.concatenate(list(parts), axis=axis)

    def moved(self, x: Array, *axes: int) -> Array:
        """With its axes in another order."""
        return self._np.transpose(x, axes)

    def softmax(self, x: Array) -> Array:
        """Along the last axis."""
        np = self._np
        grown = np.exp(x - x.max(axis=-1, keepdims=True))
        return grown / grown.sum(axis=-1, keepdims=True)

    def silu(self, x: Array) -> Array:
        """``x * sigmoid(x)``."""
        np = self._np
        with np.errstate(over="ignore"):
            return x / (np.float32(1) + np.exp(-x))

    def hide_future(self, scores: Array, first: int) -> Array:
        """Scores [..., queries, keys] without keys behind their query; ``first`` is the first query."""
        np = self._np
        queries, keys = scores.shape[-2:]
        later = np.arange(keys)[None, :] > np.arange(first, first + queries)[:, None]
        return np.where(later, np.float32(_HIDDEN), scores)

    def top(self, x: Array, count: int) -> Tuple[Array, Array]:
        """The largest of each row and their places, the largest first."""
        np = self._np
        count = min(count, x.shape[-1])
        some = np.argpartition(-x, count - 1, axis=-1)[:, :count]
        values = np.take_along_axis(x, some, axis=-1)
        order = np.argsort(-values, axis=-1, kind="stable")
        return np.take_along_axis(values, order, axis=-1), np.take_along_axis(some, order, axis=-1)

    def picked(self, x: Array, columns: Array) -> Array:
        """Of each row, those columns of it."""
        return self._np.take_along_axis(x, columns, axis=-1)

    def squares(self, x: Array) -> Array:
        """The sum of squares of each column, in float64."""
        np = self._np
        wide = x.astype(np.float64)
        return np.einsum("ij,ij->j", wide, wide)

    def log_sums(self, x: Array) -> List[float]:
        """The logarithm of the sum of exponentials of each row, in float64."""
        np = self._np
        most = x.max(axis=-1)
        grown = np.exp((x - most[:, None]).astype(np.float64)).sum(axis=-1)
        return [float(one) for one in np.log(grown) + most]


class TorchArrays:
    """By torch, on the processor."""

    def __init__(self) -> None:
        _one_thread()
        # Where torch_npu is installed too, loading it would open the cards.
        os.environ.setdefault("TORCH_DEVICE_BACKEND_AUTOLOAD", "0")
        self._torch: Any = importlib.import_module("torch")
        self._torch.set_grad_enabled(False)
        self._torch.set_num_threads(1)
        self.name = f"torch {self._torch.__version__}"

    def widen(self, data: bytearray, dtype: str, shape: Sequence[int]) -> Array:
        """See ``NumpyArrays``; so for all others."""
        torch = self._torch
        kind = {"BF16": torch.bfloat16, "F16": torch.float16, "F32": torch.float32}[dtype]
        return torch.frombuffer(data, dtype=kind).reshape(tuple(shape)).to(torch.float32)

    def rounded(self, x: Array) -> Array:  # noqa: D102  (as above)
        return x.to(self._torch.bfloat16).to(self._torch.float32)

    def floats(self, rows: Sequence[Sequence[float]]) -> Array:  # noqa: D102  (as above)
        return self._torch.tensor(rows, dtype=self._torch.float32)

    def zeros(self, *shape: int) -> Array:  # noqa: D102  (as above)
        return self._torch.zeros(shape, dtype=self._torch.float32)

    def joined(self, parts: Sequence[Array], axis: int = 0) -> Array:  # noqa: D102  (as above)
        return self._torch.cat(list(parts), dim=axis)

    def moved(self, x: Array, *axes: int) -> Array:  # noqa: D102  (as above)
        return x.permute(*axes)

    def softmax(self, x: Array) -> Array:  # noqa: D102  (as above)
        return x.softmax(-1)

    def silu(self, x: Array) -> Array:  # noqa: D102  (as above)
        return self._torch.nn.functional.silu(x)

    def hide_future(self, scores: Array, first: int) -> Array:  # noqa: D102  (as above)
        torch = self._torch
        queries, keys = scores.shape[-2:]
        later = torch.arange(keys)[None, :] > torch.arange(first, first + queries)[:, None]
        return scores.masked_fill(later, _HIDDEN)

    def top(self, x: Array, count: int) -> Tuple[Array, Array]:  # noqa: D102  (as above)
        values, places = x.topk(min(count, x.shape[-1]), dim=-1)
        return values, places

    def picked(self, x: Array, columns: Array) -> Array:  # noqa: D102  (as above)
        return x.gather(-1, columns)

    def squares(self, x: Array) -> Array:  # noqa: D102  (as above)
        return x.to(self._torch.float64).pow(2).sum(0)

    def log_sums(self, x: Array) -> List[float]:  # noqa: D102  (as above)
        return [float(one) for one in x.to(self._torch.float64).logsumexp(-1)]


def find_arrays(wanted: str = "") -> Any:  # noqa: ANN401  (NumpyArrays or TorchArrays: mypy knows no union of them)
    """What is there, torch first: it widens stored numbers on all cores.

    Args:
        wanted: ``torch`` or ``numpy``, and no other.

    Raises:
        Trouble: neither can be imported.
    """
    failed = []
    for name, kind in (("torch", TorchArrays), ("numpy", NumpyArrays)):
        if wanted in ("", name):
            try:
                return kind()
            except (ImportError, OSError, RuntimeError) as error:
                failed.append(f"{name}: {error}")
    raise Trouble(
        "neither torch nor numpy can be imported, and plain Python would take weeks",
        where=sys.executable,
        evidence="\n".join(failed),
        code="prove-no-arrays",
    )
