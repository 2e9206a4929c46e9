"""What cannot be looked at is neither there nor absent, and is told as an error of what was named."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest

from lingctl.errors import UsageError
from lingctl.paths import is_file, is_folder, is_there, real

PRODUCT = Path(__file__).resolve().parents[2] / "lingctl"
# Members of an archive tell what they are by themselves; and our own package's folders are there.
TOLD_BY_THEMSELVES = {
    ("flows/files/bundle/archive.py", "isdir"),
    ("flows/look/reading/log_files.py", "is_dir"),
    ("assets.py", "is_dir"),
}


def test_what_is_there_is_told_behind_links(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "nowhere").symlink_to("gone")
    seen = {
        name: (is_there(tmp_path / name), is_file(tmp_path / name), is_folder(tmp_path / name))
        for name in (".", "file", "link", "nowhere", "absent", "file/below", "\0")
    }
    assert seen == {
        ".": (True, False, True),
        **dict.fromkeys(("file", "link"), (True, True, False)),
        **dict.fromkeys(("nowhere", "absent", "file/below", "\0"), (False, False, False)),
    }


@pytest.mark.parametrize("look", [is_there, is_file, is_folder])
def test_what_cannot_be_looked_at_is_an_error(look: Callable[[Path], bool], tmp_path: Path):
    (tmp_path / "circle").symlink_to("circle")
    for name, why in (("circle", "Too many levels"), ("x" * 300, "File name too long")):
        path = tmp_path / name
        with pytest.raises(UsageError, match=why) as told:
            look(path)
        assert told.value.code == "path-unusable" and str(path) in told.value.what
    assert real(tmp_path / "circle" / "x") == tmp_path / "circle" / "x"


def test_nothing_here_is_asked_in_a_way_that_takes_the_unknown_for_absent():
    asked = set()
    for file in PRODUCT.rglob("*.py"):
        name = file.relative_to(PRODUCT).as_posix()
        if name.startswith(("sandbox/", "node/")):
            continue
        asked |= {
            (name, node.func.attr)
            for node in ast.walk(ast.parse(file.read_text("utf-8")))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in {"exists", "lexists", "is_file", "isfile", "is_dir", "isdir"}
        }
    assert asked == TOLD_BY_THEMSELVES
