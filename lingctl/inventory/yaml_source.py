"""YAML with positions: plain data, and for each field the line and column it stands at.

YAML 1.1 reads ``0640`` as 416, ``on`` as true, ``10.20`` as 10.2 and ``1:30`` as 90. In a file that
configures machines such guesses are traps, so they are refused with the advice to quote.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from lingctl.errors import ConfigurationError
from lingctl.inventory.given_file import read_given

FieldPath = tuple[str | int, ...]

_DEEPEST = 20
# A thousand nodes with every setting of their own are a quarter of each.
_MOST_BYTES = 1 << 20
_MOST_VALUES = 50_000
_READABLE = "it must be a file of UTF-8 text that you may read"
_BOOLEANS = {"true", "false"}
_OCTAL = re.compile(r"^[-+]?0[0-7_]+$")
_SEXAGESIMAL = re.compile(r"^[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?$")
_ROUNDED_FLOAT = re.compile(r"^[-+]?[0-9]+\.[0-9]*0$")


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column, counted from 1 as editors do."""

    line: int
    column: int


class YamlSource:
    """One YAML document: its data, and where each field stands.

    Attributes:
        data: dicts, lists, strings, numbers, booleans and None.
    """

    def __init__(self, text: str, name: str) -> None:
        """Read ``text``.

        Raises:
            ConfigurationError: not YAML, a key twice, or a value that YAML 1.1 would misread.
        """
        self.name = name
        self._positions: dict[FieldPath, Position] = {}
        self._values = self._characters = 0
        try:
            self._need_shallow(text)
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            where = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name
            raise ConfigurationError(
                f"not valid YAML: {error.problem or error.context}",
                where=where,
                remedy="check indentation, colons and quotes near that place",
                code="hosts-not-yaml",
            ) from error
        except yaml.YAMLError as error:
            raise ConfigurationError(f"not valid YAML: {error}", where=name, code="hosts-not-yaml") from error
        self.data: object = self._value(node, ()) if node is not None else None

    def where(self, path: FieldPath) -> str:
        """``file:line:col`` of a field, or of the nearest part of it that the file has."""
        for length in range(len(path), -1, -1):
            position = self._positions.get(path[:length])
            if position:
                return f"{self.name}:{position.line}:{position.column}"
        return self.name

    def _need_shallow(self, text: str) -> None:
        """Refuse what is nested deeper than Python follows, before anything follows it."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                mark = event.start_mark
                raise ConfigurationError(
                    "is nested too deeply",
                    where=f"{self.name}:{mark.line + 1}:{mark.column + 1}" if mark else self.name,
                    remedy="close the brackets, or mend the indentation, before that place",
                    code="hosts-nested",
                )

    def _value(self, node: yaml.Node, path: FieldPath) -> object:
        self._count(node, path)
        self._positions.setdefault(path, Position(node.start_mark.line + 1, node.start_mark.column + 1))
        if len(path) > _DEEPEST:
            raise self._error(
                path[:1],
                "is nested too deeply",
                "an alias (*) may not stand in what it names",
                "hosts-nested",
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _count(self, node: yaml.Node, path: FieldPath) -> None:
        """Refuse what aliases blow up, while it is small."""
        self._values += 1
        if isinstance(node, yaml.ScalarNode):
            self._characters += len(str(node.value))
        if self._values > _MOST_VALUES or self._characters > 4 * _MOST_BYTES:
            raise self._error(
                path[:1],
                f"stands for more than {_MOST_VALUES} values, or {4 * _MOST_BYTES >> 20} MiB of text",
                "write the values out, or use fewer aliases (*)",
                "hosts-too-many-values",
            )

    def _mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(path, "has a key that is no word", "write KEY: VALUE", "hosts-key")
            self._count(key_node, path)
            key = str(key_node.value)
            here = (*path, key)
            if key in values:
                self._positions[here] = Position(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
                raise self._error(here, f"{key!r} is given twice", "remove one of them", "hosts-key-twice")
            self._positions[here] = Position(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            values[key] = self._value(value_node, here)
        return values

    def _scalar(self, node: yaml.Node, path: FieldPath) -> object:
        text = str(node.value)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise self._error(path, "holds half a character", "write the whole character", "hosts-value")
        if getattr(node, "style", None) or node.tag == "tag:yaml.org,2002:str":
            return text
        trap = _trap(node.tag, text)
        if trap:
            raise self._error(
                path, f"{text} means {trap} in YAML 1.1", f'write it in quotes: "{text}"', "hosts-yaml-trap"
            )
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            raise self._error(
                path, f"cannot read {text!r}", f'write it in quotes: "{text}"', "hosts-value"
            ) from error

    def _error(self, path: FieldPath, what: str, remedy: str, code: str) -> ConfigurationError:
        return ConfigurationError(what, where=self.where(path), remedy=remedy, code=code)


def read_yaml(path: Path) -> YamlSource:
    """Read a YAML file. Raises ConfigurationError: it is missing, unreadable or not YAML."""
    try:
        text = read_given(path, _MOST_BYTES, code="hosts-unreadable", remedy=_READABLE).decode("utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(
            "there is no such file",
            where=str(path),
            remedy="write one with: lingctl init\nor name yours with: --nodes FILE",
            code="hosts-missing",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"cannot be read: {error}", where=str(path), remedy=_READABLE, code="hosts-unreadable"
        ) from error
    return YamlSource(text, str(path))


def _trap(tag: str, text: str) -> str:
    if tag.endswith(":bool") and text.lower() not in _BOOLEANS:
        return "true" if text.lower() in ("on", "yes", "y") else "false"
    if tag.endswith(":int") and _OCTAL.match(text):
        return f"the number {int(text.replace('_', ''), 8)}"
    if tag.endswith((":int", ":float")) and _SEXAGESIMAL.match(text):
        return "a number to the base 60"
    if tag.endswith(":float") and _ROUNDED_FLOAT.match(text):
        return f"the number {float(text)}"
    if tag.endswith(":timestamp"):
        return "a date"
    if tag.endswith(":binary"):
        return "bytes"
    return ""
