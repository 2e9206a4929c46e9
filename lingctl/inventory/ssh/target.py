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
    """One SSH server and how to log in there."""

    host: str  # name or address to connect to
    port: int = 22  # of its SSH server
    user: str = "root"  # login name
    host_key_alias: str = ""  # name under which its host key is kept, in the place of its own
    # files with host keys of the user's, in order; the first is named in remedies
    known_hosts: tuple[str, ...] = USER_KNOWN_HOSTS
    global_known_hosts: tuple[str, ...] = GLOBAL_KNOWN_HOSTS  # those of this machine
    revoked_keys: str = ""  # file of keys that no host may have
    keys: tuple[str, ...] = ()  # files of keys, private or public; without any, the usual files are tried
    keys_named: bool = False  # whether hosts.yaml names the key, so that it has to be there
    certificates: tuple[str, ...] = ()  # files of certificates beside those that lie beside the keys
    identities_only: bool = False  # whether keys of the agent that are not among ``keys`` are left alone
    agent: str = ""  # socket of the agent; empty for none
    connect_timeout: int = 5  # seconds
    family: str = ""  # ``inet`` or ``inet6`` where only one kind of address is wanted
    bind_address: str = ""  # own address to connect from
    algorithms: Algorithms = Algorithms()  # what is offered
    jump: SshTarget | None = None  # the server through which it is reached, or none
    proxy_command: str = ""  # shell text of a program through which it is reached, or nothing
    sudo: bool = False  # whether commands run by ``sudo -n``
    typed: str = ""  # the login as one would type it, where that is more than user, port and host
    # keyword, value and place of each line of ssh's configuration that counts here
    taken: tuple[tuple[str, str, str], ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)  # what is said there and not followed

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
