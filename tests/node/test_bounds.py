"""Folders made to take all memory or all time: told for what they are, within bounds of both."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.node.folders import CONFIG, INDEX, config

pytestmark = pytest.mark.torch  # the node program's fixtures stand beside those that need it

MOST_MB = 64
MOST_SECONDS = 30


def header(path: Path, *parts: str | tuple[str, int]) -> None:
    """A file that is a header alone, of texts and of texts repeated."""
    with path.open("wb") as file:
        file.write(bytes(8))
        for part in parts:
            text, count = (part, 1) if isinstance(part, str) else part
            some = max(1, min(count, 1_000_000 // len(text)))
            for _ in range(count // some):
                file.write(text.encode() * some)
            file.write(text.encode() * (count % some))
        length = file.tell() - 8
        file.seek(0)
        file.write(length.to_bytes(8, "little"))


def headed(*parts: str | tuple[str, int]) -> Callable[[Path], object]:
    return lambda folder: header(folder / "model.safetensors", *parts)


def indexed(*parts: str) -> Callable[[Path], object]:
    return lambda folder: (folder / INDEX).write_text("".join(parts))


def beside(name: str, text: str) -> Callable[[Path], object]:
    """A file beside weights of one tensor."""
    return lambda folder: [headed(*_ONE)(folder), (folder / name).write_text(text)]


def endless(*names: str) -> Callable[[Path], object]:
    """Links that lead to a device, beside weights of one tensor."""
    return lambda folder: [
        headed(*_ONE)(folder),
        *((folder / name).symlink_to("/dev/zero") for name in names),
    ]


def pipes(folder: Path) -> None:
    for name in (
        "tokenizer.json",
        INDEX,
        "pytorch_model.bin",
        ".lingctl-manifest.json",
        ".lingctl-convert.json",
    ):
        os.mkfifo(folder / name)


def many(text: str, count: int) -> str:
    return ",".join(text.replace("N", str(number)) for number in range(count))


_NOTES = (".lingctl-manifest.json", ".lingctl-convert.json")
_EMPTY = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
_ONE = ('{"a":', _EMPTY, "}")
_LAYERS = {"num_hidden_layers": 100, "num_experts": 1300}

# What a folder holds, and what is said of it.
HOSTILE: dict[str, tuple[Callable[[Path], object], str]] = {
    "a header of white space": (headed("{", (" ", 99_999_998), "}"), "no tensor in it"),
    "one word of metadata": (headed('{"__metadata__":{"a":"', ("x", 60_000_000), '"}}'), "no tensor in it"),
    "escapes": (headed('{"__metadata__":{"a":"', ("\\u4f60\\n", 2_000_000), '"}}'), "no tensor in it"),
    "many words of metadata": (headed('{"__metadata__":{', ('"":"",', 5_000_000), '"":""}}'), "values"),
    "many values that nobody reads": (headed('{"a":{"x":[', ("0,", 9_000_000), "0]}}"), "values"),
    "levels without end": (headed('{"a":{"x":', ("[", 9_000_000)), "more than 127 levels"),
    "a name of 15 MB": (headed('{"', ("k", 15_000_000), '":{}}'), "a name of more than 65536"),
    "a number of 15 MB": (headed('{"a":{"x":', ("9", 15_000_000), "}}"), "a number of more than 1000"),
    "a layer of 5,000 digits": (headed('{"model.layers.', ("9", 5000), '.x":', _EMPTY, "}"), "are missing"),
    "200,000 dimensions": (headed('{"a":{"shape":[', ("9,", 200_000), "9]}}"), "over 64 dimensions"),
    "120,000 tensors": (headed("{", many(f'"N":{_EMPTY}', 120_000), "}"), "tensors, more than"),
    "long names": (headed("{", many(f'"{"n" * 60_000}N":{_EMPTY}', 500), "}"), "tensors, more than"),
    "many shapes": (
        headed("{", many(_EMPTY.replace("{", '"N":{').replace("[0]", f"[0,N{',7' * 62}]"), 30_000), "}"),
        "tensors, more than",
    ),
    "one name twice among many": (
        indexed('{"weight_map":{', many('"N":"a"', 60_000), ',"7":"a"}}'),
        "the key '7' is there twice",
    ),
    "an index of too many names": (indexed('{"weight_map":{', many('"N":"a"', 200_000), "}}"), "tensors"),
    "an index of too many files": (
        indexed('{"weight_map":{', many(f'"N":"{"f" * 200}N"', 8_000), "}}"),
        "files that are missing",
    ),
    "an index that never ends": (endless(INDEX), "is no regular file"),
    "a config.json that calls for 400,000 tensors": (
        lambda folder: [config(folder, **_LAYERS), headed(*_ONE)(folder)],
        "tensors are missing",
    ),
    "a config.json of lists": (
        beside("config.json", json.dumps(CONFIG)[:-1] + ',"x":[' + "[]," * 300_000 + "0]}"),
        "31 tensors are missing",
    ),
    "notes that never end": (
        endless(*_NOTES),
        "the conversion into it was not finished",
    ),
    "a manifest of lists": (
        beside(".lingctl-manifest.json", "[" + "[]," * 390_000 + "0]"),
        "31 tensors are missing",
    ),
    "pipes wherever a file is read": (pipes, "is no regular file"),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    top = tmp_path_factory.mktemp("hostile")
    found = {}
    for number, (case, (make, _)) in enumerate(HOSTILE.items()):
        found[case] = config(top / str(number))
        make(found[case])
    yield found
    # 300 MB, which pytest would keep.
    shutil.rmtree(top)


@pytest.fixture(scope="module")
def told(folders: dict[str, Path], pyz: Path) -> dict[str, tuple[str, int, float]]:
    """For each folder: what the node program says, and memory (MB) and processor seconds until then.

    One process looks at all of them: what they take together, each takes at most.
    """
    command = [sys.executable, "-S", "-c", _LOOK, pyz, *folders.values()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=True)
    answers = done.stdout.split("end ")
    heads = [answer.split("\n", 1)[0].split() for answer in answers[1:]]
    texts = [answers[0], *(answer.split("\n", 1)[1] for answer in answers[1:])]
    return {
        case: (text, int(peak), float(seconds))
        for case, text, (peak, seconds) in zip(folders, texts, heads, strict=False)
    }


@pytest.mark.parametrize("case", HOSTILE)
def test_it_is_told_in_little_time_and_memory(case: str, told: dict[str, tuple[str, int, float]]) -> None:
    text, peak, seconds = told[case]
    assert HOSTILE[case][1] in text
    assert '"code":"internal"' not in text
    assert len(text) < 20_000
    assert peak < MOST_MB
    assert seconds < MOST_SECONDS


# VmHWM and not ru_maxrss: the latter counts what the tests' own process had before it started this one.
_LOOK = """
import sys, time
sys.path.insert(0, sys.argv[1])
from lingctl.node.main import main
for folder in sys.argv[2:]:
    begun = time.process_time()
    main(["weights", "verify", folder])
    main(["convert", folder, folder + "-out"])
    high = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("end", int(high.split()[1]) // 1024, time.process_time() - begun, flush=True)
"""
