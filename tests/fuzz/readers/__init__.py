"""All readers by name."""

from __future__ import annotations

from tests.fuzz.reader import Reader
from tests.fuzz.readers import hosts, logs, nodes, printed, program, secrets, serving, users, weights

READERS: dict[str, Reader] = {
    reader.name: reader
    for room in (nodes, program, serving, weights, hosts, logs, secrets, printed, users)
    for reader in room.READERS
}
