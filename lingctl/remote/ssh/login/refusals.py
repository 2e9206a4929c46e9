"""Why a server did not let us in, each for what it is, with what to do about it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from lingctl.errors import ConnectError
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.ssh.login.algorithms import (
    CIPHERS_ON_REQUEST,
    KEX_ON_REQUEST,
    MACS_ON_REQUEST,
    SIGNATURES_ON_REQUEST,
)
from lingctl.remote.ssh.login.authentication import RefusedError
from lingctl.remote.ssh.login.keys.login_keys import LoginKeys

if TYPE_CHECKING:
    from lingctl.remote.ssh.login.transport import Transport

_Kind = Callable[[RefusedError, SshTarget], tuple[str, str, str]]
"""What is wrong, what to do, and the code of it."""

_KEYS = "publickey"


class _Algorithms(NamedTuple):
    word: str  # in paramiko's message
    name: str
    option: str  # of ssh_config and sshd_config
    ours: str  # paramiko's names
    theirs: str
    on_request: tuple[str, ...]


_LISTS = (
    _Algorithms("kex", "key exchange", "KexAlgorithms", "preferred_kex", "kex_algo_list", KEX_ON_REQUEST),
    _Algorithms(
        "host key",
        "host key",
        "HostKeyAlgorithms",
        "preferred_keys",
        "server_key_algo_list",
        SIGNATURES_ON_REQUEST,
    ),
    _Algorithms("macs", "MAC", "MACs", "preferred_macs", "client_mac_algo_list", MACS_ON_REQUEST),
    _Algorithms(
        "ciphers", "cipher", "Ciphers", "preferred_ciphers", "client_encrypt_algo_list", CIPHERS_ON_REQUEST
    ),
)


def refusal(
    refused: RefusedError, keys: LoginKeys, target: SshTarget, said: tuple[str, str], node: str
) -> ConnectError:
    """The error of a login that was refused; ``said`` are the server's last words, and its notice before."""
    last_words, notice = said
    kind = _kind(refused, keys, last_words)
    what, remedy, code = kind(refused, target)
    lines = [f"tried {one}" for one in refused.tried]
    lines += [f"accepted {one}" for one in refused.accepted if one not in refused.tried]
    lines += [f"not tried: {one}" for one in refused.left]
    lines += [*refused.troubles, *keys.unusable]
    if refused.methods:
        lines.append(f"it goes on with: {', '.join(refused.methods)}")
    if last_words:
        lines.append(f"it said: {last_words}")
    lines += [f"its notice: {line}" for line in notice.splitlines()[:3] if line.strip()]
    return ConnectError(what, where=node, evidence="\n".join(lines), remedy=remedy, code=code)


def _kind(refused: RefusedError, keys: LoginKeys, last_words: str) -> _Kind:
    if refused.accepted:
        return _second_factor
    if refused.ended:
        return _too_many if "too many" in last_words.lower() else _ended
    if _KEYS not in refused.methods:
        return _takes_no_keys
    return _not_accepted if keys.found else _no_key


def _second_factor(refused: RefusedError, target: SshTarget) -> tuple[str, str, str]:
    more = ", ".join(refused.methods) or "more"
    return (
        f"{target.user}@{target.host} accepts our key, and also asks for a second factor: {more}",
        "lingctl logs in by keys alone; let the server take a key alone for this login from here: "
        f"AuthenticationMethods publickey in its sshd_config, under Match User {target.user}",
        "login-second-factor",
    )


def _ended(_refused: RefusedError, target: SshTarget) -> tuple[str, str, str]:
    return (
        f"{target.user}@{target.host} ended the connection during the login",
        "its log says why (LoginGraceTime, /etc/nologin, an expired account): journalctl -u sshd -u ssh",
        "login-broken",
    )


def _too_many(refused: RefusedError, target: SshTarget) -> tuple[str, str, str]:
    count = len(refused.tried)
    return (
        f"{target.user}@{target.host} ends the login after {count} key{'' if count == 1 else 's'}: "
        "too many were offered (its MaxAuthTries)",
        "name the right one, which is then the only one that is offered: ssh: {key: ~/.ssh/id_ed25519} "
        "in hosts.yaml (ssh.key); of a key that only the agent holds, name the .pub file",
        "login-too-many-keys",
    )


def _takes_no_keys(refused: RefusedError, target: SshTarget) -> tuple[str, str, str]:
    return (
        f"{target.user}@{target.host} takes no keys at all, only {', '.join(refused.methods) or 'nothing'}",
        "let it take keys: PubkeyAuthentication yes in its sshd_config, and AuthenticationMethods, if set, "
        "with publickey; lingctl gives no password",
        "login-takes-no-keys",
    )


def _no_key(_refused: RefusedError, target: SshTarget) -> tuple[str, str, str]:
    named = "the keys that are named cannot be used" if target.keys else "no key to log in with"
    return (
        named,
        "start an ssh-agent with a key in it, or name a key file: ssh: {key: ~/.ssh/id_ed25519}",
        "no-login-key",
    )


def _not_accepted(refused: RefusedError, target: SshTarget) -> tuple[str, str, str]:
    copy = ["ssh-copy-id", "-p", str(target.port), f"{target.user}@{target.host}"]
    root = (
        "; where root may not log in at all (PermitRootLogin), name another user"
        if target.user == "root"
        else ""
    )
    return (
        f"{target.user}@{target.host} does not accept our key{'' if len(refused.tried) == 1 else 's'}",
        shlex.join(copy) + root,
        "login-refused",
    )


def no_common_algorithm(text: str, transport: Transport, target: SshTarget, node: str) -> ConnectError:
    """The error of a server that has nothing in common with what is offered."""
    kind = next((kind for kind in _LISTS if kind.word in text.lower()), _LISTS[-1])
    theirs = transport.offered.get(kind.theirs, ())
    ours = getattr(transport, kind.ours)
    known = next((name for name in kind.on_request if name in theirs), "")
    remedy = f"let it offer one of these: {kind.option} in its sshd_config"
    if known:
        remedy = f"{remedy}; or, as it is old and weak, ask for it in ~/.ssh/config: {kind.option} +{known}"
    return ConnectError(
        f"no {kind.name} in common with the SSH server",
        where=node,
        evidence=f"it has {', '.join(theirs) or 'nothing'}\noffered {', '.join(ours)}",
        remedy=remedy,
        code="no-common-algorithm",
    )
