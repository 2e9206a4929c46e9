"""The keys to log in with: a named file, else the agent's, else the usual files. Never a password."""

from __future__ import annotations

import contextlib
import os
import shlex
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import paramiko

from lingctl.errors import ConnectError

_USUAL_FILES = ("id_ed25519", "id_ecdsa", "id_rsa")
_PASSPHRASE_VARIABLE = "LINGCTL_SSH_KEY_PASSPHRASE"  # noqa: S105  (the variable's name, not a secret)
# sshd ends the connection after MaxAuthTries (6) wrong keys.
_MOST_KEYS = 5
_AGENT_SECONDS = 10.0


def login_keys(key_file: str | None, node: str) -> list[paramiko.PKey]:
    """Keys to try, in order, at most five.

    Raises:
        ConnectError: the named file cannot be used, the agent does not answer, or there is no key at all.
    """
    if key_file:
        return [_load(Path(key_file).expanduser(), node)]
    keys, unusable = list(_agent_keys(node)), []
    for path in _usual_files():
        try:
            keys.append(_load(path, node))
        except ConnectError as error:
            unusable.append(error.what)
    if not keys:
        raise ConnectError(
            "no key to log in with",
            where=node,
            evidence="\n".join(unusable),
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


def _agent_keys(node: str) -> Sequence[paramiko.PKey]:
    """The agent's keys; none when there is no agent. paramiko would wait for a hung agent for ever."""
    found: list[paramiko.PKey] = []

    def ask() -> None:
        with contextlib.suppress(paramiko.SSHException, OSError):
            found.extend(paramiko.Agent().get_keys())

    asking = threading.Thread(target=ask, name="lingctl-agent", daemon=True)
    asking.start()
    asking.join(_AGENT_SECONDS)
    if asking.is_alive():
        raise ConnectError(
            f"the ssh-agent does not answer within {_AGENT_SECONDS:g} s",
            where=node,
            evidence=f"SSH_AUTH_SOCK={os.environ.get('SSH_AUTH_SOCK', '')}",
            remedy="see whether it hangs: ssh-add -l; or name a key file: ssh: {key: ~/.ssh/id_ed25519}",
            code="agent-silent",
        )
    return found


def _usual_files() -> Iterator[Path]:
    for name in _USUAL_FILES:
        path = Path("~/.ssh").expanduser() / name
        if path.exists():
            yield path
