"""What is wrong with hosts.yaml, in words: each mistake with its place and what to write instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lingctl.errors import ConfigurationError
from lingctl.inventory.forms import IN_WORDS, PATH, FormError
from lingctl.inventory.mistakes.unknown_keys import field_at, meant_key, plain_kinds_at, what_instead
from lingctl.inventory.mistakes.wrong_values import KINDS, is_number, seconds_in, short
from lingctl.inventory.yaml_text.source import FieldPath, Trap, YamlSource

_EXAMPLE = "see a complete example with: lingctl init --show"


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
        if float in kinds and is_number(trap.text):
            continue
        yield (
            path,
            source.mistake(
                path,
                f"{trap.text} means {trap.meaning} in YAML 1.1",
                _instead(trap, kinds, path),
                "hosts-yaml-trap",
            ),
        )


def _instead(trap: Trap, kinds: frozenset[type], path: FieldPath) -> str:
    if path[:1] == ("timeouts",) and (seconds := seconds_in(trap.text)) is not None:
        return f"write {seconds}"
    if bool in kinds and trap.meaning in ("true", "false"):
        return f"write {trap.meaning}"
    if int in kinds and str not in kinds:
        number = trap.text.replace("_", "").lstrip("+0") or "0"
        whole = number.partition(".")[0] if is_number(trap.text) else ""
        return f"write {whole}" if whole.isdigit() else "write a whole number"
    return f'write it in quotes: "{trap.text}"'


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
        twin = source.position((*detail["loc"], *inner.twin)) if inner.twin else None
        same = f" (the other one is in line {twin.line})" if twin else ""
        return f"{name}: {inner.what}" if detail["loc"] else f"{inner.what}{same}", inner.remedy
    if kind in ("value_error", "assertion_error"):
        return f"{name}: {inner}" if path else str(inner), "correct the value"
    pattern = context.get("pattern")
    if pattern == PATH:
        return _path_words(name, str(value))
    if pattern in IN_WORDS:
        return f"{name}: {value!r} is not valid", IN_WORDS[pattern]
    if kind in KINDS:
        what, remedy = KINDS[kind][0](path, value, context)
        return f"{name} {what}", remedy
    described = field_at(path)
    remedy = described.description if described and described.description else "correct the value"
    return f"{name}: {value!r} is not valid: {detail['msg'][:1].lower()}{detail['msg'][1:]}", remedy


def _path_words(name: str, value: str) -> tuple[str, str]:
    if not value.startswith("/"):
        return f"{name}: {value!r} is no absolute path", "write the whole path on the nodes, from / on"
    # Blanks before letters of other scripts, each once.
    odd = " ".join(sorted({repr(letter) for letter in re.findall(r"[^A-Za-z0-9_./-]", value)}))
    return f"{name}: {short(value)} has {odd} in it", IN_WORDS[PATH]


def dotted(path: FieldPath) -> str:
    """A field as messages name it: ``nodes[1].ssh.port``, nodes counted from 1 as people do."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


# What kind of mistake it is, by pydantic's word for it; all others are one of form.
_OTHER = "hosts-form"
CODES: Mapping[str, str] = {
    "extra_forbidden": "hosts-unknown-key",
    "missing": "hosts-key-missing",
    **{kind: code for kind, (_, code) in KINDS.items()},
}
