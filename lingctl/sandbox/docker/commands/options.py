"""Reads the words of a docker command as docker's own flag library does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

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
    switches: str = "",
    valued: str = "",
    interspersed: bool = True,
    status: int = 125,
) -> Words:
    """Split words into flags and the rest.

    Args:
        command: for messages, e.g. ``run``.
        words: what stands after the command.
        switches: flags without a value, each with its spellings: ``-d --detach, --rm``. The last names it.
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
        problem = _read_flag(word, queue, found.flags, _names(switches), _names(valued))
        if problem:
            raise DockerError(f"{problem}\nSee 'docker {command} --help'.", status)
    return found


@cache
def _names(flags: str) -> Mapping[str, str]:
    """The long name of each spelling."""
    spelled = [flag.split() for flag in flags.split(",") if flag]
    return {one: spellings[-1].removeprefix("--") for spellings in spelled for one in spellings}


def _read_flag(
    word: str,
    queue: list[str],
    found: dict[str, list[str]],
    switches: Mapping[str, str],
    valued: Mapping[str, str],
) -> str:
    """Take a flag, and from the queue a value that it needs; what is wrong with it, empty if nothing."""
    name, equals, value = word.partition("=")
    if name in switches:
        found.setdefault(switches[name], []).append(value if equals else "true")
        return ""
    if name in valued:
        if not equals and not queue:
            return f"flag needs an argument: {word}"
        found.setdefault(valued[name], []).append(value if equals else queue.pop(0))
        return ""
    # Short flags in one word: -itd, -t10.
    first, others = word[:2], word[2:]
    if not word.startswith("--") and others and first in switches:
        found.setdefault(switches[first], []).append("true")
        return _read_flag(f"-{others}", queue, found, switches, valued)
    if not word.startswith("--") and others and first in valued:
        found.setdefault(valued[first], []).append(others.removeprefix("="))
        return ""
    return (
        f"unknown flag: {name}" if word.startswith("--") else f"unknown shorthand flag: {word[1]!r} in {word}"
    )
