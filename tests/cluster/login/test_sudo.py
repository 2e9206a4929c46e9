"""Logins that are not root's: commands by sudo, and what sudo refuses.

The programs in the place of sudo say what sudo 1.9 said; with the real one all of this was tried by hand, for
it has to belong to root and needs an account.
"""

from __future__ import annotations

import os

import pytest

from lingctl.errors import ConnectError
from lingctl.remote.command import script
from lingctl.remote.putting import write_error
from lingctl.remote.upload import WriteFile
from tests.cluster.login.test_login import pytestmark as pytestmark
from tests.cluster.login.world import World

RUNS = '[ "$1 $2" = "-n --" ] || exit 9\nshift 2\nBY_SUDO=yes exec "$@"\n'


def with_sudo(world: World, text: str) -> None:
    """A server whose sudo is this shell text."""
    folder = world.folder / "bin"
    folder.mkdir()
    (folder / "sudo").write_text(f"#!/bin/sh\n{text}")
    (folder / "sudo").chmod(0o755)
    world.server("node", f"SetEnv PATH={folder}:{os.environ['PATH']}")
    world.hosts()


def test_commands_and_files_go_by_sudo(world: World):
    with_sudo(world, RUNS)
    target = str(world.folder / "new" / "file")
    with world.connected(sudo=True) as node:
        done = node.run(script('echo "$BY_SUDO $1 ${LC_ALL-none}"; echo err >&2; exit 7', "a 'b' \"c\" $d"))
        assert (done.stdout, done.stderr, done.exit_status) == ("yes a 'b' \"c\" $d none\n", "err\n", 7)
        node.put(WriteFile(target, b"x" * 200_000, 0o640))
        assert node.get(target) == b"x" * 200_000
    with world.connected() as node:
        assert node.run(script('echo "by sudo: $BY_SUDO"')).stdout == "by sudo: \n"


@pytest.mark.parametrize(
    ("said", "word"),
    [
        ("sudo: a password is required", "NOPASSWD"),
        ("sudo: sorry, you must have a tty to run sudo", "!requiretty"),
        ("ops is not in the sudoers file.\nsudo: 1 incident has been reported", "NOPASSWD"),
        ("Sorry, user ops is not allowed to execute '/bin/sh' as root on node1.\nsudo: no", "NOPASSWD"),
        ("sh: 1: sudo: not found", "user: root"),
        ("sudo: something that nobody heard of", "sudo -n true"),
    ],
)
def test_what_sudo_refuses_is_told_with_what_to_write(world: World, said: str, word: str):
    with_sudo(world, f"cat >&2 <<'END'\n{said}\nEND\nexit 1\n")
    with world.connected(sudo=True) as node, pytest.raises(ConnectError) as caught:
        node.run(script("true"))
    assert (caught.value.code, caught.value.where) == ("sudo-refused", "n1")
    assert word in caught.value.remedy and said.splitlines()[0] in caught.value.evidence


def test_a_file_that_may_not_be_written_names_sudo():
    why = "mkdir: cannot create directory '/var/lib/lingctl': Permission denied"
    assert "sudo: true" in write_error("/var/lib/lingctl/a", why, None, "n1").remedy
    assert "sudo" not in write_error("/var/lib/lingctl/a", "Read-only file system", None, "n1").remedy
