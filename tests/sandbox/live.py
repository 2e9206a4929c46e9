"""A live sandbox for tests: the command line, the nodes over SSH, faults that heal by themselves."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paramiko

from tests import forked

TIME_SCALE = 0.005


@dataclass(frozen=True)
class Result:
    """How a command ended and what it said."""

    status: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.stdout)

    @property
    def said(self) -> str:
        """Both streams, for assertions on words."""
        return self.stdout + self.stderr


def lingctl(
    *words: str | Path,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout: float = 600,
) -> Result:
    """Run lingctl, without a terminal and without the caller's LINGCTL_* settings."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("LINGCTL_")}
    done = forked.run(*words, stdin=stdin, cwd=cwd, env={**inherited, **(environment or {})}, timeout=timeout)
    return Result(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Live:
    """A running sandbox."""

    directory: Path

    @property
    def hosts(self) -> Path:
        """Its hosts.yaml."""
        return self.directory / "hosts.yaml"

    @property
    def state(self) -> Any:
        """``lingctl sandbox status --json``."""
        return lingctl("sandbox", "status", "--json", "--dir", self.directory).document

    def address(self, node: str) -> str:
        """Where a node is reached."""
        cluster = json.loads((self.directory / "state" / f"{node}.json").read_text())
        return str(cluster["address"])

    def lingctl(self, *words: str | Path, **options: Any) -> Result:
        """Lingctl with this cluster's hosts.yaml as LINGCTL_NODES."""
        environment = {"LINGCTL_NODES": str(self.hosts), **options.pop("environment", {})}
        return lingctl(*words, environment=environment, **options)

    def on(self, node: str, command: str, stdin: str = "", timeout: float = 300) -> Result:
        """Run a command on a node as root over SSH."""
        with self.login(node) as client:
            channel = client.get_transport().open_session()
            channel.settimeout(timeout)
            channel.exec_command(command)
            if stdin:
                channel.sendall(stdin.encode())
                channel.shutdown_write()
            out = channel.makefile("rb").read().decode()
            err = channel.makefile_stderr("rb").read().decode()
            return Result(channel.recv_exit_status(), out, err)

    def until(self, node: str, command: str, seconds: float = 120) -> Result:
        """Run a command on a node again and again until its exit status is 0."""
        deadline = time.monotonic() + seconds
        while (done := self.on(node, command)).status != 0:
            assert time.monotonic() < deadline, f"in vain: {command}: {done.said}"
            time.sleep(0.05)
        return done

    @contextmanager
    def login(self, node: str) -> Iterator[paramiko.SSHClient]:
        """A client that is logged in to a node, its host key checked."""
        with paramiko.SSHClient() as client:
            client.load_host_keys(str(self.directory / "known_hosts"))
            client.connect(
                self.address(node),
                2222,
                "root",
                key_filename=str(self.directory / "key"),
                allow_agent=False,
                look_for_keys=False,
                timeout=60,
                banner_timeout=60,
                auth_timeout=60,
            )
            yield client

    def break_(self, node: str, fault: str) -> None:
        """Set a fault."""
        done = lingctl("sandbox", "break", node, fault, "--dir", self.directory)
        assert done.status == 0, done.said

    def heal(self, *words: str) -> None:
        """Take faults away."""
        done = lingctl("sandbox", "heal", *words, "--dir", self.directory)
        assert done.status == 0, done.said

    @contextmanager
    def broken(self, node: str, fault: str) -> Iterator[None]:
        """A fault for the length of a block."""
        self.break_(node, fault)
        try:
            yield
        finally:
            self.heal(node, fault.partition("=")[0])


@contextmanager
def sandbox(directory: Path, *options: str, environment: Mapping[str, str] | None = None) -> Iterator[Live]:
    """A sandbox for the length of a block."""
    words = ["sandbox", "up", "--dir", str(directory), "--time-scale", str(TIME_SCALE), *options]
    started = lingctl(*words, environment=environment)
    try:
        assert started.status == 0, started.said
        yield Live(directory)
    finally:
        ended = lingctl("sandbox", "down", "--dir", directory)
        assert ended.status == 0, ended.said
