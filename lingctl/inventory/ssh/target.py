"""An SSH server and how to log in there: what hosts.yaml and OpenSSH's configuration come to."""

from __future__ import annotations

from dataclasses import dataclass

from lingctl.inventory.sections import Ssh

USER_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


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
        keys: files of keys, private or public; without any, the usual files are tried.
        keys_named: whether hosts.yaml names the key, so that it has to be there.
        certificates: files of certificates beside those that lie beside the keys.
        identities_only: whether keys of the agent that are not among ``keys`` are left alone.
        agent: socket of the agent; empty for none.
        connect_timeout: seconds.
        algorithms: what is offered.
    """

    host: str
    port: int = 22
    user: str = "root"
    host_key_alias: str = ""
    known_hosts: tuple[str, ...] = USER_KNOWN_HOSTS
    global_known_hosts: tuple[str, ...] = GLOBAL_KNOWN_HOSTS
    keys: tuple[str, ...] = ()
    keys_named: bool = False
    certificates: tuple[str, ...] = ()
    identities_only: bool = False
    agent: str = ""
    connect_timeout: int = 5
    algorithms: Algorithms = Algorithms()

    @property
    def by_hand(self) -> str:
        """The login as one would type it, for a remedy."""
        return f"ssh -p {self.port} {self.user}@{self.host}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names under which its host key may be kept, the one that is written first."""
        if self.host_key_alias:
            return (self.host_key_alias,)
        host = self.host.lower()
        return (host,) if self.port == 22 else (f"[{host}]:{self.port}", host)


def target_of(host: str, settings: Ssh, agent: str) -> SshTarget:
    """How to log in to a host with what hosts.yaml says.

    Args:
        host: the node's address.
        settings: of the node.
        agent: socket of the environment's agent, or nothing.
    """
    return SshTarget(
        host=host,
        port=settings.port,
        user=settings.user,
        known_hosts=(settings.known_hosts,),
        keys=(settings.key,) if settings.key else (),
        keys_named=bool(settings.key),
        identities_only=bool(settings.key),
        agent=agent,
        connect_timeout=settings.connect_timeout,
    )
