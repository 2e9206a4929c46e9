"""The keys to log in with: a named file, else the agent's, else the usual files. Never a password."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import paramiko

from lingctl.errors import ConnectError

_USUAL_FILES = ("id_ed25519", "id_ecdsa", "id_rsa")
_PASSPHRASE_VARIABLE = "LINGCTL_SSH_KEY_PASSPHRASE"  # noqa: S105  (the variable's name, not a secret)
# sshd ends the connection after MaxAuthTries (6) wrong keys.
_MOST_KEYS = 5


def login_keys(key_file: str | None, node: str) -> list[paramiko.PKey]:
    """Keys to try, in order, at most five.

    Raises:
        ConnectError: the named file cannot be used, or there is no key at all.
    """
    if key_file:
        return [_load(Path(key_file).expanduser(), node)]
    keys = list(_agent_keys()) + list(_usual_keys(node))
    if not keys:
        raise ConnectError(
            "no key to log in with",
            where=node,
            remedy="start an ssh-agent with a key in it, or name a key file: ssh: {key: ~/.ssh/id_ed25519}",
            code="no-login-key",
        )
    return keys[:_MOST_KEYS]


def _load(path: Path, node: str) -> paramiko.PKey:
    try:
        passphrase = os.environ.get(_PASSPHRASE_VARIABLE)
        # Declared str, but handed on to cryptography, which takes bytes only (paramiko 5.1).
        return paramiko.PKey.from_path(path, passphrase.encode() if passphrase else None)  # type: ignore[arg-type]
    except FileNotFoundError as error:
        raise ConnectError(
            f"key file {path} does not exist",
            where=node,
            remedy="correct ssh.key in hosts.yaml, or make one: ssh-keygen -t ed25519",
            code="login-key-missing",
        ) from error
    except (paramiko.PasswordRequiredException, TypeError) as error:
        raise ConnectError(
            f"key file {path} needs a passphrase",
            where=node,
            remedy=f"ssh-add {path}, and leave ssh.key out; or set {_PASSPHRASE_VARIABLE}",
            code="login-key-encrypted",
        ) from error
    except Exception as error:  # paramiko and cryptography raise many kinds for a broken file
        raise ConnectError(
            f"key file {path} cannot be read: {error}",
            where=node,
            remedy=f"is it a private key that you may read? ssh-keygen -y -f {shlex.quote(str(path))}",
            code="login-key-unreadable",
        ) from error


def _agent_keys() -> Iterator[paramiko.PKey]:
    try:
        yield from paramiko.Agent().get_keys()
    except paramiko.SSHException:
        return


def _usual_keys(node: str) -> Iterator[paramiko.PKey]:
    for name in _USUAL_FILES:
        path = Path("~/.ssh").expanduser() / name
        if path.exists():
            try:
                yield _load(path, node)
            except ConnectError:
                continue
