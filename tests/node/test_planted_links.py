"""Links that somebody put where we write or read: nothing is written, changed or given on through them.

And the modes of all that is written, after the loosest umask and the tightest.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lingctl.node.checkpoint.safetensors import RECEIPT
from lingctl.node.fetch.background import begin
from lingctl.node.fetch.folder import FolderSource
from lingctl.node.fetch.listing import HIDDEN, ListedFile
from lingctl.node.fetch.place import Place
from lingctl.node.files import open_log
from lingctl.node.folders import inside, leads_out, make_folder
from lingctl.node.trouble import Trouble
from lingctl.node.weights.modes import set_modes, wrong_modes
from tests.node.checkpoints import run, save

pytestmark = pytest.mark.torch

SECRET = b"root:$6$not-for-everybody\n"


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes_below(folder: Path) -> dict[str, str]:
    found = [folder, *sorted(folder.rglob("*"))]
    return {str(path.relative_to(folder)): f"{path.lstat().st_mode & 0o7777:04o}" for path in found}


def checkpoint(folder: Path) -> Path:
    made = save(folder, {"model.weight": torch.arange(6.0)})
    (folder / "config.json").write_text("{}")
    (folder / "code").mkdir()
    (folder / "code/modeling.py").write_text("pass\n")
    return made


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder with a file in it that must stay as they are."""
    folder = tmp_path / "elsewhere"
    folder.mkdir(0o755)
    folder.chmod(0o755)
    (folder / "kept").write_bytes(SECRET)
    (folder / "kept").chmod(0o600)
    return folder


def untouched(folder: Path) -> bool:
    kept = folder / "kept"
    return (
        [path.name for path in folder.iterdir()] == ["kept"]
        and kept.read_bytes() == SECRET
        and stat.S_IMODE(kept.stat().st_mode) == 0o600
        and stat.S_IMODE(folder.stat().st_mode) == 0o755
    )


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_what_a_conversion_writes_has_the_modes_that_mindie_asks_for(mask: int, tmp_path: Path) -> None:
    with umask(mask):
        run(checkpoint(tmp_path / "in"), tmp_path / "new/models/out")
    found = modes_below(tmp_path / "new")
    assert set(found.values()) == {"0750", "0640"}
    assert found["models"] == found["models/out"] == found["models/out/code"] == "0750"
    assert not wrong_modes(str(tmp_path / "new/models/out"))


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_what_a_download_writes_has_the_modes_that_mindie_asks_for(mask: int, tmp_path: Path) -> None:
    with umask(mask):
        source = checkpoint(tmp_path / "disk")
        folder = source if source.is_dir() else source.parent
        place = Place(str(tmp_path / "new/models/Ling"))
        with place.locked():
            files = FolderSource(str(folder)).listing()
            for file in files:
                make_folder(str(Path(place.staged(file)).parent))
            got: list[tuple[ListedFile, str | None]] = []
            done = FolderSource(str(folder)).fetch(
                files, place, lambda *_: None, lambda *one: got.append(one)
            )
            assert not done
            for file, digest in got:
                place.adopt(file, digest)
            open_log(place.inside("log")).close()
            place.write_manifest(lambda _: None)
    found = modes_below(tmp_path / "new")
    assert found.pop(f"models/Ling/{HIDDEN}/lock") == "0600"
    assert set(found.values()) == {"0750", "0640"}, found


def test_a_file_that_others_may_not_read_is_not_given_on_by_a_link(tmp_path: Path, elsewhere: Path) -> None:
    source = checkpoint(tmp_path / "in")
    (tmp_path / "in/tokenizer.json").symlink_to(elsewhere / "kept")
    with pytest.raises(Trouble) as caught:
        run(source, tmp_path / "out")
    assert caught.value.code == "link-leads-out"
    assert str(elsewhere / "kept") in caught.value.evidence
    assert not (tmp_path / "out").exists()
    with pytest.raises(Trouble) as caught:
        FolderSource(str(tmp_path / "in")).listing()
    assert caught.value.code == "link-leads-out"


def test_a_second_name_of_a_closed_file_is_not_given_on_where_others_could_put_it(
    tmp_path: Path, elsewhere: Path
) -> None:
    source = checkpoint(tmp_path / "in")
    os.link(elsewhere / "kept", source / "tokenizer.json")
    run(source, tmp_path / "first")
    source.chmod(0o777)
    with pytest.raises(Trouble) as caught:
        run(source, tmp_path / "out")
    assert caught.value.code == "link-leads-out"
    assert not (tmp_path / "out").exists()


def test_a_file_elsewhere_that_all_may_read_is_copied_and_named(tmp_path: Path, elsewhere: Path) -> None:
    source = checkpoint(tmp_path / "in")
    (elsewhere / "kept").chmod(0o644)
    (tmp_path / "in/tokenizer.json").symlink_to(elsewhere / "kept")
    told = run(source, tmp_path / "out")
    assert any(f"tokenizer.json -> {elsewhere}/kept" in note for note in told["notes"])
    copied = tmp_path / "out/tokenizer.json"
    assert not copied.is_symlink() and copied.read_bytes() == SECRET


def test_links_of_a_hubs_cache_are_of_the_folder(tmp_path: Path) -> None:
    blobs, revision = tmp_path / "models--a--b/blobs", tmp_path / "models--a--b/snapshots/0123"
    blobs.mkdir(parents=True)
    revision.mkdir(parents=True)
    (blobs / "sum").write_text("x")
    (blobs / "sum").chmod(0o600)
    (revision / "vocab.txt").symlink_to("../../blobs/sum")
    assert not leads_out(str(revision), "vocab.txt")


def test_weights_that_are_links_to_another_disk_are_taken(tmp_path: Path) -> None:
    checkpoint(tmp_path / "disk")
    (tmp_path / "in").mkdir()
    for path in (tmp_path / "disk").glob("*.bin"):
        path.chmod(0o640)
        (tmp_path / "in" / path.name).symlink_to(path)
    assert FolderSource(str(tmp_path / "in")).listing()


@pytest.mark.parametrize(
    "planted", ["code", "tokenizer.json", "model.safetensors", ".config.json.part", "receipt"]
)
def test_a_conversion_writes_through_no_link_in_its_target(
    planted: str, tmp_path: Path, elsewhere: Path
) -> None:
    source = checkpoint(tmp_path / "in")
    target = tmp_path / "out"
    target.mkdir()
    names = {"model.safetensors": "model-00001-of-00001.safetensors", "receipt": RECEIPT}
    goal = elsewhere if planted == "code" else elsewhere / "kept"
    (target / names.get(planted, planted)).symlink_to(goal)
    with contextlib.suppress(Trouble):
        run(source, target, force=True)
    assert untouched(elsewhere)


def test_a_folder_of_links_in_the_target_is_refused_by_name(tmp_path: Path, elsewhere: Path) -> None:
    source = checkpoint(tmp_path / "in")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/code").symlink_to(elsewhere)
    with pytest.raises(Trouble) as caught:
        run(source, tmp_path / "out")
    assert caught.value.code == "link-in-the-way"
    assert str(tmp_path / "out/code") in str(caught.value)
    assert untouched(elsewhere)


def test_a_target_that_is_a_link_is_filled_and_keeps_its_own_mode(tmp_path: Path) -> None:
    """/data/models on another disk is a link on many a machine; what it leads to may be somebody else's."""
    source = checkpoint(tmp_path / "in")
    disk = tmp_path / "disk"
    disk.mkdir(0o755)
    disk.chmod(0o755)
    (tmp_path / "out").symlink_to(disk)
    run(source, tmp_path / "out")
    assert (disk / "config.json").is_file()
    assert stat.S_IMODE(disk.stat().st_mode) == 0o755


def test_a_folder_for_everybody_keeps_its_mode(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    make_folder(str(shared))
    assert stat.S_IMODE(shared.stat().st_mode) == 0o1777


@pytest.mark.parametrize(
    "planted", ["", "lock", "log", "files", "files/code", "verified.json", "wrong", "tls"]
)
def test_a_download_begins_nothing_where_links_lie_in_its_own_folder(
    planted: str, tmp_path: Path, elsewhere: Path
) -> None:
    hidden = tmp_path / "weights" / HIDDEN
    place = hidden / planted if planted else hidden
    place.parent.mkdir(parents=True)
    is_file = planted in ("lock", "log", "verified.json")
    place.symlink_to(elsewhere / "kept" if is_file else elsewhere)
    with pytest.raises(Trouble) as caught, Place(str(tmp_path / "weights")).locked():
        pass
    assert caught.value.code == "link-in-the-way"
    assert str(place) in str(caught.value)
    assert untouched(elsewhere)


@pytest.mark.parametrize("name", ["lock", "log"])
def test_a_link_that_comes_later_is_not_written_through_either(
    name: str, tmp_path: Path, elsewhere: Path
) -> None:
    place = Place(str(tmp_path / "weights"))
    place.make()
    Path(place.inside(name)).symlink_to(elsewhere / "kept")
    with pytest.raises((OSError, Trouble)):
        if name == "log":
            begin(place, lambda: None)
        else:
            place.holder()
    assert untouched(elsewhere)


def test_a_file_gets_no_final_place_through_a_link(tmp_path: Path, elsewhere: Path) -> None:
    place = Place(str(tmp_path / "weights"))
    place.make()
    file = ListedFile("code/kept", 4, "")
    make_folder(str(Path(place.staged(file)).parent))
    Path(place.staged(file)).write_bytes(b"evil")
    (tmp_path / "weights/code").symlink_to(elsewhere)
    with pytest.raises(Trouble) as caught:
        place.adopt(file)
    assert caught.value.code == "link-in-the-way"
    with pytest.raises(Trouble):
        place.set_aside(file)
    assert untouched(elsewhere)


def test_a_folder_that_is_exchanged_for_a_link_all_the_time_is_never_written_through(
    tmp_path: Path, elsewhere: Path
) -> None:
    root, ended = tmp_path / "root", threading.Event()
    root.mkdir()

    def exchange() -> None:
        number = 0
        code = root / "code"
        while not ended.is_set():
            number += 1
            for step in (
                lambda: code.symlink_to(elsewhere),
                code.unlink,
                lambda: code.mkdir(),
                lambda: code.rename(root / f"old{number}"),  # noqa: B023 - called at once
            ):
                with contextlib.suppress(OSError):
                    step()

    other = threading.Thread(target=exchange)
    other.start()
    written = 0
    try:
        for number in range(2000):
            with contextlib.suppress(Trouble, OSError), inside(str(root), "code") as below:
                Path(below, f"{number}").write_text("x")
                written += 1
    finally:
        ended.set()
        other.join()
    assert written
    assert untouched(elsewhere)


def test_a_file_of_several_names_that_others_may_have_put_there_keeps_its_mode(
    tmp_path: Path, elsewhere: Path
) -> None:
    weights = tmp_path / "the weights"
    weights.mkdir()
    weights.chmod(0o777)
    (elsewhere / "kept").chmod(0o666)
    os.link(elsewhere / "kept", weights / "config.json")
    with pytest.raises(Trouble) as caught:
        set_modes(str(weights))
    assert caught.value.code == "weights-link"
    assert "cp -p" in caught.value.remedy
    typed = caught.value.remedy.partition(": ")[2]
    subprocess.run(["sh", "-c", typed], check=True)  # as it is told, whatever the folder is called
    assert (weights / "config.json").stat().st_nlink == 1
    assert stat.S_IMODE((elsewhere / "kept").stat().st_mode) == 0o666


def test_a_file_of_several_names_of_our_own_gets_its_mode(tmp_path: Path) -> None:
    """What is folded shares its weights with the original."""
    first, second = tmp_path / "Ling", tmp_path / "Ling_folded"
    for folder in (first, second):
        folder.mkdir(0o750)
    (first / "model.safetensors").write_bytes(b"x")
    (first / "model.safetensors").chmod(0o644)
    os.link(first / "model.safetensors", second / "model.safetensors")
    assert "model.safetensors" in set_modes(str(second))["changed"]
    assert modes_below(first) == {".": "0750", "model.safetensors": "0640"}


def test_a_folder_beside_the_weights_that_cannot_be_read_is_told_and_not_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = checkpoint(tmp_path / "in")

    (source / "lost+found").mkdir()
    look, closed = os.scandir, {"lost+found"}

    def refuse(path: str) -> object:
        if Path(path).name in closed:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return look(path)

    monkeypatch.setattr(os, "scandir", refuse)
    run(source, tmp_path / "out")
    closed = {"code"}
    with pytest.raises(Trouble) as caught:
        run(source, tmp_path / "other")
    assert (caught.value.code, caught.value.where) == ("not-allowed", str(source / "code"))
