"""YAML with positions: plain data, and for each field the line and column it stands at.

YAML 1.1 reads ``0640`` as 416, ``on`` as true, ``10.20`` as 10.2 and ``1:30`` as 90. In a file that
configures machines such guesses are traps: each is noted, and whoever knows what a field wants judges it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from lingctl.errors import ConfigurationError, as_one_error
from lingctl.inventory.given_file import read_given
from lingctl.inventory.yaml_text.odd_characters import OddCharacter, odd_characters
from lingctl.inventory.yaml_text.source_line import source_line

FieldPath = tuple[str | int, ...]

_DEEPEST = 20
# A thousand nodes with every setting of their own are a quarter of each.
_MOST_BYTES = 1 << 20
_MOST_VALUES = 50_000
_MOST_ODD = 40
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


@dataclass(frozen=True, slots=True)
class Trap:
    """A plain word that YAML 1.1 reads as something else than it says."""

    text: str
    meaning: str  # what it is taken for, in words


class YamlSource:
    """One YAML document: its data, and where each field stands.

    Attributes:
        data: dicts, lists, strings, numbers, booleans and None.
        traps: plain words that YAML reads otherwise than a person does, by field.
        mistakes: what is wrong with the text itself, though it could be read to its end.
    """

    def __init__(self, text: str, name: str) -> None:
        """Read ``text``.

        Raises:
            ConfigurationError: not YAML, or larger or deeper than any such file.
        """
        self.name = name
        self.traps: dict[FieldPath, Trap] = {}
        self.mistakes: list[ConfigurationError] = []
        self._lines = [line.rstrip("\r") for line in text.split("\n")]
        self._positions: dict[FieldPath, Position] = {}
        self._values = self._characters = 0
        self._need_usual_characters(odd_characters(text))
        try:
            self._need_shallow(text)
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            at = Position(mark.line + 1, mark.column + 1) if mark else None
            # A quote that was opened and never closed, or the other way round, may be of another kind.
            before = (odd for odd in odd_characters(text, in_quotes=True) if not at or odd.line <= at.line)
            self._need_usual_characters(before)
            raise self._at(
                at,
                f"not valid YAML: {error.problem or error.context}",
                "check indentation, colons and quotes near that place",
                "hosts-not-yaml",
            ) from error
        except yaml.YAMLError as error:
            raise ConfigurationError(f"not valid YAML: {error}", where=name, code="hosts-not-yaml") from error
        self.data: object = self._value(node, ()) if node is not None else None

    def position(self, path: FieldPath) -> Position | None:
        """Where a field stands, or the nearest part of it that the file has; None: none has a place."""
        lengths = range(len(path), -1, -1)
        return next((self._positions[path[:n]] for n in lengths if path[:n] in self._positions), None)

    def mistake(
        self,
        path: FieldPath,
        what: str,
        remedy: str,
        code: str,
    ) -> ConfigurationError:
        """What is wrong with a field: its place, its line, and what to write."""
        return self._at(self.position(path), what, remedy, code)

    def _at(self, at: Position | None, what: str, remedy: str, code: str) -> ConfigurationError:
        if at is None:
            return ConfigurationError(what, where=self.name, remedy=remedy, code=code)
        line = self._lines[at.line - 1] if at.line <= len(self._lines) else ""
        return ConfigurationError(
            what,
            where=f"{self.name}:{at.line}:{at.column}",
            evidence=source_line(line, at.column),
            remedy=remedy,
            code=code,
        )

    def _need_usual_characters(self, found: Iterable[OddCharacter]) -> None:
        """Refuse what looks like a character of YAML's and is none: nothing can be read round it."""
        errors = [
            self._at(
                Position(odd.line, odd.column),
                f"{odd.named} stands here",
                _instead(odd),
                "hosts-odd-character",
            )
            for odd in itertools.islice(found, _MOST_ODD)
        ]
        if errors:
            raise as_one_error(errors)

    def _need_shallow(self, text: str) -> None:
        """Refuse what is nested deeper than Python follows, before anything follows it."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                mark = event.start_mark
                raise self._at(
                    Position(mark.line + 1, mark.column + 1) if mark else None,
                    "is nested too deeply",
                    "close the brackets, or mend the indentation, before that place",
                    "hosts-nested",
                )

    def _value(self, node: yaml.Node, path: FieldPath) -> object:
        self._count(node, path)
        self._positions.setdefault(path, Position(node.start_mark.line + 1, node.start_mark.column + 1))
        if len(path) > _DEEPEST:
            raise self.mistake(
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
            raise self.mistake(
                path[:1],
                f"stands for more than {_MOST_VALUES} values, or {4 * _MOST_BYTES >> 20} MiB of text",
                "write the values out, or use fewer aliases (*)",
                "hosts-too-many-values",
            )

    def _mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[str, object]:
        values: dict[str, object] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self.mistake(path, "has a key that is no word", "write KEY: VALUE", "hosts-key")
            self._count(key_node, path)
            key = str(key_node.value)
            here = (*path, key)
            at = Position(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key in values:
                first = self._positions[here].line
                what = f"{key!r} is given twice, in lines {first} and {at.line}"
                self.mistakes.append(self._at(at, what, "remove one of them", "hosts-key-twice"))
                continue
            self._positions[here] = at
            values[key] = self._value(value_node, here)
        return values

    def _scalar(self, node: yaml.Node, path: FieldPath) -> object:
        text = str(node.value)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise self.mistake(path, "holds half a character", "write the whole character", "hosts-value")
        if getattr(node, "style", None) or node.tag == "tag:yaml.org,2002:str":
            return text
        meaning = _meaning(node.tag, text)
        if meaning:
            self.traps[path] = Trap(text, meaning)
            return float(text) if node.tag.endswith(":float") and _ROUNDED_FLOAT.match(text) else text
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError) as error:
            raise self.mistake(
                path, f"cannot read {text!r}", f'write it in quotes: "{text}"', "hosts-value"
            ) from error


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


def _instead(odd: OddCharacter) -> str:
    if odd.character == "\t":
        return "indent with blanks: YAML takes no tabs there"
    if odd.meant == " ":
        return "write a usual blank"
    return f"write {odd.meant} for it, or put the whole text into quotes" if odd.meant else "delete it"


def _meaning(tag: str, text: str) -> str:
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
