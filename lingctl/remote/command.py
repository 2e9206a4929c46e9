"""A Command is text that could be read before it runs. Quoting lives here and nowhere else.

Builders anywhere in lingctl make Commands from plain values; only a Connection runs them.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """Shell text for a POSIX ``sh`` on a node.

    Attributes:
        text: exactly what the node's shell is given.
        title: a few words for progress and plans; the text itself if empty.
    """

    text: str
    title: str = ""

    def __str__(self) -> str:
        return self.text

    def titled(self, title: str) -> Command:
        """The same command under another title."""
        return Command(self.text, title)


def command(*words: str | int, title: str = "") -> Command:
    """One program call; every word is quoted.

    >>> command("docker", "rm", "a b").text
    "docker rm 'a b'"
    """
    return Command(" ".join(shlex.quote(str(word)) for word in words), title)


def script(body: str, *arguments: str | int, title: str = "") -> Command:
    """A fixed script of ours; the values it works on are ``$1``, ``$2``, ... and are quoted."""
    return Command(command("sh", "-c", body, "lingctl", *arguments).text, title)


def all_of(*commands: Command, title: str = "") -> Command:
    """Run one after the other, stopping at the first that fails."""
    return Command(" && ".join(_grouped(part) for part in commands), title)


def any_of(*commands: Command, title: str = "") -> Command:
    """Run one after the other, stopping at the first that succeeds."""
    return Command(" || ".join(_grouped(part) for part in commands), title)


def with_environment(variables: Mapping[str, str], inner: Command) -> Command:
    """``inner`` with variables set for it alone. Not for secrets: they would show in process lists."""
    words = command("env", *(f"{name}={value}" for name, value in variables.items()))
    return Command(f"{words.text} {command('sh', '-c', inner.text).text}", inner.title)


def as_superuser(inner: Command) -> Command:
    """``inner`` through ``sudo -n``: fails at once where a password would be asked."""
    return Command(f"sudo -n {command('sh', '-c', inner.text).text}", inner.title)


def words(values: Iterable[str | int]) -> str:
    """Values quoted and joined, for the inside of a larger text."""
    return " ".join(shlex.quote(str(value)) for value in values)


def _grouped(part: Command) -> str:
    needs_braces = "||" in part.text or "&&" in part.text
    return f"{{ {part.text}; }}" if needs_braces else part.text
