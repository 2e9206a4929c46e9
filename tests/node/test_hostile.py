"""Files made to harm: nothing runs, nothing large is allocated, everything is refused by name."""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lingctl.node.checkpoint.record import Record
from lingctl.node.checkpoint.stream import inflated
from lingctl.node.convert.unpack import inflate
from lingctl.node.trouble import Trouble
from tests.fuzz.readers.pickles import mutants, take
from tests.node.checkpoints import load, model, run, save
from tests.node.test_cases import repack

pytestmark = pytest.mark.torch

# Megabytes at the peak, interpreter included: for an honest file of any size and for one made to harm.
ROOM_MB = 64


class Call:
    """Pickles as a call of ``function`` with ``arguments``."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> object:
        return self.call


CALLS: dict[str, Callable[[Path], object]] = {
    "os.system": lambda marker: Call(os.system, f"touch {marker}"),
    "eval": lambda marker: Call(eval, f"open({str(marker)!r}, 'w')"),
    "exec": lambda marker: Call(exec, f"open({str(marker)!r}, 'w')"),
    "getattr": lambda marker: Call(getattr, marker, "touch"),
    "subprocess": lambda marker: Call(subprocess.call, ["touch", str(marker)]),
    "__import__": lambda marker: Call(__import__, "antigravity"),
    "torch.load": lambda marker: Call(torch.load, str(marker)),
    "torch.hub": lambda marker: Call(torch.hub.load, "a/b", "c"),
    "open": lambda marker: Call(open, str(marker), "w"),
    "Path.touch": lambda marker: Call(Path.touch, marker),
}


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", CALLS)
def test_a_pickle_that_calls_is_refused_by_name(
    name: str, nested: bool, protocol: int, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    evil = CALLS[name](marker)
    content = (
        {"state_dict": {"weight": torch.zeros(3)}, "epoch": [{"x": evil}]} if nested else {"weight": evil}
    )
    with pytest.raises(Trouble) as caught:
        run(save(tmp_path / "in", content, pickle_protocol=protocol), tmp_path / "out")
    assert "refused, nothing of it was executed" in caught.value.what
    assert caught.value.code == "pickle-refused"
    assert not marker.exists()
    assert not (tmp_path / "out").exists()


def with_pickle(folder: Path, data: bytes, records: dict[str, bytes] | None = None) -> Path:
    """A checkpoint whose pickle is ``data``."""
    folder.mkdir()
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr("a/data.pkl", data)
        archive.writestr("a/byteorder", b"little")
        for key, value in (records or {"0": b"\0" * 64}).items():
            archive.writestr(f"a/data/{key}", value)
        archive.writestr("a/version", b"3\n")
    return folder


def tensor_pickle(
    *,
    numel: int = 16,
    shape: tuple[int, ...] = (16,),
    stride: tuple[int, ...] = (1,),
    offset: int = 0,
    key: str = "0",
    names: tuple[str, ...] = ("w",),
) -> bytes:
    """The pickle of float32 tensors with these numbers, however absurd."""

    def number(value: int) -> bytes:
        return b"\x8a\x09" + value.to_bytes(9, "little", signed=True)

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()

    def numbers(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(map(number, values)) + b"t"

    out = b"\x80\x02}("
    for name in names:
        out += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        out += text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(numel) + b"tQ"
        out += number(offset) + numbers(shape) + numbers(stride) + b"\x89}tR"
    return out + b"u."


BAD_PICKLES: dict[str, bytes] = {
    "empty": b"",
    "no stop": b"\x80\x02}",
    "text": b"hello world",
    "cut off": tensor_pickle()[:-20],
    "stack underflow": b"\x80\x02tR.",
    "unknown memo": b"\x80\x02h\x07.",
    "huge memo index": b"\x80\x02}r\xff\xff\xff\x7fj\xfe\xff\xff\x7f.",
    "text longer than the file": b"\x80\x02X\xff\xff\xff\x0fabc.",
    "text of 2^62 bytes": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"abc.",
    "bytes longer than the file": b"\x80\x03B\xff\xff\xff\x7fabc.",
    "frame longer than the file": b"\x80\x04\x95" + struct.pack("<Q", 2**40) + b"}.",
    "bytearray of 2^40": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
    "integer of 4 GB": b"\x80\x02\x8b\xff\xff\xff\x7f.",
    "protocol 9": b"\x80\x09}.",
    "extension code": b"\x80\x02\x82\x01.",
    "text not UTF-8": b"\x80\x02}X\x02\0\0\0\xff\xfe.",
    "marks without end": b"\x80\x02" + b"(" * 500_000,
    "lists in lists": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
    "the same name twice": tensor_pickle(names=("w", "w")),
    "keys that all hash alike": b"\x80\x02}("
    + b"".join(
        b"\x8a\x10" + ((2**61 - 1) * n).to_bytes(16, "little") + b"N" for n in range(2**63, 2**63 + 20_000)
    )
    + b"u.",
    "tuples that double": b"\x80\x02)" + b"q\x00h\x00\x86" * 100_000 + b".",
    "a class that doubles": b"\x80\x02)"
    + b"q\x00h\x00\x86" * 60
    + b"q\x01("
    + b"X\x07\0\0\0storageh\x01X\x01\0\0\x000X\x03\0\0\0cpuK\x10tQ.",
    "negative size": tensor_pickle(shape=(-1,)),
    "negative offset": tensor_pickle(offset=-4),
    "negative stride": tensor_pickle(stride=(-1,)),
    "negative count": tensor_pickle(numel=-16),
    "sizes without strides": tensor_pickle(shape=(4, 4)),
    "65 dimensions": tensor_pickle(shape=(1,) * 65, stride=(1,) * 65),
    "reaches outside": tensor_pickle(shape=(17,)),
    "offset outside": tensor_pickle(offset=2**60),
    "stride outside": tensor_pickle(shape=(2,), stride=(2**50,)),
    "storage larger than its record": tensor_pickle(numel=1000, shape=(1000,)),
    "storage of 2^60": tensor_pickle(numel=2**60, shape=(2**60,)),
    "missing record": tensor_pickle(key="7"),
    "record outside the archive": tensor_pickle(key="../../etc/passwd"),
}


@pytest.mark.parametrize("case", BAD_PICKLES)
def test_malformed_pickles_are_refused(case: str, tmp_path: Path) -> None:
    with pytest.raises(Trouble) as caught:
        run(with_pickle(tmp_path / "in", BAD_PICKLES[case]), tmp_path / "out")
    assert "pytorch_model.bin" in caught.value.where
    assert not (tmp_path / "out").exists()


def test_keys_that_would_fill_a_dict_for_ever_are_refused_at_once(tmp_path: Path) -> None:
    data = BAD_PICKLES["keys that all hash alike"]
    begin = time.process_time()
    with pytest.raises(Trouble, match="no tensor in the checkpoint"):
        run(with_pickle(tmp_path / "in", data), tmp_path / "out")
    assert time.process_time() - begin < 5


def test_the_pickles_of_these_tests_are_otherwise_good(tmp_path: Path) -> None:
    run(with_pickle(tmp_path / "in", tensor_pickle()), tmp_path / "out")
    assert load(tmp_path / "out")["w"].tolist() == [0.0] * 16


def test_a_tensor_of_exabytes_from_one_element_is_no_allocation(tmp_path: Path) -> None:
    data = tensor_pickle(shape=(2**30, 2**30), stride=(0, 0))
    with pytest.raises(Trouble) as caught:
        run(with_pickle(tmp_path / "in", data), tmp_path / "out")
    assert caught.value.code == "view-expands"
    assert not (tmp_path / "out").exists()


# VmHWM and not ru_maxrss: the latter counts what the tests' own process had before it started this one.
MEASURE = """
import runpy, sys
sys.argv = [{pyz!r}, "convert", {source!r}, {target!r}]
try:
    runpy.run_path({pyz!r}, run_name="__main__")
except SystemExit as end:
    print("status", end.code)
for line in open("/proc/self/status"):
    if line.startswith("VmHWM"):
        print("peak", int(line.split()[1]) // 1024)
"""


def peak_of(pyz: Path, source: Path, target: Path) -> tuple[int, int, str]:
    """Exit status, peak memory in MB, and output of a conversion in a process of its own."""
    text = MEASURE.format(pyz=str(pyz), source=str(source), target=str(target))
    done = subprocess.run(
        [sys.executable, "-S", "-c", text], capture_output=True, text=True, timeout=300, check=True
    )
    words = done.stdout.split()
    return int(words[words.index("status") + 1]), int(words[words.index("peak") + 1]), done.stdout


BOMBS: dict[str, Callable[[Path], None]] = {
    "pickle of gigabytes of zeros, deflated": lambda path: bomb(path, "a/data.pkl", 200 << 20),
    "record of zeros, deflated, larger than it claims": lambda path: lying_record(path),
    "pickle of nested lists": lambda path: pickled(path, b"\x80\x02" + b"]" * 15_000_000),
    "pickle of empty dicts": lambda path: pickled(path, b"\x80\x02(" + b"}" * 15_000_000 + b"t."),
    "pickle of texts": lambda path: pickled(path, b"\x80\x02(" + b"\x8c\x02\xc3\xa9" * 3_000_000 + b"t."),
    "pickle of one wide text": lambda path: pickled(path, wide_text()),
    "pickle of memo entries": lambda path: pickled(path, b"\x80\x04N" + b"\x94" * 15_000_000 + b"."),
    "pickle of numbers": lambda path: pickled(path, b"\x80\x02(" + b"M\x01\x08" * 5_000_000 + b"t."),
    "pickle of bytes": lambda path: pickled(path, b"\x80\x04(" + b"C\x01x" * 5_000_000 + b"t."),
    "pickle of NaN keys": lambda path: pickled(
        path, b"\x80\x02}(" + b"G\x7f\xf8\0\0\0\0\0\0N" * 1_000_000 + b"u."
    ),
    "pickle that does nothing for ever": lambda path: pickled(path, b"\x80\x02" + b"N0" * 7_000_000 + b"N."),
    "a number of 20,000,000 digits": lambda path: pickled(path, b"(L" + b"9" * 20_000_000 + b"L\nl."),
    "20 MB of lists in the old format": lambda path: in_the_old_format(
        path, b"\x80\x02(" + b"]" * 20_000_000 + b"l."
    ),
    "20 MB of lists in each other in the old format": lambda path: in_the_old_format(
        path, b"\x80\x02" + b"]" * 20_000_000 + b"a" * 19_999_999 + b"."
    ),
    "a directory of many members": lambda path: many_members(path),
    "a header that lies about its length": lambda path: lying_header(path, 2**60),
    "a header of 90 MB": lambda path: lying_header(path, 90_000_000),
    "a header as large as is read": lambda path: full_header(path, b"[[],"),
    "a header of empty objects": lambda path: full_header(path, b'{"a":'),
    "a header of many keys": lambda path: full_header(path, b'{"a":0,"b":0,'),
    "an index of 90 MB": lambda path: large_index(path),
}


def bomb(path: Path, name: str, size: int) -> None:
    with (
        zipfile.ZipFile(path / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(name, "w") as member,
    ):
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))


def lying_record(path: Path) -> None:
    """64 bytes are announced; what is there inflates to 256 MB."""
    bomb(path, "a/data/0", 256 << 20)
    with zipfile.ZipFile(path / "pytorch_model.bin", "a") as archive:
        archive.writestr("a/data.pkl", tensor_pickle())
    data = bytearray((path / "pytorch_model.bin").read_bytes())
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(b"a/data/0"))
    struct.pack_into("<L", data, at + 24, 64)
    (path / "pytorch_model.bin").write_bytes(data)


def pickled(path: Path, data: bytes) -> None:
    with zipfile.ZipFile(path / "pytorch_model.bin", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", data)


def in_the_old_format(path: Path, data: bytes) -> None:
    head = b"".join(
        pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    )
    (path / "pytorch_model.bin").write_bytes(head + data)


def wide_text() -> bytes:
    raw = b"x" * 14_000_000 + "\U0001f600".encode()
    return b"\x80\x02X" + struct.pack("<I", len(raw)) + raw + b"."


def many_members(path: Path) -> None:
    with zipfile.ZipFile(path / "pytorch_model.bin", "w") as archive:
        archive.writestr("a/data.pkl", tensor_pickle())
    data = (path / "pytorch_model.bin").read_bytes()
    end = data.rfind(b"PK\x05\x06")
    entry = data[data.find(b"PK\x01\x02") : end]
    count = 60_000
    many = data[: data.find(b"PK\x01\x02")] + entry * count
    tail = struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entry) * count, data.find(b"PK\x01\x02"), 0
    )
    (path / "pytorch_model.bin").write_bytes(many + tail)


def lying_header(path: Path, length: int) -> None:
    with (path / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", length) + b'{"a":' + b"[" * 1000)
        file.truncate(100_000_000)


def full_header(path: Path, text: bytes) -> None:
    data = (text[:1] + text[1:] * 4_000_000)[:3_900_000]
    (path / "model.safetensors").write_bytes(struct.pack("<Q", len(data)) + data)


def large_index(path: Path) -> None:
    with (path / "pytorch_model.bin.index.json").open("wb") as file:
        file.write(b'{"weight_map":{' + b'"a":"b",' * 11_000_000 + b'"c":"d"}}')


@pytest.mark.parametrize("case", BOMBS)
def test_bombs_are_refused_in_little_memory(case: str, tmp_path: Path, pyz: Path) -> None:
    (tmp_path / "in").mkdir()
    BOMBS[case](tmp_path / "in")
    status, peak, output = peak_of(pyz, tmp_path / "in", tmp_path / "out")
    assert status == 1, output
    assert '"code":"internal"' not in output
    assert peak < ROOM_MB, output


def test_memory_stays_flat_as_the_file_grows(tmp_path: Path, pyz: Path) -> None:
    peaks = []
    for size in (1, 10, 100):
        source = save(tmp_path / f"in{size}", {f"w{n}": torch.zeros(size << 18) for n in range(4)})
        status, peak, output = peak_of(pyz, source, tmp_path / f"out{size}")
        assert status == 0, output
        peaks.append(peak)
        (source / "pytorch_model.bin").unlink()
    assert max(peaks) < ROOM_MB
    assert peaks[2] - peaks[0] < 12, peaks


DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "truncated": (lambda data: data[: len(data) // 2], "no zip end record", "cut off"),
    "one byte short": (lambda data: data[:-1], "no zip end record", ""),
    "empty": (lambda data: b"", "is empty", ""),
    "an HTML page": (lambda data: b"<html>404</html>", "is a page of HTML", ""),
    "a git LFS pointer": (
        lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "is a Git-LFS pointer",
        "",
    ),
    "front missing": (lambda data: data[1000:], "", ""),
    "zeros in the middle of the directory": (
        lambda data: data[:-400] + bytes(50) + data[-350:],
        "",
        "",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_files_are_refused_before_anything_is_written(case: str, tmp_path: Path) -> None:
    change, what, more = DAMAGED[case]
    path = save(tmp_path / "in", model()) / "pytorch_model.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(Trouble) as caught:
        run(tmp_path / "in", tmp_path / "out")
    assert what in caught.value.what and more in caught.value.what
    assert "pytorch_model.bin" in caught.value.where
    assert not (tmp_path / "out").exists()


def test_a_flipped_bit_is_found_and_named(tmp_path: Path) -> None:
    path = save(tmp_path / "in", model()) / "pytorch_model.bin"
    name = "model.layers.2.mlp.experts.1.up_proj.weight"
    data = bytearray(path.read_bytes())
    # Each tensor's bytes are random: they are in the file once.
    at = data.find(model()[name].view(torch.uint8).numpy().tobytes())
    data[at + 77] ^= 0x10
    path.write_bytes(data)
    torch.load(path, weights_only=True)  # torch does not notice.
    with pytest.raises(Trouble) as caught:
        run(tmp_path / "in", tmp_path / "out")
    assert name in caught.value.what
    assert f"offset {at}" in caught.value.where and "/data/" in caught.value.where
    assert "CRC" in caught.value.what
    assert not list((tmp_path / "out").glob("*.safetensors"))


def test_a_flipped_bit_between_the_views_of_a_storage_is_found(tmp_path: Path) -> None:
    whole = torch.rand(1000)
    path = save(tmp_path / "in", {"head": whole[:10], "tail": whole[900:]}) / "pytorch_model.bin"
    data = bytearray(path.read_bytes())
    data[data.find(whole[500:510].numpy().tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(Trouble) as caught:
        run(tmp_path / "in", tmp_path / "out")
    assert "'head', 'tail'" in caught.value.what


def test_a_member_twice_is_refused_by_name(tmp_path: Path) -> None:
    path = save(tmp_path / "in", model()) / "pytorch_model.bin"
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(archive.namelist()[2], b"other")
    with pytest.raises(Trouble, match="is there twice"):
        run(tmp_path / "in", tmp_path / "out")


def test_overlapping_members_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "in", {"a": torch.rand(100), "b": torch.rand(100)}) / "pytorch_model.bin"
    repack(path, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    entries = [at for at in range(len(data)) if data[at : at + 4] == b"PK\x01\x02"]
    places = [struct.unpack_from("<L", data, at + 42)[0] for at in entries]
    struct.pack_into("<L", data, entries[-2] + 42, places[0] + 1)
    path.write_bytes(data)
    with pytest.raises(Trouble, match="overlap"):
        run(tmp_path / "in", tmp_path / "out")


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")
def test_torchscript_and_other_zip_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    program = torch.jit.script(torch.nn.Linear(2, 2))
    program.save(str(tmp_path / "in" / "pytorch_model.bin"))
    with pytest.raises(Trouble, match="TorchScript"):
        run(tmp_path / "in", tmp_path / "out")
    with zipfile.ZipFile(tmp_path / "in" / "pytorch_model.bin", "w") as archive:
        archive.writestr("notes.txt", "hello")
    with pytest.raises(Trouble, match="no checkpoint"):
        run(tmp_path / "in", tmp_path / "out")


def test_a_pickle_alone_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "pytorch_model.bin").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(Trouble, match="not a zip file"):
        run(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize("begin", [1_000, 2_000])
def test_checkpoints_with_a_few_bytes_changed_are_read_or_refused(begin: int, tmp_path: Path) -> None:
    """``make fuzz READER=pickles`` tries many more."""
    counts = dict.fromkeys(("taken", "refused"), 0)
    for seed, data in mutants(begin, 300):
        (tmp_path / "pytorch_model.bin").write_bytes(data)
        try:
            take(tmp_path / "pytorch_model.bin")
            counts["taken"] += 1
        except Trouble:
            counts["refused"] += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
    assert min(counts.values()) > 10


def test_no_more_is_inflated_than_a_record_claims(tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(bytes(50_000_000)) + packer.flush()
    (tmp_path / "file").write_bytes(packed)
    record = Record(str(tmp_path / "file"), "a/data/0", 0, 64, len(packed), 0)
    with pytest.raises(Trouble, match="damaged"):
        inflate([record], str(tmp_path / "scratch"))
    assert (tmp_path / "scratch").stat().st_size <= 65


@pytest.mark.parametrize("read_at_once", [1 << 17, 1 << 18])
def test_a_record_is_inflated_whole_where_its_last_bytes_come_when_nothing_is_left_to_read(
    read_at_once: int, tmp_path: Path
) -> None:
    for more in range(1, 260, 7):
        data = bytes(read_at_once + more)
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(data) + packer.flush()
        (tmp_path / "file").write_bytes(packed)
        record = Record(str(tmp_path / "file"), "a/data/0", 0, len(data), len(packed), zlib.crc32(data))
        assert b"".join(inflated(record)) == data
