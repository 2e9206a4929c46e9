"""A command in whose place the server, or sudo, did something else: why, and what to do."""

from __future__ import annotations

from lingctl.errors import ConnectError, LingctlError, NodeError
from lingctl.inventory.ssh.target import SshTarget

_SUDOERS = "echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/lingctl as root there"
# By what sudo says, in English and where the rest of the line does not depend on the language.
_REFUSALS = (
    (("a password is required", "a terminal is required", "password:"), "asks for a password", _SUDOERS),
    (
        ("must have a tty", "tty"),
        "wants a terminal (requiretty)",
        "echo 'Defaults:{user} !requiretty' > /etc/sudoers.d/lingctl-tty as root there",
    ),
    (
        ("sudoers", "not allowed", "may not run"),
        "does not let {user} run everything",
        _SUDOERS,
    ),
    (("not found", "No such file"), "is not there", "install sudo, or log in as root: ssh: {{user: root}}"),
)


def not_run(title: str, said: str, target: SshTarget, node: str) -> LingctlError:
    """The error of a command that did not begin; ``said`` is what came instead."""
    if target.sudo and "sudo" in said:
        return _sudo_refused(said, target, node)
    what = "the login shell did not run it"
    if "sftp" in said.lower():
        what = "the server lets this login transfer files only, and run no command"
    return NodeError(
        f"{title}: {what}",
        where=node,
        evidence=said,
        remedy=f"try by hand: {target.by_hand} echo ok\n"
        "look at the user's shell and ~/.bashrc there, ForceCommand and ChrootDirectory in its sshd_config, "
        "and command= in authorized_keys",
        code="not-run",
    )


def _sudo_refused(said: str, target: SshTarget, node: str) -> ConnectError:
    what, remedy = "did not run the command", f"try by hand: {target.by_hand} sudo -n true"
    for words, reason, cure in _REFUSALS:
        if any(word in said for word in words):
            what, remedy = reason.format(user=target.user), cure.format(user=target.user)
            break
    return ConnectError(f"sudo {what}", where=node, evidence=said, remedy=remedy, code="sudo-refused")
