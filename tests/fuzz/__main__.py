"""Feed the readers of what comes from elsewhere with input that nobody sends on purpose.

    make fuzz                    an hour, all readers in turn
    make fuzz MINUTES=5          five minutes
    make fuzz READER=sse         one reader, or several: READER="sse chat"
    make fuzz CASE=.fuzz/FILE    one case again

What is found is written below .fuzz/, made short, with the seed of its run; the file's name begins with its
reader's. A run with the same seed and reader tries the same cases in the same order.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.cases import Defect, grows, show, smaller, tried
from tests.fuzz.coverage import Ways
from tests.fuzz.mutate import changed, stretched
from tests.fuzz.reader import Reader
from tests.fuzz.readers import READERS

_FOUND = Path(".fuzz")
_TURN = 1.5  # seconds of the processor that a reader has before the next one
# One case in so many is followed line by line, printed, or stretched: these cost more.
_FOLLOWED, _PRINTED, _STRETCHED = 3, 4, 40
_MOST_KEPT = 1_500


@dataclass
class Trial:
    """A reader, and what is known of it."""

    reader: Reader
    chance: random.Random
    kept: list[bytes]
    ways: Ways = field(default_factory=Ways)
    came_to: Counter[str] = field(default_factory=Counter)
    marks: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    number: int = 0

    def begin(self, folder: Path, seed: int) -> None:
        """The input as it is."""
        for data in list(self.kept):
            self._follow(data, folder)
            self._note(tried(self.reader, data, folder), data, folder, seed)

    def case(self, folder: Path, seed: int) -> None:
        """One more."""
        self.number += 1
        if self.reader.grows and self.number % _STRETCHED == 0:
            of = stretched(self.chance.choice(self.kept)[:4_000], self.chance)
            self._note(grows(self.reader, of, folder), of(24_000), folder, seed, short=False)
            return
        data = self._next()
        if self.number % _FOLLOWED == 0 and self._follow(data, folder) and len(self.kept) < _MOST_KEPT:
            self.kept.append(data)
        self._note(tried(self.reader, data, folder, printed=self.number % _PRINTED == 0), data, folder, seed)

    def _next(self) -> bytes:
        reader, chance = self.reader, self.chance
        if reader.made and chance.random() < 0.4:
            data = reader.made(chance)
            if chance.random() < 0.4:
                return data
        else:
            # What was kept last leads farther.
            data = chance.choice(self.kept[-40:] if chance.random() < 0.3 else self.kept)
        if reader.changed and chance.random() < 0.8:
            return reader.changed(data, chance)
        return changed(data, chance, self.kept, reader.words)

    def _follow(self, data: bytes, folder: Path) -> bool:
        return self.ways.run(lambda: tried(self.reader, data, folder, printed=False))

    def _note(
        self, outcome: str | Defect, data: bytes, folder: Path, seed: int, *, short: bool = True
    ) -> None:
        if isinstance(outcome, str):
            self.came_to[outcome] += 1
            return
        self.marks[outcome.mark] += 1
        if self.marks[outcome.mark] > 1:
            return
        name = f"{self.reader.name}-{seed}-{self.number}"
        least = (
            smaller(self.reader, data, outcome.mark, folder)
            if short and "takes" not in outcome.what
            else data
        )
        _FOUND.mkdir(exist_ok=True)
        (_FOUND / name).write_bytes(least)
        (_FOUND / f"{name}.txt").write_text(
            f"{outcome.what}\nat {outcome.place}\n{self.reader.name}, seed {seed}, case {self.number}\n",
            encoding="utf-8",
            errors="backslashreplace",
        )
        print(f"found: {_FOUND / name}", file=sys.stderr)
        show(outcome)


def main() -> int:
    """Try until the time is over; 1 if something was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--reader", action="append", choices=[*READERS, []], help="this one alone")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--cases", type=int, default=sys.maxsize, help="so many of each reader")
    parser.add_argument("--case", type=Path, help="a file of .fuzz, tried again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        folder = Path(scratch) / "case"
        if arguments.case:
            return _again(arguments.case, folder)
        seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**9)
        names = arguments.reader or list(READERS)
        trials = [
            Trial(READERS[name], random.Random(f"{seed} {name}"), list(READERS[name].seeds()))
            for name in names
        ]
        begun = time.monotonic()
        _run(trials, folder, seed, begun + 60 * arguments.minutes, arguments.cases)
    return _report(trials, seed, time.monotonic() - begun)


def _run(trials: list[Trial], folder: Path, seed: int, end: float, most: int) -> None:
    for trial in trials:
        trial.begin(folder, seed)
    left = list(trials)
    while left and time.monotonic() < end:
        for trial in list(left):
            begun = time.process_time()
            while time.process_time() < begun + _TURN and time.monotonic() < end and trial.number < most:
                trial.case(folder, seed)
            trial.seconds += time.process_time() - begun
            if trial.number >= most:
                left.remove(trial)


def _again(case: Path, folder: Path) -> int:
    reader = READERS[case.name.split("-")[0]]
    data = case.read_bytes()
    outcome = tried(reader, data, folder)
    if isinstance(outcome, Defect):
        show(outcome)
        return 1
    print(f"{reader.name}: {outcome}")
    return 0


def _report(trials: list[Trial], seed: int, seconds: float) -> int:
    used = time.process_time() / 60
    print(f"seed {seed}, {seconds / 60:.1f} minutes, {used:.1f} of the processor")
    print(
        f"{'reader':<12}{'cases':>10}{'taken':>9}{'refused':>9}{'unknown':>9}{'lines':>7}{'kept':>6}{'found':>6}"
    )
    for one in trials:
        came = one.came_to
        print(
            f"{one.reader.name:<12}{came.total() + one.marks.total():>10}{came['taken']:>9}"
            f"{came['refused']:>9}{came['unknown']:>9}{one.ways.lines:>7}{len(one.kept):>6}{len(one.marks):>6}"
        )
    total = sum(len(one.marks) for one in trials)
    print(f"{sum(one.came_to.total() + one.marks.total() for one in trials)} cases, {total} found")
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
