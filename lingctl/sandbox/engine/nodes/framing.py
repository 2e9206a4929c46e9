"""Length-prefixed frames over TCP: JSON for control, raw float32 for partial sums."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from lingctl.sandbox.engine.model.bfloat16 import Floats

_MAX = 1 << 30


class LinkLost(ConnectionError):
    """The other end is gone."""


def send(link: socket.socket, data: bytes) -> None:
    """Send one frame."""
    try:
        link.sendall(struct.pack("<Q", len(data)) + data)
    except OSError as error:
        raise LinkLost(str(error)) from error


def receive(link: socket.socket) -> bytes:
    """Receive one frame."""
    (length,) = struct.unpack("<Q", _exactly(link, 8))
    if length > _MAX:
        raise LinkLost("a frame of impossible size")
    return bytes(_exactly(link, length))


def send_json(link: socket.socket, value: Any) -> None:
    """Send a JSON value."""
    send(link, json.dumps(value).encode())


def receive_json(link: socket.socket) -> Any:
    """Receive a JSON value."""
    try:
        return json.loads(receive(link))
    except ValueError as error:
        raise LinkLost("no JSON frame") from error


def send_floats(link: socket.socket, values: Floats) -> None:
    """Send an array; the receiver knows its shape."""
    send(link, np.ascontiguousarray(values).tobytes())


def receive_floats(link: socket.socket, shape: tuple[int, ...]) -> Floats:
    """Receive an array of the shape."""
    data = receive(link)
    if len(data) != 4 * int(np.prod(shape)):
        raise LinkLost(f"{len(data)} bytes do not make {shape}")
    return np.frombuffer(data, dtype=np.float32).reshape(shape)


def summed(links: Sequence[socket.socket], own: Floats, *, is_root: bool) -> Floats:
    """The sum of what all ends of a star have, the same bits on each; without links one's own.

    Args:
        links: of the root to all others, of another one to the root alone.
        own: what this end has.
        is_root: whether all is added up here.
    """
    if not links:
        return own
    if not is_root:
        send_floats(links[0], own)
        return receive_floats(links[0], own.shape)
    total = own
    for link in links:
        total = total + receive_floats(link, own.shape)
    for link in links:
        send_floats(link, total)
    return total


def _exactly(link: socket.socket, count: int) -> bytearray:
    buffer = bytearray(count)
    view, have = memoryview(buffer), 0
    while have < count:
        try:
            got = link.recv_into(view[have:])
        except OSError as error:
            raise LinkLost(str(error)) from error
        if got == 0:
            raise LinkLost("closed by the other end")
        have += got
    return buffer
