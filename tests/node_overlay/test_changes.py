"""Apply and revert: what they do, what they refuse, and that a tree is given back as it was."""

import builtins
import errno
import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lingctl.node.overlay.package import folder_digest
from lingctl.node.overlay.tree import snapshot
from lingctl.node.trouble import Trouble
from tests.node_overlay.trees import do, make_tree, package, patch_upstream, state_of


def test_apply_and_revert_leave_the_tree_as_it_was(tmp_path, root, records):
    pristine = make_tree(tmp_path / "before")
    applied = do("apply", root)
    assert applied["changed"]
    assert applied["after"]["state"] == "applied"
    assert applied["after"]["delivery"] == "copy"
    assert applied["after"]["digest"] == package().digest
    changed = subprocess.run(["diff", "-rq", pristine, root], capture_output=True, text=True)
    assert changed.stdout == f"Only in {root}/models: bailing_moe\n"
    reverted = do("revert", root)
    assert reverted["identical"] is True
    assert reverted["differs"] == []
    assert subprocess.run(["diff", "-r", pristine, root]).returncode == 0
    assert snapshot(str(pristine)) == snapshot(str(root))
    assert not any(records.iterdir())


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_modes_and_owner(mask, root, records):
    before = os.umask(mask)
    try:
        do("apply", root)
    finally:
        os.umask(before)
    kept = list(records.rglob("*"))
    assert {path.stat().st_mode & 0o7777 for path in kept if path.is_file()} == {0o640}
    assert {path.stat().st_mode & 0o7777 for path in kept if path.is_dir()} == {0o750}
    folder = root / "models" / "bailing_moe"
    assert folder.stat().st_mode & 0o7777 == 0o750
    assert {path.stat().st_mode & 0o7777 for path in folder.iterdir()} == {0o640}
    assert {path.stat().st_uid for path in folder.iterdir()} == {(root / "models").stat().st_uid}


def test_a_second_apply_writes_nothing(root):
    do("apply", root)
    before = {path: path.stat().st_mtime_ns for path in (root / "models").rglob("*")}
    again = do("apply", root)
    assert not again["changed"]
    assert {path: path.stat().st_mtime_ns for path in (root / "models").rglob("*")} == before


def test_revert_without_overlay_has_nothing_to_do(root):
    assert do("revert", root)["changed"] is False


def test_a_foreign_folder_comes_back(root):
    folder = root / "models" / "bailing_moe"
    folder.mkdir(mode=0o755)
    (folder / "mine.py").write_text("mine = 1\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "data.txt").write_text("data")
    before = snapshot(str(root))
    assert state_of(root) == "foreign"
    do("apply", root)
    assert state_of(root) == "applied"
    assert do("revert", root)["identical"] is True
    assert snapshot(str(root)) == before
    assert folder.stat().st_mode & 0o7777 == 0o755


def test_files_that_somebody_copied_by_hand_become_ours(root):
    do("apply", root)
    by_hand = {path.name: path.read_bytes() for path in (root / "models" / "bailing_moe").iterdir()}
    do("revert", root)
    folder = root / "models" / "bailing_moe"
    folder.mkdir(mode=0o750)
    for name, content in by_hand.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o640)
    assert do("apply", root)["changed"] is False
    assert do("revert", root)["changed"] is True
    assert not folder.exists()


def test_a_folder_that_was_changed_is_not_taken_out_unasked(root, records):
    do("apply", root)
    file = root / "models" / "bailing_moe" / "layout.py"
    file.write_text(file.read_text() + "# mine\n")
    with pytest.raises(Trouble, match="not as lingctl put it there"):
        do("revert", root)
    assert file.exists()
    do("revert", root, force=True)
    assert not file.exists()
    kept = list(records.rglob("layout.py"))
    assert len(kept) == 1
    assert kept[0].read_text().endswith("# mine\n")


def test_apply_mends_what_was_changed_and_keeps_a_copy(root, records):
    do("apply", root)
    file = root / "models" / "bailing_moe" / "layout.py"
    file.write_text("broken")
    (root / "models" / "bailing_moe" / "extra.py").write_text("extra")
    assert state_of(root) == "modified"
    do("apply", root)
    assert state_of(root) == "applied"
    assert [path.read_text() for path in records.rglob("layout.py")] == ["broken"]
    assert do("revert", root)["identical"] is True


def test_modes_that_let_others_write_are_mended(root):
    do("apply", root)
    file = root / "models" / "bailing_moe" / "layout.py"
    file.chmod(0o666)
    found = do("verify", root)["after"]
    assert not found["good"]
    assert "may be written by others (0666)" in found["problems"][0]
    assert do("apply", root)["changed"]
    assert file.stat().st_mode & 0o7777 == 0o640


def test_an_earlier_overlay_is_brought_up_to_date_and_the_original_still_comes_back(root):
    foreign = root / "models" / "bailing_moe"
    foreign.mkdir()
    (foreign / "mine.py").write_text("mine = 1\n")
    before = snapshot(str(root))
    older = package(version="0.9.0", files={"__init__.py": '"""Older."""\n'})
    do("apply", root, older)
    assert state_of(root) == "outdated"
    do("apply", root)
    assert state_of(root) == "applied"
    assert do("revert", root)["identical"] is True
    assert snapshot(str(root)) == before


def test_an_earlier_overlay_is_known_by_its_digest_too(root):
    older = package(version="0.9.0", files={"__init__.py": '"""Older."""\n'})
    known = package(earlier={"0.9.0": folder_digest(older.digests)})
    folder = root / "models" / "bailing_moe"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Older."""\n')
    assert state_of(root, known) == "outdated"


def test_a_tree_with_upstreams_patch_is_refused(root):
    patch_upstream(root)
    before = snapshot(str(root))
    with pytest.raises(Trouble, match="3 of 3 files") as refused:
        do("apply", root)
    assert "pristine image" in refused.value.remedy
    assert "check_other_write_permission is switched off" in refused.value.evidence
    assert snapshot(str(root)) == before


def test_a_locked_tree_is_left_alone(root):
    descriptor = os.open(root / "models", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(Trouble, match="another process") as refused:
            do("apply", root)
        assert (refused.value.code, refused.value.exit_status) == ("locked", 5)
    finally:
        os.close(descriptor)


def test_a_tree_in_use_is_left_alone(tmp_path, root):
    program = tmp_path / "mindieservice_daemon"
    program.write_text("import time\ntime.sleep(60)\n")
    daemon = subprocess.Popen(
        [sys.executable, str(program)], env={**os.environ, "ATB_SPEED_HOME_PATH": str(root)}
    )
    try:
        time.sleep(0.2)
        with pytest.raises(Trouble, match="MindIE runs from this tree") as refused:
            do("apply", root)
        assert f"mindieservice_daemon (pid {daemon.pid})" in refused.value.evidence
        other = make_tree(tmp_path / "other")
        assert do("apply", other)["changed"]
        assert do("apply", root, allow_running=True)["changed"]
    finally:
        daemon.kill()
        daemon.wait()


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"operation": "apply"}', '"text"'])
@pytest.mark.parametrize("name", ["receipt.json", "journal.json"])
def test_a_record_that_is_none_is_named_with_what_to_do(root, records, name, said):
    do("apply", root)
    (folder,) = records.iterdir()
    (folder / name).write_text(said)
    for action in ("status", "apply", "revert"):
        with pytest.raises(Trouble, match="record of this tree cannot be read") as refused:
            do(action, root)
        assert (refused.value.code, refused.value.where) == ("overlay-record", str(folder / name))
        assert "Overlay" not in refused.value.what  # no name of ours, and no word of Python's


def test_whether_the_folder_is_mounted_is_never_guessed(root, monkeypatch):
    look = builtins.open

    def refuse(path, *arguments, **options):
        if path == "/proc/self/mountinfo":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return look(path, *arguments, **options)

    monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(PermissionError):
        do("apply", root)
    assert not (root / "models" / "bailing_moe").exists()


def test_symbolic_links_are_not_followed(tmp_path, root):
    link = tmp_path / "link"
    link.symlink_to(root)
    with pytest.raises(Trouble, match="symbolic link"):
        do("apply", link)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (root / "models" / "bailing_moe").symlink_to(elsewhere)
    with pytest.raises(Trouble, match="in the place of the overlay's folder"):
        do("apply", root)
    assert not any(elsewhere.iterdir())


def test_what_is_no_tree_is_said(tmp_path):
    with pytest.raises(Trouble, match="no such folder"):
        do("status", tmp_path / "nothing")
    (tmp_path / "models").mkdir()
    with pytest.raises(Trouble, match="no folder models/base"):
        do("status", tmp_path)


def test_a_tree_that_lacks_what_the_overlay_uses_is_refused(root):
    loader = root / "utils" / "weights.py"
    loader.write_text(loader.read_text().replace("self.aliases", "self.other_names"))
    with pytest.raises(Trouble, match=r"utils/weights\.py: Weights\.aliases"):
        do("apply", root)
    assert state_of(root) == "unsupported"


def test_a_blocked_release_is_refused(root):
    (root / "version.info").write_text("ATB-Models Version : 9.9.9\n")
    blocked = package(targets=[{"versions": ["9.9.9"], "status": "blocked", "note": "cannot be"}])
    with pytest.raises(Trouble, match=r"9\.9\.9: cannot be"):
        do("apply", root, blocked)


_IN_A_CONTAINER = """
set -e
cd "$1"
mkdir -p upper work merged
mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged
exec "$2" -m tests.node_overlay.there_and_back "$1/merged/atb_llm"
"""


def test_a_folder_of_the_image_is_replaced_and_comes_back(tmp_path):
    """overlayfs, as in a container: what the image brought cannot be renamed."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("mounting needs root")
    root = make_tree(tmp_path / "lower")
    (root / "models" / "bailing_moe").mkdir()
    (root / "models" / "bailing_moe" / "mine.py").write_text("mine = 1\n")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", _IN_A_CONTAINER, "sh", str(tmp_path), sys.executable],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
    )
    if "mount" in done.stderr and done.returncode:
        pytest.skip("this system lets nobody mount an overlay")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["foreign", "applied", "True"]
