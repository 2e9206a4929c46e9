"""What the docker command line says when something is wrong."""

from __future__ import annotations


class DockerError(Exception):
    """A message for standard error and an exit status.

    Args:
        text: as docker words it.
        status: exit status of the command.
    """

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


def not_emulated(what: str, status: int = 125) -> DockerError:
    """The refusal of what the emulation lacks."""
    return DockerError(f"docker: {what} is not emulated by the sandbox", status)
