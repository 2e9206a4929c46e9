"""An agent with one key of the kind that security keys have; this program is its hardware (PROTOCOL.u2f)."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lingctl.remote.ssh.login.wire import split_string, string

KIND = b"sk-ssh-ed25519@openssh.com"
APPLICATION = b"ssh:"
TOUCHED, COUNTER = b"\x01", (7).to_bytes(4, "big")


class SoftSecurityKey:
    """Runs until the process ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key = Ed25519PrivateKey.generate()
        raw = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.blob = string(KIND) + string(raw) + string(APPLICATION)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def public(self) -> str:
        return f"{KIND.decode()} {base64.b64encode(self.blob).decode()}"

    def _serve(self) -> None:
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client:
            while head := client.recv(4, socket.MSG_WAITALL):
                request = client.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
                client.sendall(string(self._reply(request)))

    def _reply(self, request: bytes) -> bytes:
        if request[0] == 11:
            return bytes([12]) + (1).to_bytes(4, "big") + string(self.blob) + string(b"a key to touch")
        if request[0] == 13:
            _, rest = split_string(request[1:])
            data, _ = split_string(rest)
            digests = hashlib.sha256(APPLICATION).digest(), hashlib.sha256(data).digest()
            signed = self._key.sign(digests[0] + TOUCHED + COUNTER + digests[1])
            return bytes([14]) + string(string(KIND) + string(signed) + TOUCHED + COUNTER)
        return bytes([5])
