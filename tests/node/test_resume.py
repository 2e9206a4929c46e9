"""Killed, out of disk, interrupted, changed underneath: nothing is lost, nothing half-done looks whole."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from lingctl.node.files import free_space
from lingctl.node.folders import make_folder
from lingctl.node.trouble import Trouble
from tests.node.checkpoints import INDEX, assert_same, load, model, run, save, stopped_midway

pytestmark = pytest.mark.torch

SMALL = 30_000


def shards(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.safetensors"))


def leftovers(folder: Path) -> list[str]:
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.name.startswith(".") and path.name != ".lingctl-convert.json"
    )


def changed_times(folder: Path) -> dict[str, int]:
    return {name: (folder / name).stat().st_mtime_ns for name in shards(folder)}


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint of 48 MB, and its conversion into many files."""
    folder = tmp_path_factory.mktemp("larger")
    torch.manual_seed(3)
    save(folder / "in", {f"layers.{n}.weight": torch.rand(1 << 19) for n in range(24)})
    run(folder / "in", folder / "wanted", max_shard_size=3_000_000)
    return folder / "in", folder / "wanted"


def program(pyz: Path, source: Path, target: Path, size: str = "3MB") -> list[str]:
    return [sys.executable, str(pyz), "convert", str(source), str(target), "--max-shard-size", size]


def assert_prefix_of(found: Path, wanted: Path) -> None:
    """Every shard that is there is whole; the index is there only with all of them."""
    for name in shards(found):
        assert (found / name).read_bytes() == (wanted / name).read_bytes(), name
    if (found / INDEX).exists():
        assert shards(found) == shards(wanted)
        assert (found / INDEX).read_bytes() == (wanted / INDEX).read_bytes()


def test_killed_at_random_moments(larger: tuple[Path, Path], tmp_path: Path, pyz: Path) -> None:
    source, wanted = larger
    begin = time.monotonic()
    subprocess.run(program(pyz, source, tmp_path / "timed"), check=True, capture_output=True)
    whole = time.monotonic() - begin
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    target = tmp_path / "out"
    killed = 0
    for attempt in range(60):
        if attempt % 5 == 4 or (target / INDEX).exists():
            shutil.rmtree(target, ignore_errors=True)
        process = subprocess.Popen(program(pyz, source, target), stdout=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.05, whole))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        if target.exists():
            assert_prefix_of(target, wanted)
        if killed == 12:
            break
    assert killed >= 4, f"seed {seed}"
    done = subprocess.run(program(pyz, source, target), check=True, capture_output=True, text=True)
    assert json.loads(done.stdout.splitlines()[-1])["state"] in ("converted", "unchanged"), f"seed {seed}"
    assert shards(target) == shards(wanted)
    assert_prefix_of(target, wanted)
    assert leftovers(target) == []


# Ends the process as kill -9 does, just before or just after the n-th file gets its final name.
CRASH = """
import itertools, os, sys
real, count, last, when = os.replace, itertools.count(1), int(sys.argv[1]), sys.argv[2]
def replace(*names):
    # One step, so that two threads never get the same number.
    mine = next(count)
    if mine == last and when == "before":
        os._exit(9)
    real(*names)
    if mine == last:
        os._exit(9)
os.replace = replace
sys.argv = sys.argv[3:]
import runpy
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_rename(when: str, tmp_path: Path, pyz: Path) -> None:
    source = save(tmp_path / "in", model(layers=2))
    run(source, tmp_path / "wanted", max_shard_size=SMALL)
    target = tmp_path / "out"
    for place in range(1, 50):
        command = [sys.executable, "-c", CRASH, str(place), when, *program(pyz, source, target, "30000")[1:]]
        status = subprocess.run(command, capture_output=True).returncode
        if status == 0:
            break
        assert status == 9
        assert_prefix_of(target, tmp_path / "wanted")
        if place % 2:
            run(source, target, max_shard_size=SMALL)
            assert_same(load(target), model(layers=2))
            assert leftovers(target) == []
            shutil.rmtree(target)
    else:
        pytest.fail("it never ended")
    assert place > 4
    assert_prefix_of(target, tmp_path / "wanted")
    assert shards(target) == shards(tmp_path / "wanted")


def test_the_lock_file_of_a_run_killed_after_its_last_step_goes(tmp_path: Path, pyz: Path) -> None:
    source = save(tmp_path / "in", model(layers=1))
    run(source, tmp_path / "out")
    (tmp_path / "out" / ".lingctl-convert.lock").touch()
    run(source, tmp_path / "out")
    assert leftovers(tmp_path / "out") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_interrupted_takes_its_half_done_files_away(
    number: signal.Signals, larger: tuple[Path, Path], tmp_path: Path, pyz: Path
) -> None:
    source, wanted = larger
    target = tmp_path / "out"
    output = stopped_midway(
        program(pyz, source, target),
        (target / ".lingctl-convert.json").exists,
        number,
        lambda: shutil.rmtree(target),
    )
    assert output.startswith("130 "), output
    assert json.loads(output.partition(" ")[2].splitlines()[-1])["code"] == "interrupted"
    assert leftovers(target) == []
    assert_prefix_of(target, wanted)
    run(source, target, max_shard_size=3_000_000)
    assert shards(target) == shards(wanted)


# Runs in a mount namespace of its own, on a file system of 24 MB that fills up once writing has begun.
FULL = """
import json, os, sys
from lingctl.node.convert.engine import convert
from lingctl.node.convert.job import Options
from lingctl.node.trouble import Trouble
source, disk = sys.argv[1:]
target = os.path.join(disk, "out")
filler = os.path.join(disk, "filler")

def fill(event):
    if not os.path.exists(filler):
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(bytes(1 << 16)):
                    pass
            except OSError:
                pass

try:
    convert(source, target, Options(max_shard_size=3_000_000), fill)
    print(json.dumps({"error": "none"}))
except Trouble as trouble:
    there = sorted(os.listdir(target))
    os.unlink(filler)
    again = convert(source, target, Options(max_shard_size=3_000_000), lambda event: None)
    out = sorted(os.listdir(target))
    print(json.dumps({"error": trouble.code, "there": there, "again": again, "out": out}))
"""


def in_small_disk(script: str, source: Path, disk: Path, megabytes: int) -> subprocess.CompletedProcess[str]:
    """Run Python on a tmpfs of its own at ``disk``, which vanishes with the process."""
    disk.mkdir()
    mount = f'mount -t tmpfs -o size={megabytes}m none "$1" && exec "$2" -c "$3" "$4" "$1"'
    command = ["unshare", "-m", "sh", "-c", mount, "sh", str(disk), sys.executable, script, str(source)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def may_mount() -> None:
    tried = subprocess.run(
        ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True, text=True
    )
    if tried.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {tried.stderr.strip()}")


@pytest.mark.usefixtures("may_mount")
def test_disk_that_fills_up_while_writing(tmp_path: Path) -> None:
    source = save(tmp_path / "in", {f"w{n}": torch.rand(700_000) for n in range(12)})
    done = in_small_disk(FULL, source, tmp_path / "disk", 60)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["error"] == "disk-full"
    assert not [name for name in found["there"] if name.endswith(".part") or name == INDEX]
    assert found["again"]["state"] == "converted"
    assert sorted(found["again"]["kept"]) == [n for n in found["there"] if n.endswith(".safetensors")]
    assert INDEX in found["out"]


ENOUGH = """
import json, os, sys
from lingctl.node.convert.engine import convert
from lingctl.node.convert.job import Options
from lingctl.node.trouble import Trouble
source, disk = sys.argv[1:]
try:
    convert(source, os.path.join(disk, "out"), Options(), print)
except Trouble as trouble:
    print(json.dumps({"code": trouble.code, "evidence": trouble.evidence, "there": os.listdir(disk)}))
"""


@pytest.mark.usefixtures("may_mount")
def test_disk_too_small_is_noticed_before_the_first_byte(tmp_path: Path) -> None:
    source = save(tmp_path / "in", {"w": torch.rand(4_000_000)})
    done = in_small_disk(ENOUGH, source, tmp_path / "disk", 20)
    found = json.loads(done.stdout)
    assert found["code"] == "disk-full"
    assert "bytes needed" in found["evidence"]
    assert found["there"] == []


def test_file_size_limit_is_named(tmp_path: Path, pyz: Path) -> None:
    source = save(tmp_path / "in", {"w": torch.rand(1_000_000)})
    done = subprocess.run(
        program(pyz, source, tmp_path / "out", "5GB"),
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)),
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, answer["code"]) == (1, "file-limit")
    assert "--max-shard-size" in answer["remedy"]
    assert shards(tmp_path / "out") == []


def test_second_run_finds_nothing_to_do(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    run(source, tmp_path / "out", max_shard_size=SMALL)
    before = changed_times(tmp_path / "out")
    os.utime(source / "pytorch_model.bin")
    assert run(source, tmp_path / "out", max_shard_size=SMALL)["state"] == "unchanged"
    assert changed_times(tmp_path / "out") == before


@pytest.mark.parametrize("lost", ["shard", INDEX, "config.json", ".lingctl-convert.json", "all but a shard"])
def test_what_is_lost_is_made_again_and_nothing_else(lost: str, tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    target = tmp_path / "out"
    run(source, target, max_shard_size=SMALL)
    names = shards(target)
    keep = names[2]
    gone = {"shard": [names[1]], "all but a shard": [p.name for p in target.iterdir() if p.name != keep]}
    for name in gone.get(lost, [lost]):
        (target / name).unlink()
    before = changed_times(target)
    summary = run(source, target, max_shard_size=SMALL)
    assert summary["state"] == "converted"
    assert sorted(summary["kept"]) == sorted(before)
    assert {name: time for name, time in changed_times(target).items() if name in before} == before
    assert_same(load(target), model())
    assert (target / "config.json").exists()
    assert run(source, target, max_shard_size=SMALL)["state"] == "unchanged"


def other_model() -> dict[str, torch.Tensor]:
    return {name: tensor + 1 for name, tensor in model().items()}


def test_changed_input_is_noticed(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    run(source, tmp_path / "out")
    save(source, other_model())
    with pytest.raises(Trouble) as caught:
        run(source, tmp_path / "out")
    assert caught.value.code == "output-differs"
    assert "the input is not the one" in caught.value.what
    assert_same(load(tmp_path / "out"), model())
    assert run(source, tmp_path / "out", force=True)["state"] == "converted"
    assert_same(load(tmp_path / "out"), other_model())


def test_changed_input_without_checksums_is_noticed(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        source = save(tmp_path / "in", model())
        run(source, tmp_path / "out")
        save(source, other_model())
    finally:
        torch.serialization.set_crc32_options(True)
    with pytest.raises(Trouble, match="the input is not the one"):
        run(source, tmp_path / "out")


@pytest.mark.parametrize("checksums", [True, False])
def test_input_that_changes_while_it_is_read(checksums: bool, tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(checksums)
    try:
        source = save(tmp_path / "in", model())
    finally:
        torch.serialization.set_crc32_options(True)
    path = source / "pytorch_model.bin"
    at = path.read_bytes().find(model()["lm_head.weight"].view(torch.uint8).numpy().tobytes())

    def meddle(event: dict) -> None:
        if event["task"] == "write shards":
            with path.open("r+b") as file:
                file.seek(at)
                file.write(b"other")

    with pytest.raises(Trouble):
        run(source, tmp_path / "out", meddle, max_shard_size=SMALL)
    assert not (tmp_path / "out" / INDEX).exists()


def test_changed_output_is_found_and_named(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    run(source, tmp_path / "out")
    (shard,) = (tmp_path / "out").glob("*.safetensors")
    data = bytearray(shard.read_bytes())
    name = "model.layers.1.attention.dense.weight"
    at = data.find(model()[name].view(torch.uint8).numpy().tobytes())
    data[at + 5] ^= 1
    shard.write_bytes(data)
    with pytest.raises(Trouble) as caught:
        run(source, tmp_path / "out")
    assert name in caught.value.what and f"offset {at + 5}" in caught.value.where
    assert "--force" in caught.value.remedy
    assert shard.read_bytes() == bytes(data)
    run(source, tmp_path / "out", force=True)
    assert_same(load(tmp_path / "out"), model())


def test_other_weights_in_the_way_are_left_alone(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    target = tmp_path / "out"
    target.mkdir()
    target.chmod(0o755)
    (target / "model.safetensors").write_bytes(b"something of value")
    (target / INDEX).write_text("{}")
    touched = target.stat().st_mtime_ns
    with pytest.raises(Trouble, match=r"other weights are there: model\.safetensors") as caught:
        run(source, target)
    assert "--force" in caught.value.remedy
    assert sorted(path.name for path in target.iterdir()) == ["model.safetensors", INDEX]
    assert target.stat().st_mode & 0o777 == 0o755
    assert target.stat().st_mtime_ns == touched
    run(source, target, force=True)
    assert not (target / "model.safetensors").exists()
    assert_same(load(target), model())


@pytest.mark.usefixtures("may_mount")
def test_a_shard_that_cannot_be_looked_at_is_not_taken_for_other_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save(tmp_path / "in", model())
    run(source, tmp_path / "out", max_shard_size=SMALL)
    look, broken = os.stat, str(tmp_path / "out" / shards(tmp_path / "out")[1])

    def fail(path: str | int, **more: bool) -> os.stat_result:
        if path == broken:
            raise OSError(errno.EIO, "Input/output error", path)
        return look(path, **more)

    monkeypatch.setattr(os, "stat", fail)
    for force in (False, True):
        with pytest.raises(Trouble) as caught:
            run(source, tmp_path / "out", max_shard_size=SMALL, force=force)
        assert (caught.value.code, caught.value.where) == ("disk-error", broken)


@pytest.mark.parametrize("where", ["in/notes.dat", "out"])
def test_a_link_in_a_circle_is_told_and_neither_left_out_nor_called_no_folder(
    where: str, tmp_path: Path
) -> None:
    source = save(tmp_path / "in", model())
    circle = tmp_path / where
    circle.symlink_to(circle.name)
    with pytest.raises(Trouble, match="symbolic links") as caught:
        run(source, tmp_path / "out")
    assert (caught.value.code, caught.value.where) == ("system", str(circle))
    for ask in (make_folder, free_space):
        with pytest.raises(OSError, match="symbolic links"):
            ask(str(circle))


def test_force_removes_nothing_where_the_new_output_does_not_fit(tmp_path: Path) -> None:
    source = save(tmp_path / "in", {"w": torch.rand(8_000_000)})
    script = (
        ENOUGH.replace("Options()", "Options(force=True)")
        .replace(
            "try:",
            'os.mkdir(disk + "/out"); open(disk + "/out/model.safetensors", "w").write("x" * 9999)\ntry:',
        )
        .replace("os.listdir(disk)", 'os.listdir(disk + "/out")')
    )
    done = in_small_disk(script, source, tmp_path / "disk", 20)
    found = json.loads(done.stdout)
    assert (found["code"], found["there"]) == ("disk-full", ["model.safetensors"])


def test_another_cut_of_the_same_input_is_not_mixed_in(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    run(source, tmp_path / "out", max_shard_size=SMALL)
    with pytest.raises(Trouble, match="other weights are there"):
        run(source, tmp_path / "out")
    run(source, tmp_path / "out", force=True)
    assert len(shards(tmp_path / "out")) == 1


def test_an_edited_config_survives_and_is_told(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    run(source, tmp_path / "out", max_shard_size=SMALL)
    (tmp_path / "out" / "config.json").write_text("{}")
    (tmp_path / "out" / shards(tmp_path / "out")[0]).unlink()
    summary = run(source, tmp_path / "out", max_shard_size=SMALL)
    assert (tmp_path / "out" / "config.json").read_text() == "{}"
    assert any("config.json differs" in note for note in summary["notes"])


def test_two_conversions_do_not_write_in_one_folder(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".lingctl-convert.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Trouble) as caught:
            run(source, tmp_path / "out")
    assert caught.value.code == "locked"
    assert run(source, tmp_path / "out")["state"] == "converted"
    assert leftovers(tmp_path / "out") == []


def test_what_was_not_read_back_is_when_asked_for(tmp_path: Path) -> None:
    source = save(tmp_path / "in", model())
    tasks: list[str] = []
    run(source, tmp_path / "out", lambda event: tasks.append(event["task"]), verify=False)
    assert set(tasks) == {"write shards"}
    assert run(source, tmp_path / "out", verify=False)["state"] == "unchanged"
    tasks.clear()
    assert run(source, tmp_path / "out", lambda event: tasks.append(event["task"]))["state"] == "converted"
    assert set(tasks) == {"compare existing shards"}
    assert run(source, tmp_path / "out")["state"] == "unchanged"


def test_a_disk_that_writes_something_else_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory and disks do flip bits; here one does, once the source was read right."""
    source = save(tmp_path / "in", model())
    name = "model.layers.1.attention.dense.weight"
    wanted = model()[name].view(torch.uint8).numpy().tobytes()
    real = os.pwrite

    def flipping(descriptor: int, data: memoryview, place: int) -> int:
        if bytes(data) == wanted:
            data = memoryview(wanted[:100] + bytes([wanted[100] ^ 8]) + wanted[101:])
        return real(descriptor, data, place)

    monkeypatch.setattr(os, "pwrite", flipping)
    with pytest.raises(Trouble) as caught:
        run(source, tmp_path / "out")
    assert name in caught.value.what
    assert f"source has {wanted[100:108].hex()}" in caught.value.evidence
    assert shards(tmp_path / "out") == []
    run(source, tmp_path / "out", verify=False)
    monkeypatch.undo()
    # What was written unseen is seen by the next run that looks.
    with pytest.raises(Trouble, match=re.escape(name)):
        run(source, tmp_path / "out")
