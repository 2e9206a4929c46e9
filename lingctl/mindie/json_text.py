"""JSON as MindIE 3.0.0 reads it, and what its code makes of a number whose type it does not look at.

Source: MindIE-LLM v3.0.0 src/config_manager, built on nlohmann's JSON for Modern C++ 3.11: no comments, no
NaN, no unpaired surrogates; a whole number beyond 64 bits is one with a fraction, and what is beyond a double
is an error. Its own checker was run on all of this. It does not look at text behind the end of the document:
we do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection

_LEAST, _MOST = -(2**63), 2**64 - 1
# How deep Python follows differs by its version; this all of them do.
_DEEPEST = 900
_TOO_DEEP = "nested too deeply"


class NumberTooLarge(ValueError):
    """A number beyond a double."""


def read_json(text: str) -> object:
    """The value that a text holds. Of a key that stands there twice the last one counts.

    Raises:
        ValueError: MindIE would not read it, or it is nested deeper than 900 levels.
    """
    try:
        value: object = json.loads(
            text.removeprefix("\ufeff"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_whole,
            object_pairs_hook=_object,
        )
        _need_whole_characters(value)
        _need_depth(value)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    return value


def as_integer(value: object, bits: int, *, signed: bool) -> int | None:
    """What a value becomes where the code takes it for a C++ integer; None where it makes none.

    A fraction is cut off, true is 1, and a whole number keeps its lowest bits. Into 64 bits without sign, the
    library's own type, true and false do not go. A fraction beyond the type's range means something else on
    each kind of machine: None.
    """
    if isinstance(value, bool) and bits == 64 and not signed:
        return None
    low = -(2 ** (bits - 1)) if signed else 0
    if isinstance(value, int):
        return int((value - low) % 2**bits + low)
    if isinstance(value, float):
        return int(value) if low <= int(value) < low + 2**bits else None
    return None


def _finite(token: str) -> float:
    number = float(token)
    if math.isinf(number):
        raise NumberTooLarge(f"the number {token[:40]} is too large")
    return number


def _whole(token: str) -> int | float:
    # Python refuses to read thousands of digits as a whole number; these are none anyway.
    if len(token) <= len(str(_LEAST)) and _LEAST <= int(token) <= _MOST:
        return int(token)
    return _finite(token)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Here and not at the end: a value that a later one of the same key replaces has been read all the same.
    for key, value in pairs:
        _need_whole_characters(key)
        _need_whole_characters(value)
    return dict(pairs)


def _need_whole_characters(value: object) -> None:
    """Refuse half of a pair of surrogates in a text, or in the texts of a list."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, list):
            _need_whole_characters(one)
        elif isinstance(one, str):
            try:
                one.encode()
            except UnicodeEncodeError as error:
                raise ValueError(f"{ascii(one)[:60]} holds half a pair of surrogates") from error


def _need_depth(value: object) -> None:
    depth, level = 0, [value]
    while level := [inner for one in level for inner in _inside(one)]:
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(_TOO_DEEP)


def _inside(value: object) -> Collection[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
