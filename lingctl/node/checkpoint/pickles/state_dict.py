"""Finds the named tensors in what a checkpoint's pickle describes."""

from __future__ import annotations

import itertools
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from lingctl.node.checkpoint.pickles.builders import describe
from lingctl.node.checkpoint.pickles.stand_ins import Mapping, Opaque, Tensor
from lingctl.node.checkpoint.refusals import refused
from lingctl.node.trouble import Trouble, shown

# Where training frameworks put the state dict inside a larger checkpoint.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
_DEEPEST = 6
_MOST_NAMED = 5
_MOST_LISTED = 1_000
# 20,000 tensors have an optimizer of as many dicts.
_MOST_CONTAINERS = 100_000
# Of a tensor's name, in bytes: safetensors has no bound, but the header of a file has one.
_LONGEST = 65_536


class StateDict(NamedTuple):
    """The tensors of a checkpoint.

    Attributes:
        tensors: by name, in their order.
        entry: where in the checkpoint they are, such as ``model.module``; empty for the whole of it.
        left_out: names of all other entries.
        beside: those of them that hold tensors, and how many.
    """

    tensors: Dict[str, Tensor]
    entry: str
    left_out: Tuple[str, ...]
    beside: Tuple[str, ...]


def find_state_dict(root: object) -> StateDict:
    """The dict of tensors in ``root``.

    It is the root, or what stands in it under one of the names above; or, where a dict has no tensor of its
    own, its only entry that holds some.

    Raises:
        Trouble: none there, or tensors that cannot be taken.
    """
    left_out: List[str] = []
    beside: List[str] = []
    entry: List[str] = []
    while True:
        if not isinstance(root, Mapping):
            raise _no_dict(root, entry)
        looked = _Looked(root)
        inner = looked.inner() if len(entry) < _DEEPEST else None
        if inner is None:
            break
        prefix = "".join(f"{name}." for name in entry)
        for key, value in _entries(root):
            if key != inner:
                left_out.append(prefix + shown(key))
                count = looked.count(value)
                if count:
                    beside.append(f"{prefix}{shown(key)} ({count} tensors)")
        entry.append(shown(inner))
        root = root.named[inner]
    prefix = "".join(f"{name}." for name in entry)
    tensors, rest = _flat(root, prefix)
    return StateDict(tensors, ".".join(entry), _first([*left_out, *rest]), _first(beside))


def _first(names: List[str]) -> Tuple[str, ...]:
    """All names, but of very many: a stranger's file must not fill a summary."""
    more = len(names) - _MOST_LISTED
    return (*names[:_MOST_LISTED], f"and {more} more") if more > 0 else tuple(names)


def _flat(mapping: Mapping, prefix: str) -> Tuple[Dict[str, Tensor], List[str]]:
    """The tensors of a dict, and the names of its other entries."""
    looked = _Looked(mapping)
    tensors: Dict[str, Tensor] = {}
    rest: List[str] = []
    for key, value in _entries(mapping):
        if isinstance(value, Tensor):
            tensors[_name(key)] = value
        elif looked.holds(value):
            raise _nested(prefix, key, value)
        else:
            rest.append(prefix + shown(key))
    if not tensors:
        first = itertools.islice(_entries(mapping), 10)
        kinds = [f"{prefix}{shown(key)} ({describe(value)[:80]})" for key, value in first]
        raise Trouble(
            f"no tensor in the checkpoint{': it holds ' + kinds[0] if kinds else ''}",
            evidence=", ".join(kinds[1:]),
            remedy="give the file that was saved with torch.save(model.state_dict(), ...)",
            code="not-a-state-dict",
        )
    return tensors, rest


def _entries(mapping: Mapping) -> Iterator[Tuple[object, object]]:
    yield from mapping.named.items()
    yield from mapping.others


def _name(key: object) -> str:
    if not isinstance(key, str):
        words = str(key) if type(key) in (int, float, bool, type(None)) else describe(key)
        raise refused(f"names a tensor by {words[:40]}, which is no text")
    if key == "__metadata__":
        raise refused("names a tensor '__metadata__', which safetensors keeps for itself")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise refused(f"names a tensor {shown(key)}, which is not valid Unicode") from None
    if size > _LONGEST:
        raise refused(f"names a tensor with {size} bytes")
    return key


class _Looked:
    """What was found out about the entries of one dict: which hold tensors, and how many."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._holding: Set[int] = set()
        self._empty: Set[int] = set()
        self._counted: Set[int] = set()

    def inner(self) -> Optional[str]:
        """The entry to look into, None if the tensors are here."""
        named = self._mapping.named
        for name in _WRAPPERS:
            if isinstance(named.get(name), Mapping) and self.holds(named[name]):
                return name
        if any(isinstance(value, Tensor) for value in named.values()):
            return None
        holding = [value for _, value in _entries(self._mapping) if self.holds(value)]
        if len(holding) != 1 or not isinstance(holding[0], Mapping):
            return None
        return next((name for name, value in named.items() if value is holding[0]), None)

    def holds(self, value: object) -> bool:
        """Whether a tensor is in it, at any depth. Each container is walked once, whoever shares it."""
        way: List[Tuple[int, Iterator[object]]] = []
        found = self._enter(value, way)
        while way and not found:
            part = next(way[-1][1], _END)
            if part is _END:
                self._empty.add(way.pop()[0])
            else:
                found = self._enter(part, way)
        self._holding.update(place for place, _ in way)
        return found

    def _enter(self, value: object, way: List[Tuple[int, Iterator[object]]]) -> bool:
        """Whether ``value`` is known to hold a tensor; what is to be walked is put at the end of the way."""
        if _is_tensor(value) or id(value) in self._holding:
            return True
        if id(value) not in self._empty:
            parts = _parts(value)
            if parts is not None:
                # Met again on the way to itself, it is nothing new.
                self._empty.add(id(value))
                _bound(self._empty)
                way.append((id(value), (part for _, part in parts)))
        return False

    def count(self, value: object) -> int:
        """How many tensors are in it, those left out that were counted with an entry before."""
        if not self.holds(value):
            return 0
        return max(1, sum(1 for _ in _tensors_in(value, self._counted)))


_END = object()


def _bound(seen: Set[int]) -> None:
    if len(seen) > _MOST_CONTAINERS:
        raise Trouble(
            "the checkpoint has more in it beside its tensors than can be looked through",
            evidence=f"more than {_MOST_CONTAINERS} dicts, lists and objects",
            remedy="save the state dict alone",
            code="pickle-too-large",
        )


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, Opaque) and value.tensor)


class _Step(NamedTuple):
    """One step of the way to a value: the key in its container, and the step before."""

    key: object
    before: Optional["_Step"]


def _tensors_in(value: object, seen: Set[int]) -> Iterator[Optional[_Step]]:
    """The way to each tensor; containers that are met again (or in themselves) are not walked again."""
    waiting: List[Tuple[object, Optional[_Step]]] = [(value, None)]
    while waiting:
        one, step = waiting.pop()
        if _is_tensor(one):
            yield step
            continue
        parts = _parts(one)
        if parts is not None and id(one) not in seen:
            seen.add(id(one))
            _bound(seen)
            steps = [(part, _Step(key, step)) for key, part in parts if isinstance(part, _CONTAINERS)]
            waiting += reversed(steps)


_CONTAINERS = (list, tuple, Mapping, Opaque)


def _parts(value: object) -> Optional[Iterable[Tuple[object, object]]]:
    """What is in a container that is not empty, with the keys."""
    if isinstance(value, Mapping):
        return _entries(value) if len(value) else None
    if isinstance(value, Opaque):
        return ((None, part) for part in value.parts) if value.parts else None
    # Names and storages are tuples too, without tensors in them.
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return enumerate(value) if value else None
    return None


def _nested(prefix: str, key: object, value: object) -> Trouble:
    name = prefix + shown(key)
    if isinstance(value, Opaque):
        if value.tensor:
            trouble = refused(f"has a tensor {name!r} {value.what}, which safetensors cannot hold")
            trouble.where = f"tensor {name!r}"
            return trouble
        return refused(f"has tensors in {name!r}, an object of {value.what}")
    found: List[str] = []
    for step in _tensors_in(value, set()):
        found.append(name + _way(step))
        if len(found) > _MOST_NAMED:
            break
    trouble = refused("has tensors in a dict or list below its state dict, which have no name of their own")
    trouble.evidence = ", ".join(found[:_MOST_NAMED]) + (" and more" if len(found) > _MOST_NAMED else "")
    trouble.remedy = "save it again as one flat dict of all tensors, by the names that the model has for them"
    return trouble


def _way(step: Optional[_Step]) -> str:
    """The last steps of a way, such as ``.weight``."""
    keys: List[str] = []
    while step is not None and len(keys) < _MOST_NAMED:
        if step.key is not None:
            keys.append(shown(step.key))
        step = step.before
    more = "..." if step is not None else "."
    return more + ".".join(reversed(keys)) if keys else ""


def _no_dict(root: object, entry: List[str]) -> Trouble:
    kind = "single tensor" if isinstance(root, Tensor) else describe(root)
    kind = kind if kind.startswith("a ") else f"a {kind}"
    holds = f"{'.'.join(entry)} in the checkpoint is" if entry else "the checkpoint holds"
    return Trouble(
        f"{holds} {kind[:200]}, not a state dict of named tensors",
        remedy="save it again with torch.save(model.state_dict(), ...)",
        code="not-a-state-dict",
    )
