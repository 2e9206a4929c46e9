"""Inert stand-ins for what a checkpoint's pickle asks to build."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from lingctl.node.checkpoint.dtypes import Dtype


class Global(NamedTuple):
    """The name of a class or function. Never looked up."""

    module: str
    name: str

    @property
    def full(self) -> str:
        """Dotted name."""
        return f"{self.module}.{self.name}"


class Storage(NamedTuple):
    """A run of bytes in the file, by the key of its record. Sizes and places in bytes.

    Attributes:
        key: of the record that it lies in.
        dtype: element type it was saved with.
        size: of this run.
        start: where it begins in its record: only in the legacy formats, which knew views of storages.
        whole: size of the record.
    """

    key: str
    dtype: Dtype
    size: int
    start: int
    whole: int


class Tensor(NamedTuple):
    """A view of a storage; offset and strides count elements."""

    storage: Storage
    dtype: Dtype
    offset: int
    shape: Tuple[int, ...]
    strides: Tuple[int, ...]

    @property
    def begin(self) -> int:
        """First byte of the view in its record."""
        return self.storage.start + self.offset * self.dtype.size

    @property
    def end(self) -> int:
        """First byte of the storage behind the view; its offset if it is empty."""
        if 0 in self.shape:
            return self.offset * self.dtype.size
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides))
        return (last + 1) * self.dtype.size

    @property
    def overlaps(self) -> bool:
        """Whether two elements may lie in one place, so that the view can be larger than its storage."""
        reached = 0
        for stride, size in sorted(zip(self.strides, self.shape)):
            if size > 1:
                if stride <= reached:
                    return True
                reached += (size - 1) * stride
        return False


class Mapping:
    """A dict or OrderedDict of the pickle, without its attributes.

    Only texts name something here. Other keys are kept in a list: hashing what a stranger chose (numbers
    that all hash alike; NaNs, which have one hash in Python 3.9) would take time without end.
    """

    __slots__ = ("_others", "named")

    def __init__(self) -> None:
        self.named: Dict[str, object] = {}
        # Most are empty, and there is one with each tensor.
        self._others: Optional[List[Tuple[object, object]]] = None

    def add(self, key: object, value: object) -> bool:
        """Put in one entry; false where its name is there."""
        if type(key) is not str:
            self._others = self._others or []
            self._others.append((key, value))
        elif key in self.named:
            return False
        else:
            self.named[key] = value
        return True

    @property
    def others(self) -> Sequence[Tuple[object, object]]:
        """Entries whose key is no text."""
        return self._others or ()

    def __len__(self) -> int:
        return len(self.named) + len(self.others)


class Opaque:
    """Something that is not looked into: an object of a class, a set, a number without bound.

    Attributes:
        what: its class or function, or words for it.
        parts: what it was made from and filled with.
        tensor: whether it is a tensor, though one that cannot be taken.
    """

    __slots__ = ("parts", "tensor", "what")

    def __init__(self, what: str, parts: Tuple[object, ...] = (), tensor: bool = False) -> None:
        self.what = what
        self.parts: List[object] = list(parts)
        self.tensor = tensor
