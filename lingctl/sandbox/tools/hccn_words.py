"""What hccn_tool says when it refuses, and the places that it knows."""

from __future__ import annotations

from pathlib import Path

CONF = Path("/etc/hccn.conf")
BUSY = "hccn_tool is busy, please try again."
DONE = "Cmd executed successfully!"
FAILED = "Command execute failed!"
UNSUPPORTED = "The command is not supported on this product."


class Refusal(Exception):
    """Words and the low byte of the tool's error number.

    Args:
        text: what is printed.
        status: exit status that the shell sees.
        on_stdout: "busy", "not supported" and "aborts" go to standard output, all others to standard error.
    """

    def __init__(self, text: str, status: int, *, on_stdout: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.on_stdout = on_stdout


def wrong_count() -> Refusal:
    """Too many words for a command, or too few."""
    return Refusal("The total count of input parameters is wrong!", 4)


def unknown_option() -> Refusal:
    """A word that the command does not know."""
    return Refusal("Get unknown option!", 3)


def no_certificate() -> Refusal:
    """A card without a TLS certificate."""
    return Refusal("No certificate found, please set certs firstly!", 14)
