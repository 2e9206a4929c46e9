"""One case: what a reader makes of input, and whether that is as it has to be."""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from lingctl.ascend.facts import as_json
from lingctl.ascend.unread import Unread
from lingctl.errors import InternalError, LingctlError
from lingctl.node.trouble import Trouble
from lingctl.output.documents import print_json
from lingctl.output.errors import print_error, print_error_document
from lingctl.output.screen.terminal import answer
from lingctl.program.translate import program_error
from lingctl.release.weights_state import WeightsUnknown
from lingctl.serving.trouble import ExchangeTrouble
from tests.fuzz.guard import TooLong, watched
from tests.fuzz.reader import Reader, Wrong

RAW = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_MOST_PRINTED = 120_000
_UNKNOWN = (Unread, WeightsUnknown, ExchangeTrouble)
# Of one input and of one four times as long: what is linear takes four times as long.
_SHORT, _TIMES, _MOST_TIMES = 6_000, 4, 9.0
_NOTICED = 0.06  # seconds


@dataclass(frozen=True)
class Defect:
    """What was not as it has to be."""

    what: str  # in words
    place: str = ""  # innermost place of ours, of an exception

    @property
    def mark(self) -> str:
        """The same for the same defect, met again."""
        return re.sub(r"[0-9]+", "9", self.what.partition("\n")[0][:80] if not self.place else self.place)


def tried(reader: Reader, data: bytes, folder: Path, *, printed: bool = True) -> str | Defect:
    """What came of one input: ``taken``, ``refused`` or ``unknown``, or what is wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    result: object = None
    error: LingctlError | None = None
    try:
        with watched(folder) as did:
            try:
                result = reader.read(data, folder)
            except InternalError:
                raise
            except LingctlError as told:
                error = told
            except Trouble as told:
                error = program_error(told.as_event(), "node1")
            except reader.refusals as told:
                error = LingctlError(str(told))
    except TooLong as end:
        return Defect(f"takes {end}", _place(end))
    except Exception as end:
        kind = "is wrong" if isinstance(end, Wrong) else "ends with"
        return Defect(
            f"{kind}: {type(end).__name__}: {str(end)[:600]}", f"{type(end).__name__} {_place(end)}"
        )
    excess = did.excess(len(data))
    if excess:
        return Defect(excess)
    if printed:
        try:
            flaw = _flaw_of_output(result, error)
        except Exception as end:
            return Defect(
                f"cannot be shown: {type(end).__name__}: {end!s:.600}", f"{type(end).__name__} {_place(end)}"
            )
        if flaw:
            return Defect(flaw)
    return "refused" if error is not None else "unknown" if isinstance(result, _UNKNOWN) else "taken"


def grows(reader: Reader, of: Callable[[int], bytes], folder: Path) -> str | Defect:
    """Whether time grows no faster than input does."""
    # A second step: the short one may have come to another end.
    for size in (_SHORT, _SHORT, _TIMES * _SHORT):
        short, long = of(size), of(_TIMES * size)
        less, more = _seconds(reader, short, folder), _seconds(reader, long, folder)
        if more < _NOTICED or more < _MOST_TIMES * max(less, 0.002):
            return "linear"
    return Defect(
        f"takes {less:.3f} s for {len(short)} bytes and {more:.3f} s for {len(long)}",
        "grows faster than input",
    )


def _seconds(reader: Reader, data: bytes, folder: Path) -> float:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        with watched(folder) as did:
            reader.read(data, folder)
    except (Exception, TooLong):  # what it came to is judged by ``tried``
        pass
    return did.seconds


def _flaw_of_output(result: object, error: LingctlError | None) -> str:
    """What is wrong with what would be printed of it, by people and by programs."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        if error is not None:
            print_error(error)
            print_error_document(error)
        else:
            print_json("fuzz", {"result": as_json(result)})
            document = out.getvalue()
            answer(str(result))
    document = out.getvalue() if error is not None else document
    text = out.getvalue() + err.getvalue()
    if found := RAW.search(text):
        return f"prints {found.group()!a}"
    json.loads(document, parse_constant=_no_constant)
    if error is not None and (len(text) > _MOST_PRINTED or not error.what.strip()):
        return f"an error of {len(text)} characters: {error.what[:80]!r}"
    return ""


def _no_constant(name: str) -> None:
    raise Wrong(f"{name} is no JSON")


def _place(error: BaseException) -> str:
    """The innermost place of the product's, else of the readers here."""
    frames = traceback.extract_tb(error.__traceback__)
    for mark in ("/lingctl/", "/tests/fuzz/readers/"):
        for frame in reversed(frames):
            if mark in frame.filename:
                return f"{frame.filename.rpartition(mark)[2]}:{frame.lineno}"
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""


def smaller(reader: Reader, data: bytes, mark: str, folder: Path, most: int = 300) -> bytes:
    """A shorter input with the same defect, as far as ``most`` tries go."""
    size = len(data) // 2
    while size and most > 0:
        at = 0
        while at < len(data) and most > 0:
            shorter, most = data[:at] + data[at + size :], most - 1
            outcome = tried(reader, shorter, folder)
            if isinstance(outcome, Defect) and outcome.mark == mark:
                data = shorter
            else:
                at += size
        size //= 2
    return data


def show(defect: Defect) -> None:
    print(f"  {defect.what}" + (f"\n  at {defect.place}" if defect.place else ""), file=sys.stderr)
