"""What to log in with, in OpenSSH's order: named keys that the agent holds, its other keys, then files.

Never a password. A certificate comes before the plain key that it is about.
"""

from __future__ import annotations

import functools
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from lingctl.errors import ConnectError
from lingctl.inventory.given_file import with_home
from lingctl.inventory.ssh.target import NO_KEY_FILES, USUAL_KEYS, SshTarget
from lingctl.remote.ssh.login.keys.agent import Agent, AgentError, AgentKey, AgentSilentError
from lingctl.remote.ssh.login.keys.key_files import (
    PASSPHRASE_VARIABLE,
    KeyFileError,
    KeyLockedError,
    Sign,
    certificate_beside,
    load_private,
    public_key,
    public_part,
)
from lingctl.remote.ssh.login.wire import certified_key, fingerprint, is_certificate, kind_of


@dataclass(frozen=True, slots=True)
class LoginKey:
    """A key or certificate that can be offered."""

    blob: bytes  # what is shown to the server
    source: str  # the file, or the name in the agent
    sign: Sign  # proves that we have it
    # whether the agent signs: the server is asked first whether it would take the key, for a person may have
    # to touch or confirm something
    by_agent: bool

    def __str__(self) -> str:
        return f"{fingerprint(self.blob)} ({self.source})"


@dataclass(frozen=True, slots=True)
class LoginKeys:
    """All that can be tried."""

    found: tuple[LoginKey, ...]  # in order
    unusable: tuple[str, ...]  # a line for each key that was looked for and cannot be used


@dataclass(slots=True)
class _File:
    path: Path
    blob: bytes
    certificates: list[bytes] = field(default_factory=list)
    sign: Sign | None = None
    there: bool = True
    trouble: KeyFileError | None = None


def find_login_keys(target: SshTarget, node: str) -> LoginKeys:
    """What can be offered to a server.

    Raises:
        ConnectError: the key that hosts.yaml names cannot be used, or the agent does not answer.
    """
    files = [_look(with_home(name)) for name in target.keys or USUAL_KEYS if name not in NO_KEY_FILES]
    # Where all that may be tried can be read here, nobody waits for an agent.
    settled = target.identities_only and all(file.sign for file in files) and bool(files)
    held = [] if settled or not target.agent else _held(target.agent, node)
    return _sorted(target, files, held, node)


def _sorted(target: SshTarget, files: list[_File], held: list[AgentKey], node: str) -> LoginKeys:
    agent = Agent(target.agent)
    of_agent: dict[bytes, LoginKey] = {
        key.blob: LoginKey(
            key.blob, f"agent: {key.comment}", functools.partial(agent.sign, key.blob), by_agent=True
        )
        for key in held
    }
    extra = [blob for name in target.certificates if is_certificate(blob := public_key(with_home(name)))]
    named: list[LoginKey] = []
    rest: list[LoginKey] = []
    unusable: list[str] = []
    for file in files:
        kept = of_agent.get(file.blob) if file.blob else None
        sign = kept.sign if kept else file.sign
        if sign is None:
            why = _why_not(file, target, node)
            unusable += [why] if why else []
            continue
        beside = extra or file.certificates
        group = [blob for blob in beside if certified_key(blob) == file.blob]
        mine = [LoginKey(blob, str(file.path), sign, kept is not None) for blob in (*group, file.blob)]
        (named if kept else rest).extend(mine)
    taken = {one.blob for one in (*named, *rest)}
    others = [one for one in of_agent.values() if one.blob not in taken]
    if target.identities_only:
        # A certificate of a named key may be in the agent alone.
        others = [one for one in others if is_certificate(one.blob) and certified_key(one.blob) in taken]
        named = others + named
        others = []
    return LoginKeys((*named, *others, *rest), tuple(unusable))


def _look(path: Path) -> _File:
    beside = certificate_beside(path)
    file = _File(path, public_part(path), [beside] if beside else [])
    try:
        private = load_private(path)
        file.blob, file.sign = private.blob, private.sign
    except FileNotFoundError:
        file.there = False
    except KeyFileError as error:
        file.trouble = error
    return file


def _why_not(file: _File, target: SshTarget, node: str) -> str:
    """Why a file cannot be used; an error where hosts.yaml names it."""
    path, shown = file.path, shlex.quote(str(file.path))
    if not target.keys and not file.there:
        return ""
    if not file.there and not file.blob:
        what, code = f"key file {path} does not exist", "login-key-missing"
        remedy = "correct ssh.key in hosts.yaml, or make one: ssh-keygen -t ed25519"
    elif public_key(path) or not file.there:
        what, code = f"the agent does not hold the key of {path}", "login-key-not-in-agent"
        remedy = f"ssh-add {shlex.quote(str(path).removesuffix('.pub'))}; what it holds: ssh-add -L"
    elif isinstance(file.trouble, KeyLockedError):
        what, code = f"key file {path} needs a passphrase", "login-key-encrypted"
        remedy = f"ssh-add {shown}; or set {PASSPHRASE_VARIABLE}"
    elif kind_of(file.blob).startswith("sk-"):
        what, code = (
            f"key file {path} belongs to a security key, which only an agent can ask",
            "login-key-of-device",
        )
        remedy = f"ssh-add {shown}"
    else:
        what, code = f"key file {path} cannot be read: {file.trouble}", "login-key-unreadable"
        remedy = f"is it a private key that you may read? ssh-keygen -y -f {shown}"
    if target.keys_named:
        raise ConnectError(what, where=node, remedy=remedy, code=code)
    return what


def _held(path: str, node: str) -> list[AgentKey]:
    try:
        return Agent(path).keys()
    except AgentSilentError as error:
        raise ConnectError(
            f"the ssh-agent gives {error}", where=node, evidence=f"its socket: {path}", code="agent-silent"
        ) from error
    except AgentError:
        return []
