"""Why a server did not let us in, each for what it is, with what to do about it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from lingctl.errors import ConnectError
from lingctl.inventory.ssh.target import SshTarget
from lingctl.remote.ssh.login.algorithms import (
    CIPHERS_ON_REQUEST,
    KEX_ON_REQUEST,
    MACS_ON_REQUEST,
    SIGNATURES_ON_REQUEST,
)
from lingctl.remote.ssh.login.authentication import Offered
from lingctl.remote.ssh.login.keys.login_keys import LoginKeys

if TYPE_CHECKING:
    from lingctl.remote.ssh.login.transport import Transport

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
    refused: Offered, keys: LoginKeys, target: SshTarget, said: tuple[str, str], node: str
) -> ConnectError:
    """The error of a login that was refused; ``said`` are the server's last words, and its notice before."""
    last_words, notice = said
    what, remedy, code = _why(refused, keys, target, last_words)
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


def _why(refused: Offered, keys: LoginKeys, target: SshTarget, last_words: str) -> tuple[str, str, str]:
    """What is wrong, what to do, and the code of it."""
    who, methods, count = f"{target.user}@{target.host}", ", ".join(refused.methods), len(refused.tried)
    some_keys = f"key{'' if count == 1 else 's'}"
    if refused.accepted:
        what = f"{who} accepts our key, and also asks for a second factor: {methods or 'more'}"
        remedy = (
            "lingctl logs in by keys alone; let the server take a key alone for this login from here: "
            f"AuthenticationMethods publickey in its sshd_config, under Match User {target.user}"
        )
        return what, remedy, "login-second-factor"
    if refused.ended and "too many" in last_words.lower():
        what = f"{who} ends the login after {count} {some_keys}: too many were offered (its MaxAuthTries)"
        remedy = (
            "name the right one, which is then the only one that is offered: ssh: {key: ~/.ssh/id_ed25519} "
            "in hosts.yaml (ssh.key); of a key that only the agent holds, name the .pub file"
        )
        return what, remedy, "login-too-many-keys"
    if refused.ended:
        what = f"{who} ended the connection during the login"
        remedy = (
            "its log says why (LoginGraceTime, /etc/nologin, an expired account): journalctl -u sshd -u ssh"
        )
        return what, remedy, "login-broken"
    if _KEYS not in refused.methods:
        what = f"{who} takes no keys at all, only {methods or 'nothing'}"
        remedy = (
            "let it take keys: PubkeyAuthentication yes in its sshd_config, and AuthenticationMethods, if "
            "set, with publickey; lingctl gives no password"
        )
        return what, remedy, "login-takes-no-keys"
    if not keys.found:
        what = "the keys that are named cannot be used" if target.keys else "no key to log in with"
        remedy = "start an ssh-agent with a key in it, or name a key file: ssh: {key: ~/.ssh/id_ed25519}"
        return what, remedy, "no-login-key"
    remedy = shlex.join(["ssh-copy-id", "-p", str(target.port), who])
    if target.user == "root":
        remedy += "; where root may not log in at all (PermitRootLogin), name another user"
    return f"{who} does not accept our {some_keys}", remedy, "login-refused"


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
