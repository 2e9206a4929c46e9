"""paramiko's transport with what it lacks: OpenSSH's names, host certificates, and the words of a refusal."""

from __future__ import annotations

import logging
from typing import Any

import paramiko
from cryptography.hazmat.primitives import hashes

from lingctl.remote.ssh.login.algorithms import Offer
from lingctl.remote.ssh.login.chacha import CHACHA, CIPHER, Packetizer
from lingctl.remote.ssh.login.key_exchanges import MORE_EXCHANGES

# Without this, transport threads print tracebacks to standard error.
_log = logging.getLogger("paramiko")
_log.addHandler(logging.NullHandler())
_log.propagate = False

_MOST_WORDS = 2000


class _RsaWithSha1(paramiko.RSAKey):
    """A host key of ``ssh-rsa``, which is offered on request only."""

    # A table that is read and never changed; paramiko declares it for an instance.
    HASHES = {**paramiko.RSAKey.HASHES, "ssh-rsa": hashes.SHA1}  # type: ignore[misc]  # noqa: RUF012


class Transport(paramiko.Transport):
    """A transport that offers what it is told to.

    Attributes:
        shown_key: the host key or certificate as the server sent it; its proof was checked.
        offered: what the server offers, by paramiko's names of the lists.
        last_words: with which the server ended the connection, if it said any.
    """

    # paramiko's own tables, of which its types tell nothing; they are read and never changed.
    _kex_info = {**paramiko.Transport._kex_info, **MORE_EXCHANGES}  # type: ignore[attr-defined]  # noqa: RUF012
    _cipher_info = {**paramiko.Transport._cipher_info, CHACHA: CIPHER}  # type: ignore[attr-defined]  # noqa: RUF012
    _key_info = {**paramiko.Transport._key_info, "ssh-rsa": _RsaWithSha1}  # type: ignore[attr-defined]  # noqa: RUF012
    _active_check_timeout = 1.0  # 0.1 s costs 9% of a core at 256 nodes

    def __init__(self, sock: Any, offer: Offer) -> None:  # noqa: ANN401  (anything like a socket)
        super().__init__(sock, packetizer_class=Packetizer)
        self.shown_key = b""
        self.last_words = ""
        self.offered: dict[str, tuple[str, ...]] = {}
        self._preferred_kex = tuple(name for name in offer.kex if name in self._kex_info)
        self._preferred_ciphers = offer.ciphers
        self._preferred_macs = offer.macs
        self._preferred_keys = offer.host_keys

    def _verify_key(self, host_key: bytes, signature: bytes) -> None:
        super()._verify_key(host_key, signature)  # type: ignore[misc]  # paramiko's own, its types do not tell it
        self.shown_key = host_key

    def _really_parse_kex_init(self, message: paramiko.Message, **how: bool) -> dict[str, Any]:
        """What the server offers; with a MAC of ours where the cipher is GCM, for then none is computed.

        OpenSSH does not even look for a common one then; paramiko would find none.
        """
        offered: dict[str, Any] = super()._really_parse_kex_init(message, **how)  # type: ignore[misc]  # as above
        self.offered = {name: tuple(names) for name, names in offered.items() if name.endswith("algo_list")}
        for way in ("client", "server"):
            ciphers = offered[f"{way}_encrypt_algo_list"]
            first = next((name for name in self.preferred_ciphers if name in ciphers), "")
            if self._cipher_info.get(first, {}).get("is_aead"):
                offered[f"{way}_mac_algo_list"] = [*offered[f"{way}_mac_algo_list"], *self.preferred_macs[:1]]
        return offered

    def _parse_disconnect(self, message: paramiko.Message) -> None:
        message.get_int()
        self.last_words = message.get_string().decode("utf-8", "replace")[:_MOST_WORDS]
