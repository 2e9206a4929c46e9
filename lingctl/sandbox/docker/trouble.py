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


def no_registry(reference: str, status: int) -> DockerError:
    """An image that would have to come over a network, which there is not."""
    host = reference.split("/")[0]
    registry = host if "." in host else "registry-1.docker.io"
    asked = f'Get "https://{registry}/v2/": dial tcp: lookup {registry}: no such host'
    return DockerError(f"Error response from daemon: {asked}", status)


def not_emulated(what: str, status: int = 125) -> DockerError:
    """The refusal of what the emulation lacks."""
    return DockerError(f"docker: {what} is not emulated by the sandbox", status)
