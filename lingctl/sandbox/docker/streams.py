"""Descriptors between a command, its supervisor and a container's processes."""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
from collections.abc import Callable, Mapping

Heard = Callable[[int, bytes], None]
_LINGER_SECONDS = 2.0


def pump(
    outputs: Mapping[int, int],
    life: int | None,
    heard: Heard = lambda source, data: None,
    process: int | None = None,
) -> None:
    """Pass on what processes print until none of them can print any more.

    Args:
        outputs: where to pass on what comes from each descriptor.
        life: ends when whoever reads the outputs is gone; they are let go then, and what comes is only heard.
        heard: is told all that comes, and an empty text at each end.
        process: pidfd of the one that matters: what others print is waited for 2 s more, as docker does.
    """
    sources, passing, left = set(outputs), life is not None, None
    while sources:
        extra = [life if passing else None, process if left is None else None]
        watched = [*sources, *(descriptor for descriptor in extra if descriptor is not None)]
        found = select.select(watched, [], [], left)[0]
        if not found:
            return
        for ready in found:
            if ready == process:
                left = _LINGER_SECONDS
            elif ready == life:
                passing = False
                for target in outputs.values():
                    point(target, os.devnull)
            else:
                data = os.read(ready, 65536)
                heard(ready, data)
                if not data:
                    sources.discard(ready)
                elif passing:
                    _write_all(outputs[ready], data)


def point(descriptor: int, path: str) -> None:
    """Let a descriptor stand for a file."""
    opened = os.open(path, os.O_RDWR)
    os.dup2(opened, descriptor)
    os.close(opened)


def tell(descriptor: int, document: Mapping[str, object]) -> None:
    """Write a line of JSON; a reader that is gone is no trouble."""
    with contextlib.suppress(OSError):
        os.write(descriptor, json.dumps(document).encode() + b"\n")


def exit_status(waited: int) -> int:
    """What a shell makes of a wait status."""
    status = os.waitstatus_to_exitcode(waited)
    return 128 - status if status < 0 else status


def flush() -> None:
    """Empty Python's buffers before a fork, so that nothing is printed twice."""
    sys.stdout.flush()
    sys.stderr.flush()


def _write_all(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(OSError):
        while data:
            data = data[os.write(descriptor, data) :]
