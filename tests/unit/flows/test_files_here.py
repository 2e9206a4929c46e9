"""Files that lingctl writes on this machine: modes after any umask, and links that somebody planted."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lingctl.errors import UsageError
from lingctl.flows.files.render import Rendered, write_files
from lingctl.flows.run.whole_file import write_file, write_inside
from tests import forked

SECRET = b"not yours"


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.lstat().st_mode):04o}"


@pytest.mark.parametrize(("mask", "folder", "file"), [(0o000, "0775", "0664"), (0o077, "0700", "0600")])
def test_no_umask_makes_a_file_that_everybody_may_write(
    mask: int, folder: str, file: str, tmp_path: Path
) -> None:
    hosts, out = tmp_path / "hosts.yaml", tmp_path / "new/out"
    for words in (("init", "-o", hosts), ("render", "container", "--nodes", hosts, "-o", out)):
        forked.run(*words, umask=mask).check_returncode()
    assert mode(hosts) == file
    (node,) = out.iterdir()
    assert mode(out) == mode(out.parent) == mode(node) == folder
    assert mode(node / "container.sh") == "0750"


def test_a_link_of_ones_own_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "bundle.tar").symlink_to("disk/bundle.tar")
    write_file(tmp_path / "bundle.tar", b"new")
    assert (tmp_path / "disk/bundle.tar").read_bytes() == b"new"
    assert (tmp_path / "bundle.tar").is_symlink()


def test_a_link_that_another_user_put_there_is_not(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a link of somebody else's")
    (tmp_path / "kept").write_bytes(SECRET)
    link = tmp_path / "bundle.tar"
    link.symlink_to(tmp_path / "kept")
    os.lchown(link, 12345, 12345)
    with pytest.raises(OSError, match="another user"):
        write_file(link, b"new")
    assert (tmp_path / "kept").read_bytes() == SECRET


def test_names_that_we_choose_are_never_written_through_links(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(SECRET)
    (tmp_path / "kept").chmod(0o600)
    folder = tmp_path / "answers"
    folder.mkdir()
    (folder / "index.json").symlink_to(tmp_path / "kept")
    write_inside(folder, "index.json", b"new")
    assert (tmp_path / "kept").read_bytes() == SECRET
    assert (folder / "index.json").read_bytes() == b"new"
    assert not (folder / "index.json").is_symlink()


def test_a_folder_of_a_node_that_is_a_link_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out/node1").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="is a link"):
        write_files([Rendered("node1", "config.json", "", b"{}", 0o640)], tmp_path / "out")
    assert not list(elsewhere.iterdir())
