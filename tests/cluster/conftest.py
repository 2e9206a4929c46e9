"""A real OpenSSH server on a loopback address of its own."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lingctl.inventory.cluster import Ssh
from tests.cluster.lab import Lab, why_not

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"


@dataclass
class Server:
    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def settings(self) -> Ssh:
        return Ssh(
            user=getpass.getuser(),
            port=self.port,
            key=str(self.directory / "id"),
            known_hosts=str(self.directory / "known_hosts"),
            connect_timeout=5,
        )


def _free_port() -> int:
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
    port = _free_port()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} " + (directory / "host.pub").read_text())
    Path("/run/sshd").mkdir(exist_ok=True)
    (directory / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\nPidFile {directory}/pid\n"
        f"AuthorizedKeysFile {directory}/authorized_keys\nStrictModes no\n"
        "UsePAM no\nPasswordAuthentication no\n"
        "PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
    )
    process = subprocess.Popen([SSHD, "-D", "-e", "-f", str(directory / "config")], stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield Server(directory, port, process)
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
