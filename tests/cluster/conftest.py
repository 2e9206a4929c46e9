"""A real OpenSSH server on a loopback address of its own."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lingctl.inventory.ssh.target import SshTarget
from tests.cluster.lab import Lab, why_not

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"

# What this machine's own ~/.bashrc starts, a test does not depend on: bash reads it where sshd starts it,
# unless another bash did.
_NO_LOGIN_FILES = "SetEnv SHLVL=1"


@dataclass
class Server:
    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def target(self) -> SshTarget:
        return SshTarget(
            host="127.0.0.1",
            user=getpass.getuser(),
            port=self.port,
            keys=(str(self.directory / "id"),),
            keys_named=True,
            identities_only=True,
            known_hosts=(str(self.directory / "known_hosts"),),
            global_known_hosts=(),
        )


def keyless(server: Server) -> SshTarget:
    """How to log in there with the agent and the usual files."""
    return replace(server.target, keys=(), keys_named=False, identities_only=False)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not Path(SSHD).exists():
        pytest.skip("OpenSSH's server is not installed: apt-get install openssh-server")
    directory = tmp_path_factory.mktemp("sshd")
    directory.chmod(0o700)
    for name in ("host", "id", "other"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True
        )
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(directory / "locked")], check=True
    )
    keys = (directory / "id.pub").read_text() + (directory / "locked.pub").read_text()
    (directory / "authorized_keys").write_text(keys)
    port = free_port()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} " + (directory / "host.pub").read_text())
    Path("/run/sshd").mkdir(exist_ok=True)
    with serving(directory, port, f"Subsystem sftp internal-sftp\n{_NO_LOGIN_FILES}") as server:
        yield server


@contextmanager
def serving(directory: Path, port: int, subsystem: str) -> Iterator[Server]:
    """An SSH server with the keys in ``directory`` while the block runs."""
    config = directory / f"config-{port}"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\nPidFile {directory}/pid-{port}\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\nStrictModes no\n"
        "UsePAM no\nPasswordAuthentication no\n"
        f"PermitRootLogin prohibit-password\n{subsystem}\n"
    )
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        with socket.socket() as probe:
            while probe.connect_ex(("127.0.0.1", port)) != 0:
                assert process.poll() is None and time.monotonic() < deadline, "sshd does not come up"
                time.sleep(0.02)
        yield Server(directory, port, process)
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two nodes of two cards, with nothing deployed yet."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    lab = Lab(Path(tempfile.mkdtemp(prefix="lingctl-lab-", dir="/var/tmp")) / "lab")
    try:
        lab.up()
        yield lab
    finally:
        lab.down()
        lab.directory.parent.rmdir()
