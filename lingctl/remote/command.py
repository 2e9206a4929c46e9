"""A Command is text that could be read before it runs. Quoting lives here and nowhere else.

Builders anywhere in lingctl make Commands from plain values; only a Connection runs them.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """Shell text for a POSIX ``sh`` on a node."""

    text: str  # what the node's shell is given; over SSH two marks are printed before it (framing.py)
    title: str = ""  # a few words for progress and plans; the text itself if empty

    def __str__(self) -> str:
        return self.text

    @property
    def in_short(self) -> str:
        """Its title, else the beginning of its text: for an error."""
        return self.title or self.text.splitlines()[0][:120]

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
