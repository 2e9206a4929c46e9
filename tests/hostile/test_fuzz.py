"""``make fuzz`` finds what it is for, and each of its readers takes a few cases in every run of the tests."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from lingctl.node.trouble import Trouble
from tests.fuzz.__main__ import Trial
from tests.fuzz.cases import Defect, grows, smaller, tried
from tests.fuzz.mutate import changed, stretched
from tests.fuzz.reader import Reader
from tests.fuzz.readers import READERS

pytestmark = pytest.mark.torch


def _reader(read: object) -> Reader:
    return Reader("own", lambda: [b"x"], read)  # type: ignore[arg-type]  # a reading of some kind


def _hoards(data: bytes, _folder: Path) -> object:
    return len([bytearray(1 << 20) for _ in range(400)])


def _quadratic(data: bytes, _folder: Path) -> object:
    return sum(data[at:].count(b"y") for at in range(len(data)))


def _refuses(data: bytes, _folder: Path) -> object:
    raise Trouble(f"\x1b[31m{data!r}", where="\u202e")


WRONG = {
    "an error of none of ours": (lambda data, _: data[500], "IndexError"),
    "a file outside": (lambda _d, folder: (folder.parent / "out").write_text("x"), "outside its folder"),
    "a command": (lambda _d, _f: subprocess.run(["true"], check=False), "outside its folder"),
    "memory": (_hoards, "MB for 1 bytes"),
    "no end": (lambda _d, _f: [None for _ in iter(int, 1)], "of the processor"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_reading_that_does_what_it_may_not_is_found(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.guard._CPU_SECONDS", 0.5)
    read, words = WRONG[kind]
    outcome = tried(_reader(read), b"x", tmp_path / "case")
    assert isinstance(outcome, Defect)
    assert words in outcome.what


def test_a_reading_that_refuses_in_our_words_is_right(tmp_path: Path) -> None:
    assert tried(_reader(_refuses), b"x", tmp_path / "case") == "refused"
    assert tried(_reader(lambda data, _: {"a": data}), b"\x1b\x9b", tmp_path / "case") == "taken"


def test_time_that_grows_faster_than_input_is_found(tmp_path: Path) -> None:
    of = stretched(b"y", random.Random(1))
    assert isinstance(grows(_reader(_quadratic), of, tmp_path / "case"), Defect)
    assert grows(_reader(lambda data, _: len(data) * sum(data)), of, tmp_path / "case") == "linear"


def test_a_case_is_made_short(tmp_path: Path) -> None:
    reader = _reader(lambda data, _: 1 / (b"bad" not in data))
    data = b"x" * 300 + b"bad" + b"y" * 300
    mark = tried(reader, data, tmp_path / "case")
    assert isinstance(mark, Defect)
    assert smaller(reader, data, mark.mark, tmp_path / "case") == b"bad"


def test_changes_follow_from_their_seed() -> None:
    data = b'{"a": [1, 2.5, "x"]}\nline: 5\n'
    made = [[changed(data, random.Random(seed), [data], [b"w"]) for seed in range(200)] for _ in range(2)]
    assert made[0] == made[1]
    assert len(set(made[0])) > 150


@pytest.mark.parametrize("name", READERS)
def test_no_reader_falls_over(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dozen cases of each."""
    monkeypatch.chdir(tmp_path)  # where a finding would be written
    seeds = list(READERS[name].seeds())
    trial = Trial(READERS[name], random.Random(5), random.Random(6).sample(seeds, min(4, len(seeds))))
    trial.begin(tmp_path / "case", 5)
    for _ in range(12):
        trial.case(tmp_path / "case", 5)
    assert not trial.marks, [path.read_text() for path in (tmp_path / ".fuzz").glob("*.txt")]
