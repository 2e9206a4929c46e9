"""The few things a state dict's pickle may name and call, and what they give here: descriptions only.

Source: torch/_utils.py and torch/serialization.py, torch 1.6 to 2.13.
"""

from __future__ import annotations

from typing import Callable, Dict, Sequence, Tuple

from lingctl.node.checkpoint.dtypes import BY_NAME, BY_STORAGE_CLASS, Dtype
from lingctl.node.checkpoint.pickles.stand_ins import Global, Mapping, Storage, Tensor
from lingctl.node.trouble import Trouble

_MOST_DIMENSIONS = 64
_MOST = 2**63 - 1


def known(name: Global) -> bool:
    """Whether a state dict needs this name."""
    return name in _CALLS or is_storage_class(name) or is_dtype(name)


def is_storage_class(name: Global) -> bool:
    """Whether it names a class of storage."""
    return name.module in ("torch", "torch.storage") and name.name in BY_STORAGE_CLASS


def is_dtype(name: Global) -> bool:
    """Whether it names an element type."""
    return name.module == "torch" and name.name in BY_NAME


def call(function: object, arguments: object) -> object:
    """What calling a known name gives.

    Raises:
        Trouble: not a known function, or arguments it cannot have.
    """
    if not isinstance(function, Global) or function not in _CALLS:
        what = function.full if isinstance(function, Global) else type(function).__name__
        raise refused(f"calls {what}")
    if not isinstance(arguments, tuple):
        raise malformed(f"{function.full} is called without arguments")
    return _CALLS[function](arguments)


def storage(identity: object) -> Storage:
    """The storage of a persistent id ``('storage', class, key, location, count)``."""
    if not (isinstance(identity, tuple) and len(identity) == 5 and identity[0] == "storage"):
        raise malformed("a persistent id is not that of a storage")
    _, kind, key, _location, count = identity
    if not (isinstance(kind, Global) and is_storage_class(kind)):
        # Never its repr: a tuple that holds itself twice, many times over, has one without end.
        raise refused(
            f"has a storage of class {kind.full if isinstance(kind, Global) else type(kind).__name__}"
        )
    if not isinstance(key, str) or not _count(count):
        raise malformed("a storage has no key or no size")
    dtype = BY_STORAGE_CLASS[kind.name]
    return Storage(key, dtype, count * dtype.size)


def refused(what: str) -> Trouble:
    """The pickle asks for something that no state dict needs."""
    return Trouble(
        f"the checkpoint {what}: refused, nothing of it was executed",
        remedy="ask its publisher for safetensors, or save it again as a plain state dict of tensors",
        code="pickle-refused",
    )


def malformed(what: str) -> Trouble:
    """The pickle contradicts itself."""
    return Trouble(f"malformed pickle: {what}", code="pickle-malformed")


def _tensor_v2(arguments: Sequence[object]) -> object:
    if len(arguments) not in (6, 7):
        raise malformed(f"_rebuild_tensor_v2 with {len(arguments)} arguments")
    base = arguments[0]
    if not isinstance(base, Storage):
        raise malformed("a tensor without storage")
    _plain(arguments[6:])
    return _view(base, base.dtype, arguments[1], arguments[2], arguments[3])


def _tensor_v3(arguments: Sequence[object]) -> object:
    if len(arguments) not in (7, 8):
        raise malformed(f"_rebuild_tensor_v3 with {len(arguments)} arguments")
    base, dtype = arguments[0], arguments[6]
    if not isinstance(base, Storage):
        raise malformed("a tensor without storage")
    if not (isinstance(dtype, Global) and is_dtype(dtype)):
        raise malformed("a tensor without element type")
    _plain(arguments[7:])
    return _view(base, BY_NAME[dtype.name], arguments[1], arguments[2], arguments[3])


def _plain(metadata: Sequence[object]) -> None:
    """Lazy conjugation or negation would change values on the way: the bytes are not the tensor."""
    for entry in metadata:
        flags = entry if isinstance(entry, Mapping) else {}
        if any(flags.values()):
            raise refused(
                f"has a tensor with pending operations ({', '.join(str(flag)[:40] for flag in flags)})"
            )


def _view(base: Storage, dtype: Dtype, offset: object, shape: object, strides: object) -> Tensor:
    sizes, steps = _counts(shape), _counts(strides)
    if not isinstance(offset, int) or not _count(offset) or len(sizes) != len(steps):
        raise malformed("a tensor whose offset, size or stride cannot be")
    return Tensor(base, dtype, offset, sizes, steps)


def _parameter(arguments: Sequence[object]) -> object:
    if not arguments or not isinstance(arguments[0], Tensor):
        raise malformed("a Parameter without tensor")
    return arguments[0]


def _size(arguments: Sequence[object]) -> object:
    return _counts(arguments[0] if arguments else ())


def _ordered_dict(arguments: Sequence[object]) -> object:
    if any(arguments):
        raise refused("builds an OrderedDict from a list of pairs")
    return Mapping()


def _count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MOST


def _counts(values: object) -> Tuple[int, ...]:
    if (
        not isinstance(values, (tuple, list))
        or len(values) > _MOST_DIMENSIONS
        or not all(map(_count, values))
    ):
        raise malformed("a size or stride that cannot be")
    return tuple(values)


_CALLS: Dict[Global, Callable[[Sequence[object]], object]] = {
    Global("torch._utils", "_rebuild_tensor_v2"): _tensor_v2,
    Global("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
    Global("torch._utils", "_rebuild_parameter"): _parameter,
    Global("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    Global("torch", "Size"): _size,
    Global("collections", "OrderedDict"): _ordered_dict,
}
