"""What the calls in a checkpoint's pickle give here: descriptions of tensors, plain containers, or an object
that is not looked into.

Source: torch/_utils.py, torch/_tensor.py and torch/serialization.py, torch 0.1 to 2.13;
torch_npu/utils/storage.py, 1.8 to 2.7; copyreg and collections of Python 2.7 and 3.
"""

from __future__ import annotations

from typing import Callable, Dict, Iterable, Optional, Sequence, Tuple

from lingctl.node.checkpoint.dtypes import BY_NAME, BY_STORAGE_CLASS, Dtype
from lingctl.node.checkpoint.pickles import names
from lingctl.node.checkpoint.pickles.stand_ins import Global, Mapping, Opaque, Storage, Tensor
from lingctl.node.checkpoint.refusals import malformed, refused

_MOST_DIMENSIONS = 64
_MOST = 2**63 - 1

# A tensor of another class is more than its bytes: a quantised one keeps its scale elsewhere.
_PLAIN_CLASSES = frozenset(
    [
        ("torch", "Tensor"),
        ("torch._tensor", "Tensor"),
        ("torch.tensor", "Tensor"),
        ("torch.nn.parameter", "Buffer"),
        ("torch.nn.parameter", "Parameter"),
    ]
)
_DICTS = frozenset(
    [
        ("builtins", "dict"),
        ("__builtin__", "dict"),
        ("collections", "OrderedDict"),
        ("collections", "defaultdict"),
    ]
)


def call(function: object, arguments: object) -> object:
    """What calling a name with a tuple of arguments gives.

    Raises:
        Trouble: it would run something, or the arguments are not those that it has.
    """
    if not isinstance(function, Global):
        raise refused(f"calls {describe(function)}")
    if not isinstance(arguments, tuple):
        raise malformed(f"{function.full} is called without arguments")
    if (function.module, function.name) in _DICTS:
        return _dict_of(function, arguments)
    build = _BUILDERS.get(function)
    if build is None and function.name == "_rebuild_npu_tensor" and function.module.startswith("torch_npu."):
        build = _NPU_TENSOR
    if build is not None:
        return build(arguments)
    if not names.may_be_called(function):
        raise refused(f"calls {function.full}")
    return Opaque(function.full, arguments)


def new(kind: object, arguments: object) -> object:
    """A new object of a class, made without calling the class. Raises Trouble: not a class."""
    if isinstance(kind, Global):
        if (kind.module, kind.name) in _DICTS or kind in _BUILDERS:
            return call(kind, arguments)
        # Only a class can be made an object of: a function's name here is an error, and no call.
        return Opaque(kind.full, (arguments,))
    raise refused(f"makes an object of {describe(kind)}")


def named_storage(kind: object, key: object, count: object) -> Tuple[str, Optional[Dtype], str, int]:
    """Key, element type, name of the class and bytes of a storage that a persistent id names."""
    dtype, name = storage_class(kind)
    if not isinstance(key, str) or not isinstance(count, int) or not _is_count(count):
        raise malformed("a storage has no key or no size")
    return key, dtype, name, count * dtype.size if dtype else 0


def sized(dtype: Optional[Dtype], name: str) -> Dtype:
    """The element type of a storage in the old formats. Raises Trouble: they do not tell its size."""
    if dtype is None:
        raise refused(f"has a {name}, which the old format does not tell the size of")
    return dtype


def storage_class(kind: object) -> Tuple[Optional[Dtype], str]:
    """Element type and name of a class of storages; None for those that hold no plain numbers."""
    if not (isinstance(kind, Global) and kind.module.partition(".")[0] in ("torch", "torch_npu")):
        # Never its repr: a tuple that holds itself twice, many times over, has one without end.
        raise refused(f"has a storage of class {describe(kind)}")
    if not kind.name.endswith("Storage"):
        raise refused(f"has a storage of class {kind.full}")
    return BY_STORAGE_CLASS.get(kind.name), kind.full


def describe(value: object) -> str:
    """What it is, in few words."""
    if isinstance(value, Global):
        return value.full
    if isinstance(value, Opaque):
        return value.what
    if isinstance(value, Tensor):
        return "a tensor"
    return "a dict" if isinstance(value, Mapping) else f"a {type(value).__name__}"


# Tensors


def view(base: object, dtype: Optional[Dtype], offset: object, shape: object, strides: object) -> object:
    """The tensor that is this view of a storage; ``dtype`` is None for that of the storage.

    Raises:
        Trouble: not a storage, or numbers that cannot be.
    """
    if isinstance(base, Opaque) and base.tensor:
        return base
    if not isinstance(base, Storage):
        raise malformed("a tensor without storage")
    sizes, steps = _counts(shape), _counts(strides)
    if not isinstance(offset, int) or not _is_count(offset) or len(sizes) != len(steps):
        raise malformed("a tensor whose offset, size or stride cannot be")
    return Tensor(base, dtype or base.dtype, offset, sizes, steps)


def _tensor(function: str, *counts: int) -> Callable[[Sequence[object]], object]:
    """A function of so many arguments that gives a view of a storage."""

    def build(arguments: Sequence[object]) -> object:
        base, offset, shape, strides = _some(arguments, function, *counts)[:4]
        return _pending(arguments[6:]) or view(base, None, offset, shape, strides)

    return build


# Behind the six of _rebuild_tensor_v2 comes the layout it had on the card, as int, Format or bool. The bytes
# in the file are those of its copy on the CPU, which has the plain one.
_NPU_TENSOR = _tensor("_rebuild_npu_tensor", 6, 7)


def _tensor_v3(arguments: Sequence[object]) -> object:
    base, offset, shape, strides, _, _, dtype = _some(arguments, "_rebuild_tensor_v3", 7, 8)[:7]
    if not (isinstance(dtype, Global) and dtype.module == "torch"):
        raise malformed("a tensor without element type")
    if dtype.name not in BY_NAME:
        return _not_taken(f"of element type {dtype.full}")
    return _pending(arguments[7:]) or view(base, BY_NAME[dtype.name], offset, shape, strides)


def _pending(metadata: Sequence[object]) -> Optional[Opaque]:
    """Lazy conjugation or negation would change values on the way: the bytes are not the tensor."""
    flags = [
        name
        for entry in metadata
        if isinstance(entry, Mapping)
        for name, value in entry.named.items()
        if value is not False
    ]
    return _not_taken(f"with pending operations ({', '.join(flags)[:40]})") if flags else None


def _parameter(arguments: Sequence[object]) -> object:
    data = arguments[0] if arguments else None
    if isinstance(data, Tensor) or (isinstance(data, Opaque) and data.tensor):
        return data
    raise malformed("a Parameter without tensor")


def _from_type(arguments: Sequence[object]) -> object:
    function, kind, inner, _ = _some(arguments, "_rebuild_from_type_v2", 4)
    if function in (_FROM_TYPE_V2, *_FROM_TYPE):
        raise refused("wraps the rebuilding of a tensor in another one")
    made = call(function, inner)
    if isinstance(kind, Global) and (kind.module, kind.name) in _PLAIN_CLASSES:
        return made
    more = f", {made.what}" if isinstance(made, Opaque) else ""
    return _not_taken(f"of class {describe(kind)}{more}", *arguments[2:])


def _from_cpu_tensor(arguments: Sequence[object]) -> object:
    data, dtype = _some(arguments, "_rebuild_device_tensor_from_cpu_tensor", 4)[:2]
    if isinstance(data, Tensor) and isinstance(dtype, Global) and dtype.name == data.dtype.name:
        return data
    return _not_taken("to be cast to another element type", data)


def _whole_tensor(function: str) -> Callable[[Sequence[object]], object]:
    """A tensor that is more than one view of one storage."""
    return lambda arguments: _not_taken(f"made by {function}", *arguments)


def _not_taken(what: str, *parts: object) -> Opaque:
    return Opaque(what, parts, tensor=True)


# Other values


def _size(arguments: Sequence[object]) -> object:
    return _counts(arguments[0] if arguments else ())


def _dict_of(kind: Global, arguments: Sequence[object]) -> object:
    """Python 2 made an OrderedDict from a list of pairs, later ones are made empty and filled."""
    made = Mapping()
    given = arguments[1:] if kind.name == "defaultdict" else arguments
    if not given:
        return made
    if isinstance(given[0], Mapping):
        fill(made, given[0].named.items())
        fill(made, given[0].others)
    elif isinstance(given[0], (list, tuple)):
        fill(made, map(_pair, given[0]))
    else:
        raise refused(f"makes a dict from {describe(given[0])}")
    return made


def _pair(value: object) -> Tuple[object, object]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise malformed("a dict is made from something that is no pair")
    return value[0], value[1]


def fill(target: Mapping, entries: Iterable[Tuple[object, object]]) -> None:
    """Put entries into a dict. Raises Trouble: a name is there twice."""
    for key, value in entries:
        if not target.add(key, value):
            raise malformed(f"the key {str(key)[:200]!r} is there twice")


def _reconstructed(arguments: Sequence[object]) -> object:
    """copyreg._reconstructor(class, base, state): how protocols 0 and 1 make an object."""
    kind, base, state = _some(arguments, "_reconstructor", 3)
    # The state is what the base class is made from: nothing for an object, a dict for one that is a dict.
    return new(kind, () if isinstance(base, Global) and base.name == "object" else (state,))


def _new_object(arguments: Sequence[object]) -> object:
    return new(arguments[0] if arguments else None, tuple(arguments[1:]))


def _attribute(arguments: Sequence[object]) -> object:
    """A member of an enumeration, as Python 3.11.0 to 3.11.3 wrote it. What it gives is not called."""
    kind, name = _some(arguments, "getattr", 2)
    known = isinstance(kind, Global) and names.is_class_name(kind.name.rpartition(".")[2])
    if isinstance(kind, Global) and known and isinstance(name, str) and names.may_stand(kind):
        return Opaque(f"{kind.full}.{name[:80]}")
    raise refused(f"calls getattr on {describe(kind)}")


def _subscripted(arguments: Sequence[object]) -> object:
    """A type such as ``Optional[int]``. Of anything else, getitem would be a call of a stranger's method."""
    kind, _ = _some(arguments, "getitem", 2)
    if isinstance(kind, Global):
        return Opaque(f"{kind.full}[...]")
    raise refused(f"calls operator.getitem on {describe(kind)}")


def _some(arguments: Sequence[object], function: str, *counts: int) -> Sequence[object]:
    if len(arguments) not in counts:
        raise malformed(f"{function} with {len(arguments)} arguments")
    return arguments


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MOST


def _counts(values: object) -> Tuple[int, ...]:
    if (
        not isinstance(values, (tuple, list))
        or len(values) > _MOST_DIMENSIONS
        or not all(map(_is_count, values))
    ):
        raise malformed("a size or stride that cannot be")
    return tuple(values)


_FROM_TYPE_V2 = Global("torch._tensor", "_rebuild_from_type_v2")
_FROM_TYPE = (Global("torch._tensor", "_rebuild_from_type"), Global("torch.tensor", "_rebuild_from_type"))
GETATTR = (Global("builtins", "getattr"), Global("__builtin__", "getattr"))
_COPYREG = ("copyreg", "copy_reg")

_BUILDERS: Dict[Global, Callable[[Sequence[object]], object]] = {
    Global("torch._utils", "_rebuild_tensor"): _tensor("_rebuild_tensor", 4),
    Global("torch._utils", "_rebuild_tensor_v2"): _tensor("_rebuild_tensor_v2", 6, 7),
    Global("torch._utils", "_rebuild_tensor_v3"): _tensor_v3,
    Global("torch._utils", "_rebuild_parameter"): _parameter,
    Global("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    Global("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"): _from_cpu_tensor,
    _FROM_TYPE_V2: _from_type,
    Global("torch", "Size"): _size,
    Global("operator", "getitem"): _subscripted,
    Global("_operator", "getitem"): _subscripted,
    **dict.fromkeys(_FROM_TYPE, _from_type),
    **dict.fromkeys(GETATTR, _attribute),
    **{Global(module, "_reconstructor"): _reconstructed for module in _COPYREG},
    **{Global(module, "__newobj__"): _new_object for module in _COPYREG},
    **{
        Global("torch._utils", name): _whole_tensor(f"torch._utils.{name}")
        for name in (
            "_rebuild_device_tensor_from_numpy",
            "_rebuild_meta_tensor_no_storage",
            "_rebuild_nested_tensor",
            "_rebuild_qtensor",
            "_rebuild_sparse_csr_tensor",
            "_rebuild_sparse_tensor",
            "_rebuild_wrapper_subclass",
            "_rebuild_xla_tensor",
        )
    },
}
