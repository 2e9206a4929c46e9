"""--verbose: every command as it is sent to a node, a line each, on standard error."""

from __future__ import annotations

import shlex

from lingctl.output.progress import say_aside
from lingctl.output.screen.terminal import one_line
from lingctl.release.evidence.redaction import redacted
from lingctl.remote.command import Command
from lingctl.remote.wire.sent import tell_what_is_sent

_LONGEST_WORD = 120
_LONGEST = 400


def show_what_is_sent() -> None:
    """From now on say every command that a connection sends."""
    tell_what_is_sent(lambda node, command: say_aside(f"{node}: {shown_command(command)}"))


def shown_command(command: Command) -> str:
    """A command in one line: what could be typed, and in the place of a long program its name and size.

    What looks like a secret is taken out, although none should be there: commands are seen by whoever lists
    processes.
    """
    try:
        words = shlex.split(command.text)
    except ValueError:  # text that only a shell reads
        words = [command.text]
    name = command.title or "a program"
    # Before it is cut: half of an address no longer looks like one with a password in it.
    shown = redacted(" ".join(_word(word, name) for word in words))
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]} .. ({len(command.text.encode()):,} bytes)"
    return one_line(shown)


def _word(word: str, name: str) -> str:
    if len(word) <= _LONGEST_WORD and "\n" not in word:
        return shlex.quote(word)
    return f"({name}: {len(word.encode()):,} bytes)"
