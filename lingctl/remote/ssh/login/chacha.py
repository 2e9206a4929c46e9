"""``chacha20-poly1305@openssh.com``, which paramiko lacks and some servers offer alone.

Source: OpenSSH's PROTOCOL.chacha20poly1305. The length of a packet is encrypted too, by a key of its own, and
the packet's number is the nonce. paramiko knows ciphers with a tag whose length is in clear: around those, it
is put in and taken out.
"""

from __future__ import annotations

from typing import Any

import paramiko
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.poly1305 import Poly1305
from paramiko.packet import Packetizer as ParamikoPacketizer

CHACHA = "chacha20-poly1305@openssh.com"
_TAG = 16
_LENGTH = 4
_LONGEST_PACKET = 1 << 18


class ChaChaPoly:
    """One direction of a connection, in the form of paramiko's AES-GCM.

    Attributes:
        sequence: number of the next packet.
        sealed_length: the encrypted length of the packet at hand.
    """

    def __init__(self, key: bytes) -> None:
        self._main, self._for_length = key[:32], key[32:]
        self.sequence = 0
        self.sealed_length = b""

    def encrypt(self, _iv: bytes, data: bytes, length: bytes) -> bytes:
        """The encrypted packet behind its length, with its tag."""
        self.sealed_length = self._stream(self._for_length, 0).update(length)
        body = self._stream(self._main, 1).update(data)
        tag = Poly1305.generate_tag(self._key_of_tag(), self.sealed_length + body)
        self._next()
        return body + tag

    def open_length(self, sealed: bytes) -> bytes:
        """The length of the packet that begins with it."""
        self.sealed_length = sealed
        length = self._stream(self._for_length, 0).update(sealed)
        if int.from_bytes(length, "big") > _LONGEST_PACKET:
            raise paramiko.SSHException("Mismatched MAC")
        return length

    def decrypt(self, _iv: bytes, data: bytes, _length: bytes) -> bytes:
        """The packet behind its length, once its tag is right."""
        body, tag = data[:-_TAG], data[-_TAG:]
        try:
            Poly1305.verify_tag(self._key_of_tag(), self.sealed_length + body, tag)
        except InvalidSignature as error:
            raise paramiko.SSHException("Mismatched MAC") from error
        plain = self._stream(self._main, 1).update(body)
        self._next()
        return plain

    def _key_of_tag(self) -> bytes:
        return self._stream(self._main, 0).update(bytes(32))

    def _stream(self, key: bytes, block: int) -> CipherContext:
        nonce = block.to_bytes(8, "little") + self.sequence.to_bytes(8, "big")
        return Cipher(ChaCha20(key, nonce), mode=None).encryptor()

    def _next(self) -> None:
        self.sequence = (self.sequence + 1) & 0xFFFFFFFF


class Packetizer(ParamikoPacketizer):
    """paramiko's, with an encrypted length where the cipher wants one."""

    _out: ChaChaPoly | None = None
    _in: ChaChaPoly | None = None

    def set_outbound_cipher(self, block_engine: object, *words: Any, **more: Any) -> None:  # noqa: ANN401  (handed on)
        """From the next packet on."""
        self._out = block_engine if isinstance(block_engine, ChaChaPoly) else None
        if self._out is not None:
            self._out.sequence = self._Packetizer__sequence_number_out  # type: ignore[attr-defined]  # paramiko's own, its types do not tell it
        super().set_outbound_cipher(block_engine, *words, **more)  # type: ignore[arg-type]  # handed on

    def set_inbound_cipher(self, block_engine: object, *words: Any, **more: Any) -> None:  # noqa: ANN401  (handed on)
        """From the next packet on."""
        self._in = block_engine if isinstance(block_engine, ChaChaPoly) else None
        if self._in is not None:
            self._in.sequence = self._Packetizer__sequence_number_in  # type: ignore[attr-defined]  # paramiko's own, its types do not tell it
        super().set_inbound_cipher(block_engine, *words, **more)  # type: ignore[arg-type]  # handed on

    def reset_seqno_in(self) -> None:
        """Strict key exchange counts anew; it does so after the cipher is set."""
        if self._in is not None:
            self._in.sequence = 0
        super().reset_seqno_in()

    def write_all(self, out: bytes) -> None:  # type: ignore[override]  # its types know no bytes
        """Send a packet that ``encrypt`` has just made."""
        super().write_all(out if self._out is None else self._out.sealed_length + out[_LENGTH:])

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        """Read; what is asked for first of a packet begins with its length."""
        data = super().read_all(n, check_rekey)
        if self._in is not None and check_rekey:
            return self._in.open_length(data[:_LENGTH]) + data[_LENGTH:]
        return data


CIPHER = {"class": ChaChaPoly, "block-size": 8, "iv-size": 12, "key-size": 64, "is_aead": True}
"""As paramiko's table of ciphers has them; two keys of 32 bytes, and the nonce in the table is not used."""
