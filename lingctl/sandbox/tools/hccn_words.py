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
        on_stdout: "busy" and "not supported" go to standard output, all others to standard error.
    """

    def __init__(self, text: str, status: int, *, on_stdout: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.on_stdout = on_stdout
