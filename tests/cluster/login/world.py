"""Real OpenSSH servers on loopback, an agent, and one ssh_config that `ssh` and lingctl are both given."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from lingctl.errors import LingctlError
from lingctl.inventory.sections import Ssh
from lingctl.inventory.ssh.machine import Machine
from lingctl.inventory.ssh.resolve import resolve
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.command import script
from lingctl.remote.ssh.login.this_machine import this_machine
from lingctl.remote.ssh.node import SshConnection
from tests.cluster.conftest import SSHD, free_port
from tests.cluster.login.security_key import SoftSecurityKey

ME = getpass.getuser()


@dataclass
class SshServer:
    """A server that runs."""

    port: int
    log: Path


@dataclass
class World:
    """Everything of one case, in one folder.

    Attributes:
        config: text of the ssh_config; ``NAME`` in braces stands for a server's port.
    """

    folder: Path
    config: str = ""
    servers: dict[str, SshServer] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def key(self, name: str, *, kind: str = "ed25519", passphrase: str = "") -> Path:
        path = self.folder / name
        if not path.exists():
            self.run("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", name, "-f", path)
        return path

    def public(self, name: str) -> str:
        return (self.folder / f"{name}.pub").read_text().strip()

    def certify(self, name: str, *words: object, authority: str = "authority") -> None:
        """Sign a key; its certificate lies beside it then."""
        self.run(
            "ssh-keygen", "-q", "-s", self.key(authority), "-I", name, *words, self.folder / f"{name}.pub"
        )

    def known(self, *lines: str, file: str = "known_hosts") -> None:
        (self.folder / file).write_text("".join(f"{line}\n" for line in lines))

    def server(
        self,
        name: str = "node",
        *settings: str,
        allowed: Sequence[str] = ("id",),
        host_keys: Sequence[str] = ("host",),
        known: bool = True,
    ) -> SshServer:
        """Start one; its host key is appended to known_hosts."""
        for one in (*allowed, *host_keys):
            self.key(one)
        port, log = free_port(), self.folder / f"{name}.log"
        authorised = self.folder / f"{name}.authorized"
        authorised.write_text("".join(f"{self.public(one)}\n" for one in allowed))
        lines = [
            *settings,
            f"Port {port}",
            "ListenAddress 127.0.0.1",
            f"PidFile {self.folder}/{name}.pid",
            f"AuthorizedKeysFile {authorised}",
            "StrictModes no",
            "PermitRootLogin yes",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "SetEnv SHLVL=1",
            *(f"HostKey {self.folder / one}" for one in host_keys),
            *(
                f"HostCertificate {path}"
                for one in host_keys
                if (path := self.folder / f"{one}-cert.pub").exists()
            ),
        ]
        file = self.folder / f"{name}.sshd"
        file.write_text("\n".join(lines) + "\n")
        Path("/run/sshd").mkdir(parents=True, exist_ok=True)
        self._running.append(
            subprocess.Popen([SSHD, "-D", "-e", "-f", file], stdin=subprocess.DEVNULL, stderr=log.open("wb"))
        )
        self.await_port(port)
        if known:
            with (self.folder / "known_hosts").open("a") as file_of_keys:
                file_of_keys.writelines(f"[127.0.0.1]:{port} {self.public(one)}\n" for one in host_keys)
        self.servers[name] = SshServer(port, log)
        return self.servers[name]

    def agent(self, *names: str) -> Path:
        at = self.folder / "agent.sock"
        self._running.append(subprocess.Popen(["ssh-agent", "-D", "-a", at], stdout=subprocess.DEVNULL))
        deadline = time.monotonic() + 20
        while not at.exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        ask = self.folder / "ask"
        ask.write_text("#!/bin/sh\necho secret\n")
        ask.chmod(0o700)
        words = {"SSH_AUTH_SOCK": str(at), "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
        for name in names:
            self.run("ssh-add", "-q", self.key(name), env={**os.environ, **words})
        self.environment["SSH_AUTH_SOCK"] = str(at)
        return at

    def security_key(self) -> str:
        """Start an agent with a key as a security key has one; its public key."""
        agent = SoftSecurityKey(self.folder / "sk.sock")
        self.environment["SSH_AUTH_SOCK"] = str(agent.path)
        return agent.public

    def hosts(self, *lines: str, name: str = "n1", server: str = "node") -> None:
        """Append a Host to the configuration."""
        self.config += f"Host {name}\n  HostName 127.0.0.1\n  Port {self.servers[server].port}\n"
        self.config += "".join(f"  {line}\n" for line in lines)

    @property
    def file(self) -> Path:
        path = self.folder / "config"
        usual = f"Host *\n  UserKnownHostsFile {self.folder}/known_hosts\n  GlobalKnownHostsFile none\n"
        usual += f"  IdentityFile {self.folder}/id\n  User {ME}\n  ConnectTimeout 15\n"
        path.write_text(self.config + usual)
        return path

    # -- the two clients

    def ssh(self, name: str = "n1", command: str = "echo in") -> subprocess.CompletedProcess[str]:
        words = ["ssh", "-F", str(self.file), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        return subprocess.run(
            [*words, name, command],
            env={**os.environ, "SSH_AUTH_SOCK": "", **self.environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def machine(self) -> Machine:
        return replace(this_machine(), environment={**os.environ, "SSH_AUTH_SOCK": "", **self.environment})

    def target(self, name: str = "n1", **said: object) -> SshTarget:
        return resolve(name, Ssh.model_validate({"config": str(self.file), **said}), self.machine())

    @contextmanager
    def connected(self, name: str = "n1", **said: object) -> Iterator[SshConnection]:
        connection = SshConnection(name, self.target(name, **said))
        try:
            yield connection
        finally:
            connection.close()

    def lingctl(self, name: str = "n1", **said: object) -> LingctlError | None:
        """None when the node answered, else why not."""
        try:
            with self.connected(name, **said) as connection:
                assert connection.run(script("echo in")).stdout == "in\n"
        except LingctlError as error:
            return error
        return None

    # -- its end

    def run(self, *words: object, env: dict[str, str] | None = None) -> None:
        done = subprocess.run(
            [str(word) for word in words], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def await_port(self, port: int) -> None:
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def close(self) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
