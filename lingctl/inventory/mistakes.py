"""What is wrong with hosts.yaml, in words: each mistake with its place and what to write instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lingctl.errors import ConfigurationError
from lingctl.inventory.forms import IN_WORDS, PATH, FormError
from lingctl.inventory.unknown_keys import field_at, known_keys, meant_key, plain_kinds_at, what_instead
from lingctl.inventory.yaml_text.source import FieldPath, Trap, YamlSource

_EXAMPLE = "see a complete example with: lingctl init --show"
_DURATION = re.compile(r"([0-9]+)\s*(s|sec|seconds?|m|min|minutes?|h|hours?|d|days?)", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def mistakes_in(source: YamlSource, error: ValidationError | None) -> list[ConfigurationError]:
    """Every mistake, in the order of the file; what is missing comes last."""
    trapped = dict(_traps(source))
    found = [*source.mistakes, *trapped.values()]
    details = error.errors() if error else []
    meant = {
        (*detail["loc"][:-1], meant_key(detail["loc"]))
        for detail in details
        if detail["type"] == "extra_forbidden"
    }
    for detail in details:
        path = _path(detail)
        if path in trapped or (detail["type"] == "missing" and path in meant) or _follows(detail):
            continue
        what, remedy = _words(detail, path, source)
        found.append(source.mistake(path, what, remedy, CODES.get(detail["type"], _OTHER)))
    return sorted(found, key=lambda one: _line(one, source))


def _line(mistake: ConfigurationError, source: YamlSource) -> tuple[int, int]:
    numbers = mistake.where.removeprefix(f"{source.name}:").split(":")
    line, column = (int(part) if part.isdigit() else 0 for part in (*numbers, "", "")[:2])
    # What is missing has no line of its own, and stands at the part that lacks it: it is told last.
    return (line, column) if mistake.code != CODES["missing"] else (1 << 30, 0)


def _follows(detail: ErrorDetails) -> bool:
    """Whether it only follows from another mistake: a default of what is wrong, a list whose entries are."""
    return detail["type"] == "default_factory_not_called" or (
        detail["type"] == "too_short" and bool(detail["input"])
    )


def _traps(source: YamlSource) -> Iterator[tuple[FieldPath, ConfigurationError]]:
    for path, trap in source.traps.items():
        kinds = plain_kinds_at(path)
        if float in kinds and _is_number(trap.text):
            continue
        yield (
            path,
            source.mistake(
                path,
                f"{trap.text} means {trap.meaning} in YAML 1.1",
                _instead(trap, kinds),
                "hosts-yaml-trap",
            ),
        )


def _instead(trap: Trap, kinds: frozenset[type]) -> str:
    if bool in kinds and trap.meaning in ("true", "false"):
        return f"write {trap.meaning}"
    if int in kinds and str not in kinds:
        number = trap.text.replace("_", "").lstrip("+0") or "0"
        whole = number.partition(".")[0] if _is_number(trap.text) else ""
        return f"write {whole}" if whole.isdigit() else "write a whole number"
    return f'write it in quotes: "{trap.text}"'


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?[0-9]+(\.[0-9]*)?", text) is not None


def _path(detail: ErrorDetails) -> FieldPath:
    inner = (detail.get("ctx") or {}).get("error")
    return (*detail["loc"], *inner.at) if isinstance(inner, FormError) else detail["loc"]


def _words(detail: ErrorDetails, path: FieldPath, source: YamlSource) -> tuple[str, str]:
    name = dotted(path) or "hosts.yaml"
    kind, value = detail["type"], detail["input"]
    context: Mapping[str, Any] = detail.get("ctx") or {}
    inner = context.get("error")
    if kind == "extra_forbidden":
        return f"unknown key {name!r}", what_instead(path)
    if kind == "missing":
        return f"{name!r} is missing", f"add it; {_EXAMPLE}"
    if isinstance(inner, ValueError) and isinstance(inner.__cause__, ConfigurationError):
        return inner.__cause__.what, inner.__cause__.remedy
    if isinstance(inner, FormError):
        return f"{name}: {inner.what}" if detail["loc"] else inner.what, inner.remedy
    if kind in ("value_error", "assertion_error"):
        return f"{name}: {inner}" if path else str(inner), "correct the value"
    pattern = context.get("pattern")
    if pattern == PATH:
        return _path_words(name, str(value))
    if pattern in IN_WORDS:
        return f"{name}: {value!r} is not valid", IN_WORDS[pattern]
    words = _KINDS.get(kind)
    if words is not None:
        what, remedy = words(path, value, context)
        return f"{name} {what}", remedy
    described = field_at(path)
    remedy = described.description if described and described.description else "correct the value"
    return f"{name}: {value!r} is not valid: {detail['msg'][:1].lower()}{detail['msg'][1:]}", remedy


def _path_words(name: str, value: str) -> tuple[str, str]:
    if not value.startswith("/"):
        return f"{name}: {value!r} is no absolute path", "write the whole path on the nodes, from / on"
    # Blanks before letters of other scripts, each once.
    odd = " ".join(sorted({repr(letter) for letter in re.findall(r"[^A-Za-z0-9_./-]", value)}))
    return f"{name}: {_short(value)} has {odd} in it", IN_WORDS[PATH]


def dotted(path: FieldPath) -> str:
    """A field as messages name it: ``nodes[1].ssh.port``, nodes counted from 1 as people do."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


_Words = Callable[[FieldPath, Any, Mapping[str, Any]], tuple[str, str]]
# What kind of mistake it is, by pydantic's word for it; all others are one of form.
_OTHER = "hosts-form"
CODES: Mapping[str, str] = {
    "extra_forbidden": "hosts-unknown-key",
    "missing": "hosts-key-missing",
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float", "float_type", "float_parsing"), "hosts-number"
    ),
    **dict.fromkeys(("bool_type", "bool_parsing"), "hosts-true-or-false"),
    "string_type": "hosts-word",
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "hosts-part"),
    **dict.fromkeys(("tuple_type", "list_type", "too_short"), "hosts-list"),
    "too_long": "hosts-too-many",
    **dict.fromkeys(("greater_than_equal", "greater_than", "less_than_equal", "less_than"), "hosts-range"),
    **dict.fromkeys(("literal_error", "enum"), "hosts-choice"),
}


def _no_value(value: object) -> str:
    return "has no value" if value is None else f"is {_short(value)}"


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "a part with keys of its own"
    if isinstance(value, list):
        return "a list" if value else "an empty list"
    text = {True: "true", False: "false"}.get(value, "") if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _whole_number(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(value, str):
        duration = _DURATION.fullmatch(value.strip())
        if path[:1] == ("timeouts",) and duration:
            seconds = int(duration[1]) * _SECONDS[duration[2][0].lower()]
            return f"{_no_value(value)}, and is counted in seconds", f"write {seconds}"
        if value.strip().isdecimal():
            return f"{_no_value(value)}: text, and no number", f"write {int(value)}, without quotes"
    return f"{_no_value(value)}, and is a whole number", _example_of(path, "a whole number")


def _number(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(value, str) and _is_number(value.strip()):
        return f"{_no_value(value)}: text, and no number", f"write {value.strip()}, without quotes"
    if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?\s*%", value.strip()):
        share = float(value.strip().rstrip("%")) / 100
        return f"{_no_value(value)}, and is a share of 1", f"write {share:g}"
    return f"{_no_value(value)}, and is a number", _example_of(path, "a number")


def _boolean(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    plain = str(value).lower()
    if plain in ("true", "yes", "on", "1"):
        return f"{_no_value(value)}, and is true or false", "write true, without quotes"
    if plain in ("false", "no", "off", "0"):
        return f"{_no_value(value)}, and is true or false", "write false, without quotes"
    return f"{_no_value(value)}, and is true or false", "write true or false, without quotes"


def _text(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{_no_value(value)}: a number, and no text", f'write it in quotes: "{value}"'
    return f"{_no_value(value)}, and is a word", _example_of(path, "one word or path")


def _part(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    if path[:1] == ("nodes",) and len(path) == 2 and isinstance(value, str):
        return f"{_no_value(value)}, and has keys of its own", f"write - address: {value}"
    if path == ("https",):
        remedy = "write https: {cert: FILE, key: FILE, ca: FILE}, or leave it out"
        return f"{_no_value(value)}, and has keys of its own", remedy
    keys = ", ".join(sorted(known_keys(path)))
    return (
        f"{_no_value(value)}, and has keys of its own",
        f"write {path[-1] if path else 'KEY'}: {{KEY: VALUE}}" + (f"; its keys: {keys}" if keys else ""),
    )


def _list(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    if path == ("nodes",):
        return f"{_no_value(value)}: no machine is named", "write below nodes, indented: - address: ADDRESS"
    if value is None or isinstance(value, dict):
        return f"{_no_value(value)}, and is a list", f"write {path[-1]}: [FIRST, SECOND]"
    return f"{_no_value(value)}, and is a list", f"write {path[-1]}: [{value}]"


def _too_short(path: FieldPath, value: object, context: Mapping[str, Any]) -> tuple[str, str]:
    if path == ("nodes",):
        return _list(path, value, context)
    return f"{_no_value(value)}, which is too little", "write a value, or leave the key out"


def _too_long(path: FieldPath, value: object, context: Mapping[str, Any]) -> tuple[str, str]:
    most = context.get("max_length", "")
    return f"has more than {most} entries", f"keep {most} of them"


def _bound(path: FieldPath, value: object, _: Mapping[str, Any]) -> tuple[str, str]:
    low, high = _bounds(path)
    between = f"from {low} to {high}" if low and high else f"at least {low}" if low else f"at most {high}"
    return f"is {_short(value)}, and goes {between}", _example_of(path, f"a number {between}")


def _bounds(path: FieldPath) -> tuple[str, str]:
    field = field_at(path)
    low = high = ""
    for one in field.metadata if field else ():
        low = f"{one.ge}" if getattr(one, "ge", None) is not None else low
        low = f"more than {one.gt}" if getattr(one, "gt", None) is not None else low
        high = f"{one.le}" if getattr(one, "le", None) is not None else high
    return low, high


def _one_of(path: FieldPath, value: object, context: Mapping[str, Any]) -> tuple[str, str]:
    return f"{_no_value(value)}, and is {context.get('expected', 'another word')}", "write one of these"


def _example_of(path: FieldPath, what: str) -> str:
    field = field_at(path)
    default = field.default if field else None
    usual = isinstance(default, str | int | float) and not isinstance(default, bool)
    return f"write {what}, such as {default}" if usual else f"write {what}"


_KINDS: dict[str, _Words] = {
    "int_type": _whole_number,
    "int_parsing": _whole_number,
    "int_from_float": _whole_number,
    "float_type": _number,
    "float_parsing": _number,
    "bool_type": _boolean,
    "bool_parsing": _boolean,
    "string_type": _text,
    "model_type": _part,
    "model_attributes_type": _part,
    "dict_type": _part,
    "tuple_type": _list,
    "list_type": _list,
    "too_short": _too_short,
    "string_too_short": _too_short,
    "too_long": _too_long,
    "greater_than_equal": _bound,
    "greater_than": _bound,
    "less_than_equal": _bound,
    "less_than": _bound,
    "literal_error": _one_of,
    "enum": _one_of,
}
