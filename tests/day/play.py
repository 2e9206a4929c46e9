"""Plays the day on a terminal of 80 columns and 24 lines; what each command leaves on it is a picture.

``python -m tests.day.play`` plays it and writes the pictures anew: read what changed. With ``--watch`` each
is printed as it comes.
"""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.day.script import DAY, SANDBOX, Edit, Typed
from tests.forked import LINGCTL
from tests.sandbox.live import lingctl
from tests.terminal.screen import left_in_order, terminal

PICTURES = Path(__file__).with_name("pictures")
SIZE = (80, 24)
# A whole deploy, on a machine that is busy with other things.
LONG = 240.0


def file_of(number: int) -> Path:
    """Where the picture of the command with this number, from 1, lies."""
    return PICTURES / f"{number:02}-{DAY[number - 1].name}.txt"


class Day:
    """An operator's folder, and what was typed in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def play(self, typed: Typed) -> str:
        """Type one command; gives the picture, and fails where it does not end as it should."""
        before = self._edit(typed.edit) if typed.edit else None
        deadline = time.monotonic() + LONG
        try:
            while True:
                picture = self._typed(typed)
                if re.search(typed.until, picture) or time.monotonic() > deadline:
                    return picture
        finally:
            if typed.edit and typed.taken_back and before is not None:
                (self.folder / typed.edit.file).write_text(before)

    def _typed(self, typed: Typed) -> str:
        words = shlex.split(typed.line)
        sandboxed = (self.folder / SANDBOX).exists()
        environment = {
            "HOME": str(self.folder),
            **({"LINGCTL_NODES": SANDBOX} if sandboxed and "--nodes" not in words else {}),
        }
        with terminal(LINGCTL, *words, size=SIZE, environment=environment, cwd=self.folder) as shown:
            answered: Counter[str] = Counter()
            for pattern, keys in typed.keys:
                shown.when(lambda p=pattern: shown.count(p) > answered[p], repr(pattern), LONG)
                answered[pattern] = shown.count(pattern)
                shown.press(keys)
            status = shown.end(LONG)
            picture = "\n".join(shown.screen.whole).rstrip()
            assert typed.varies or status == typed.status, (
                f"ended with {status}, not {typed.status}:\n{picture}"
            )
            left_in_order(shown)
        edited = f"# {typed.edit.file}: {typed.edit.new.strip()}\n" if typed.edit else ""
        return f"{edited}$ lingctl {typed.line}".rstrip() + f"\n{picture}\n"

    def _edit(self, edit: Edit) -> str:
        path = self.folder / edit.file
        text = path.read_text()
        assert edit.old in text, f"{edit.file} has no {edit.old!r}"
        path.write_text(text.replace(edit.old, edit.new, 1) if edit.old else text + edit.new)
        return text


@contextmanager
def begun() -> Iterator[Day]:
    """A new folder; the name is always as long, so that lines break in the same places."""
    with tempfile.TemporaryDirectory(prefix="lingctl-day-", dir="/tmp") as folder:
        try:
            yield Day(Path(folder))
        finally:
            if (Path(folder) / SANDBOX).exists():
                lingctl("sandbox", "down", cwd=Path(folder))


_VOLATILE = (
    # What a step took is said where it took long.
    (r" \(\d+:\d\d(:\d\d)?\)", ""),
    (r"/tmp/lingctl-day-\w{8}", "FOLDER"),
    (r"\b\w+@(?!\d)[\w.-]+", "WHO"),
    (r"\b\d{4}-?\d\d-?\d\d([T -]?\d\d:?\d\d(:?\d\d)?(\.\d+)?( ?(Z|UTC))?)?(-[0-9a-f]{4})?\b", "TIME"),
    (r"\b\d\d?:\d\d(:\d\d)?\b", "TIME"),
    (r"\b[0-9a-f]{7,}\b", "SUM"),
    (r"\b127(\.\d+){3}(:\d+)?", "ADDRESS"),
    (r"\b\d+(\.\d+)? ?(s|ms|min|h|seconds?|minutes?)\b", "SECONDS"),
    (r"\b(pid|process) \d+", "PROCESS"),
    (r"\b\d+(\.\d+)? ?([kMG]i?B)(/s)?\b", "BYTES"),
)


def settled(picture: str, *, measured: bool = False) -> str:
    """What any two runs have in common: no times, sums and addresses; what nodes did at once, in one order.

    Where a line breaks depends on what was taken out, so that is taken out too: that no word breaks, tests of
    the tables and of the screen show.
    """
    # What the terminal itself broke, at its last column, is one line.
    picture = re.sub(rf"(?m)^(.{{{SIZE[0]}}})\n", r"\1", picture)
    for pattern, word in _VOLATILE:
        picture = re.sub(pattern, word, picture)
    if measured:
        picture = re.sub(r"\d+([.,]\d+)*", "N", picture)
    lines: list[str] = []
    run: list[str] = []
    for line in [*picture.splitlines(), ""]:
        if re.match(r"\s*[✓✗!] ", line):
            run.append(line)
        else:
            lines += sorted(run)
            run.clear()
            lines.append(line)
    return " ".join(" ".join(lines).split())


def main() -> None:
    """Write the pictures, or with a number only the first so many."""
    watch = "--watch" in sys.argv
    most = next((int(word) for word in sys.argv[1:] if word.isdigit()), len(DAY))
    PICTURES.mkdir(exist_ok=True)
    before = {path.name: path.read_text() for path in PICTURES.glob("*.txt")}
    for name in before:
        (PICTURES / name).unlink()
    with begun() as day:
        for number, typed in enumerate(DAY[:most], 1):
            try:
                picture = day.play(typed)
            except AssertionError as error:
                picture = f"$ lingctl {typed.line}\n{error}"
                print(f"{number}: {typed.line}: {str(error).splitlines()[0]}")
            # One that shows the same stays as it was: what is read anew is what changed.
            old = before.get(file_of(number).name, "")
            same = settled(old, measured=typed.measured) == settled(picture, measured=typed.measured)
            file_of(number).write_text(old if same or (old and typed.varies) else picture)
            if watch:
                print(picture)


if __name__ == "__main__":
    main()
