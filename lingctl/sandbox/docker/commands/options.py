"""Reads the words of a docker command as docker's own flag library does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lingctl.sandbox.docker.trouble import DockerError


@dataclass
class Words:
    """What a command line says."""

    # values by long name; a flag given twice has two
    flags: dict[str, list[str]] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)  # what is not a flag

    def on(self, name: str) -> bool:
        """Whether a switch is set."""
        return bool(self.flags.get(name)) and self.flags[name][-1] not in ("false", "0", "f", "F", "False")

    def value(self, name: str, default: str = "") -> str:
        """The last value of a flag."""
        return self.flags.get(name, [default])[-1]

    def values(self, name: str) -> list[str]:
        """All values of a flag."""
        return self.flags.get(name, [])


def read_words(
    command: str,
    words: Sequence[str],
    *,
    switches: Mapping[str, str] = {},
    valued: Mapping[str, str] = {},
    interspersed: bool = True,
    status: int = 125,
) -> Words:
    """Split words into flags and the rest.

    Args:
        command: for messages, e.g. ``run``.
        words: what stands after the command.
        switches: flags without a value: spelling to long name.
        valued: flags with a value.
        interspersed: whether flags may follow the first other word.
        status: exit status of a wrong flag.

    Raises:
        DockerError: an unknown flag, or one without its value.
    """
    found, queue = Words(), list(words)
    while queue:
        word = queue.pop(0)
        if word == "--":
            found.rest += queue
            break
        if not word.startswith("-") or word == "-":
            found.rest.append(word)
            if not interspersed:
                found.rest += queue
                break
            continue
        _read_flag(command, word, queue, found, switches, valued, status)
    return found


def _read_flag(
    command: str,
    word: str,
    queue: list[str],
    found: Words,
    switches: Mapping[str, str],
    valued: Mapping[str, str],
    status: int,
) -> None:
    name, equals, value = word.partition("=")
    if name in switches:
        found.flags.setdefault(switches[name], []).append(value if equals else "true")
        return
    if name in valued:
        if not equals:
            if not queue:
                raise _wrong(command, f"flag needs an argument: {word}", status)
            value = queue.pop(0)
        found.flags.setdefault(valued[name], []).append(value)
        return
    if word.startswith("--") or len(word) == 2:
        text = (
            f"unknown flag: {name}"
            if word.startswith("--")
            else f"unknown shorthand flag: {word[1]!r} in {word}"
        )
        raise _wrong(command, text, status)
    # Short flags in one word: -itd, -t10.
    first, others = word[:2], word[2:]
    if first in switches:
        found.flags.setdefault(switches[first], []).append("true")
        _read_flag(command, f"-{others}", queue, found, switches, valued, status)
    elif first in valued:
        found.flags.setdefault(valued[first], []).append(others.removeprefix("="))
    else:
        raise _wrong(command, f"unknown shorthand flag: {word[1]!r} in {word}", status)


def _wrong(command: str, text: str, status: int) -> DockerError:
    return DockerError(f"{text}\nSee 'docker {command} --help'.", status)
