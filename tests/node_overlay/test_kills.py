"""A kill -9 at any moment of a change leaves a tree that the next run brings to one end or the other.

The child process counts its calls that change something on disk and kills itself before the n-th, for
every n until it gets through.
"""

import ctypes
import errno
import gc
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest

from lingctl.node.overlay import change, swap
from lingctl.node.overlay.tree import snapshot
from tests.node_overlay import trees

# Two files are as good as seven here, and the tree's names are looked at in other tests.
SMALL = trees.package(files={"__init__.py": '"""Ours."""\n', "layout.py": "ours = 1\n"}, requires={})
OLDER = trees.package(version="0.9.0", files={"__init__.py": '"""Older."""\n'}, requires={})

# Each kill is one process and two trees: make kills tries every one, make test every third.
_STEP = 1 if os.environ.get("LINGCTL_KILLS") == "all" else 3
_CALLS = ("rename", "replace", "mkdir", "unlink", "rmdir", "fsync", "chmod", "fchmod", "chown", "open")


def do(action, root, what=SMALL, **options):
    return trees.do(action, root, what, **options)


def state_of(root):
    return trees.state_of(root, SMALL)


def make_tree(folder):
    """As few files as make a tree."""
    root = folder / "atb_llm"
    for path in (*trees.UPSTREAM, "models/base/router.py"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(f"# stock {path}\n")
    return root


def _as_overlayfs(rename):
    """Folders of an image cannot be renamed in a container."""

    def call(source, target):
        if source.endswith("/bailing_moe"):
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(source, target)

    return call


def _die_before(number):
    """Make this process kill itself before its n-th change on disk."""
    left, opening = number, os.open

    def counted(function):
        def call(*args, **kwargs):
            nonlocal left
            is_reading = function is opening and not args[1] & (os.O_ACCMODE | os.O_CREAT | os.O_TRUNC)
            left -= not is_reading
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    for name in _CALLS:
        setattr(os, name, counted(getattr(os, name)))
    swap._exchange = counted(swap._exchange)


def _killed(number, work):
    """Whether ``work`` was killed before its n-th change; run in a child, for real."""
    child = os.fork()
    if child == 0:
        _die_before(number)
        try:
            work()
        except BaseException as error:
            print(error, file=sys.stderr)
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def _every_kill(tmp_path, prepare, work, judge):
    """Run ``work`` with a kill before each of its changes (see ``_STEP``), on a fresh tree each time."""
    number, killed = 0, True
    while killed:
        root = prepare(tmp_path / str(number))
        killed = _killed(number, lambda root=root: work(root))
        judge(root, killed)
        assert not [path for path in root.iterdir() if path.name.startswith(".lingctl")]
        shutil.rmtree(tmp_path / str(number))
        number += _STEP
    assert number > 10


@pytest.fixture
def tmp_path(tmp_path, monkeypatch):
    """In memory where the system has that: hundreds of trees are synced to it."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        monkeypatch.setenv("LINGCTL_ATB_STATE", f"{folder}/records")
        yield Path(folder)


@pytest.fixture(scope="module", autouse=True)
def _no_garbage():
    """A fork need not look for any in what is there now: it would copy all of it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No daemon: who runs from a tree is another question, and to look takes longer than a change does."""
    monkeypatch.setattr(change, "daemons_of", lambda root: [])


@pytest.fixture(params=["exchange", "two renames", "copies"])
def kernel(request, monkeypatch):
    """With the kernel's exchange of two folders, where it has none, and where a folder cannot be moved."""
    if request.param != "exchange":
        monkeypatch.setattr(swap, "_exchange", lambda one, other: False)
    if request.param == "copies":
        monkeypatch.setattr(os, "rename", _as_overlayfs(os.rename))
    elif request.param == "two renames":
        return
    elif not hasattr(ctypes.CDLL(None), "renameat2"):
        pytest.skip("this system has no renameat2")


def test_killed_while_applying(tmp_path):
    def judge(root, killed):
        stock = snapshot(str(make_tree(root.parent / "stock")))
        assert state_of(root) in ("absent", "applied")
        assert do("revert", root)["after"]["state"] == "absent"
        assert snapshot(str(root)) == stock
        do("apply", root)
        assert state_of(root) == "applied"
        assert do("revert", root)["identical"] is True

    _every_kill(tmp_path, make_tree, lambda root: do("apply", root), judge)


def _foreign(folder):
    root = make_tree(folder)
    (root / "models" / "bailing_moe").mkdir()
    (root / "models" / "bailing_moe" / "mine.py").write_text("mine = 1\n")
    return root


def test_killed_while_replacing_a_foreign_folder(tmp_path, kernel):
    def judge(root, killed):
        before = snapshot(str(_foreign(root.parent / "before")))
        # Until it is recovered the folder may be away for a moment, but only without an exchange.
        do("apply", root)
        assert state_of(root) == "applied"
        assert do("revert", root)["identical"] is True
        assert snapshot(str(root)) == before

    _every_kill(tmp_path, _foreign, lambda root: do("apply", root), judge)


def test_killed_while_reverting(tmp_path, kernel):
    def prepare(folder):
        root = _foreign(folder)
        do("apply", root)
        return root

    def judge(root, killed):
        before = snapshot(str(_foreign(root.parent / "before")))
        do("revert", root)
        assert snapshot(str(root)) == before

    _every_kill(tmp_path, prepare, lambda root: do("revert", root), judge)


def test_killed_while_bringing_an_older_overlay_up_to_date(tmp_path):
    def prepare(folder):
        root = make_tree(folder)
        do("apply", root, OLDER)
        return root

    def judge(root, killed):
        do("apply", root)
        assert state_of(root) == "applied"
        assert do("revert", root)["identical"] is True

    _every_kill(tmp_path, prepare, lambda root: do("apply", root), judge)


def test_a_change_that_was_killed_is_told(root):
    assert _killed(12, lambda: do("apply", root))
    found = do("status", root)["after"]
    assert found["interrupted"] == "apply"
    assert found["good"] is False
    assert do("apply", root)["recovered"] == "undone"
