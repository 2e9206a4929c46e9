"""An SSH server and how to log in there: what hosts.yaml and OpenSSH's configuration come to."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
USUAL_KEYS = (
    "~/.ssh/id_rsa",
    "~/.ssh/id_ecdsa",
    "~/.ssh/id_ecdsa_sk",
    "~/.ssh/id_ed25519",
    "~/.ssh/id_ed25519_sk",
)
NO_KEY_FILES = ("none",)


@dataclass(frozen=True, slots=True)
class Algorithms:
    """Lists as ssh_config writes them (``+more``, ``-fewer``, ``^first``, or all); empty for ours."""

    kex: str = ""
    ciphers: str = ""
    macs: str = ""
    host_keys: str = ""
    login_keys: str = ""


@dataclass(frozen=True, slots=True)
class SshTarget:
    """One SSH server and how to log in there.

    Attributes:
        host: name or address to connect to.
        port: of its SSH server.
        user: login name.
        host_key_alias: name under which its host key is kept, in the place of its own.
        known_hosts: files with host keys of the user's, in order; the first is named in remedies.
        global_known_hosts: those of this machine.
        revoked_keys: file of keys that no host may have.
        keys: files of keys, private or public; without any, the usual files are tried.
        keys_named: whether hosts.yaml names the key, so that it has to be there.
        certificates: files of certificates beside those that lie beside the keys.
        identities_only: whether keys of the agent that are not among ``keys`` are left alone.
        agent: socket of the agent; empty for none.
        connect_timeout: seconds.
        family: ``inet`` or ``inet6`` where only one kind of address is wanted.
        bind_address: own address to connect from.
        algorithms: what is offered.
        jump: the server through which it is reached, or none.
        proxy_command: shell text of a program through which it is reached, or nothing.
        sudo: whether commands run by ``sudo -n``.
        typed: the login as one would type it, where that is more than user, port and host.
        taken: keyword, value and place of each line of ssh's configuration that counts here.
        notes: what is said there and not followed.
    """

    host: str
    port: int = 22
    user: str = "root"
    host_key_alias: str = ""
    known_hosts: tuple[str, ...] = USER_KNOWN_HOSTS
    global_known_hosts: tuple[str, ...] = GLOBAL_KNOWN_HOSTS
    revoked_keys: str = ""
    keys: tuple[str, ...] = ()
    keys_named: bool = False
    certificates: tuple[str, ...] = ()
    identities_only: bool = False
    agent: str = ""
    connect_timeout: int = 5
    family: str = ""
    bind_address: str = ""
    algorithms: Algorithms = Algorithms()
    jump: SshTarget | None = None
    proxy_command: str = ""
    sudo: bool = False
    typed: str = ""
    taken: tuple[tuple[str, str, str], ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def by_hand(self) -> str:
        """The login as one would type it, for a remedy."""
        return self.typed or shlex.join(["ssh", "-p", str(self.port), f"{self.user}@{self.host}"])

    @property
    def names(self) -> tuple[str, ...]:
        """Names under which its host key may be kept, the one that is written first."""
        if self.host_key_alias:
            return (self.host_key_alias,)
        host = self.host.lower()
        return (host,) if self.port == 22 else (f"[{host}]:{self.port}", host)

    @property
    def shown(self) -> str:
        """What is logged in to and through what, in one line."""
        itself = f"{self.user}@{self.host}" + (f" port {self.port}" if self.port != 22 else "")
        if self.proxy_command:
            return f"{itself} through: {self.proxy_command}"
        return f"{itself} through {self.jump.shown}" if self.jump else itself
