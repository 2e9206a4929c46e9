"""Whatever is printed, by whatever of ours or of a library, is shown and never obeyed, and has an end."""

from __future__ import annotations

import ast
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import lingctl
from lingctl.errors import NodeError
from lingctl.events import Event
from lingctl.findings import Finding, Verdict
from lingctl.output.documents import print_json
from lingctl.output.errors import print_error, print_error_document
from lingctl.output.findings import print_findings
from lingctl.output.progress import progress
from lingctl.output.screen.harmless import MOST, harmless, json_text
from lingctl.output.screen.terminal import answer, answer_file, say
from lingctl.output.tables import print_table
from lingctl.output.verbs.plans import print_plan
from lingctl.plan import Plan, Run, Stage, Step
from lingctl.remote.command import command

RAW = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Title, clipboard, link, colour, C1, direction, half of an emoji, markup of Rich, bell, return.
HOSTILE = (
    "\x1b]0;title\x07\x1b]52;c;eA==\x07\x1b]8;;http://192.0.2.1/\x1b\\link\x1b[31mred\x9b31m\x85\u202egnp\u2066"
    "\ud83d\x00\x08\x7f[bold red]mark[/]:smiley:\rover\x0b\x0c\u2028"
)
ROOT = Path(lingctl.__file__).parent


def test_what_would_be_obeyed_is_written_out_and_the_rest_is_as_it_was() -> None:
    assert harmless("\x1b[31m\x9b\x7f\u202e\ud83d\r") == r"\x1b[31m\x9b\x7f\u202e\ud83d\x0d"
    honest = "weights 权重\tтест 👩\u200d💻 é\nnext\r\nand [bold] {x} \\x1b"
    assert harmless(honest) == honest.replace("\r\n", "\n")
    assert not RAW.search(harmless("".join(map(chr, range(0x3000))) + HOSTILE, most=0x4000))


def test_a_text_without_an_end_is_cut_and_says_how_much_is_left_out() -> None:
    shown = harmless("\x1b" * 30_000_000)
    assert len(shown) < 5 * MOST
    assert shown.endswith(f" ... ({30_000_000 - MOST:,} more characters)")


def test_a_document_is_valid_whatever_is_in_it() -> None:
    deep: object = "end"
    for _ in range(5_000):
        deep = [deep]
    content = {"text": HOSTILE, HOSTILE: 1, "nan": float("nan"), "deep": deep, "path": Path("/\udc9b")}
    content |= {"huge": 10**5000, "long": "x" * 3_000_000, "none": {None: 1, True: 2, 3: 4}, "set": {1}}
    text = json_text(content)
    assert not RAW.search(text)
    text.encode()  # no half of a pair is left
    read = json.loads(text, parse_constant=pytest.fail)
    assert read["nan"] is None
    assert read["text"] == HOSTILE.replace("\ud83d", "\\ud83d")
    assert read["none"] == {"null": 1, "true": 2, "3": 4}
    assert len(read["long"]) < 1_100_000


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        "x",
        None,
        {"a": []},
        {"a": {}},
        {"a": [{}, [], {"b": [1, {"c": None}]}], "d": "e\nf"},
        [[["g"]]],
    ],
)
def test_a_document_made_in_parts_reads_as_one_that_is_made_at_once(content: object) -> None:
    assert json_text(content) == json.dumps(content, indent=2)
    assert json_text({"deeper": content}) == json.dumps({"deeper": content}, indent=2)


FINDING = Finding(HOSTILE, Verdict.FAILURE, HOSTILE, HOSTILE, None, HOSTILE * 300, HOSTILE)
ERROR = NodeError(HOSTILE * 500_000, where=HOSTILE, evidence=HOSTILE * 500_000, remedy=HOSTILE, code=HOSTILE)
STEP = Step(Stage.FILES, HOSTILE, HOSTILE, "change", HOSTILE, (Run(command("true")),), HOSTILE, False)


def _progress() -> None:
    with progress() as listener:
        for state in ("started", "progress", "note", "failed", "done"):
            listener(Event(HOSTILE, state, HOSTILE, HOSTILE))  # type: ignore[arg-type]


PRINTERS: dict[str, Callable[[], None]] = {
    "an answer": lambda: answer(HOSTILE * 20_000),
    "a file": lambda: answer_file(HOSTILE),
    "conversation": lambda: say(HOSTILE, "yellow"),
    "an error": lambda: print_error(ERROR),
    "an error document": lambda: print_error_document(ERROR),
    "a document": lambda: print_json(HOSTILE, {HOSTILE: [HOSTILE, {"x": HOSTILE}]}),
    "findings": lambda: print_findings([FINDING, FINDING]),
    "a table": lambda: print_table((HOSTILE, "b"), [(HOSTILE * 1000, None), (1, HOSTILE)]),
    "a plan": lambda: print_plan(Plan((STEP,)), differences=True, wanted=HOSTILE),
    "progress": _progress,
}


@pytest.mark.parametrize("name", PRINTERS)
def test_each_printer_shows_hostile_text_and_has_an_end(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    PRINTERS[name]()
    said = "".join(capsys.readouterr())
    assert not RAW.search(said)
    assert r"\x1b]0;title\x07" in said or r"\u001b]0;title\u0007" in said
    assert "[bold red]mark[/]:smiley:" in said
    assert len(said) < 600_000


_EVERYTHING = """
import logging, sys, traceback, warnings
from lingctl.output.screen.streams import mend_streams
mend_streams()
from tests.hostile.test_printed import HOSTILE, PRINTERS
print(HOSTILE); print(HOSTILE, file=sys.stderr); sys.stdout.write(HOSTILE)
sys.stderr.writelines([HOSTILE, HOSTILE])
logging.warning(HOSTILE); warnings.warn(HOSTILE)
try:
    raise ValueError(HOSTILE)
except ValueError:
    traceback.print_exc()
from lingctl.output.progress import progress
from lingctl.events import Event
with progress() as listener:
    listener(Event("x", "started", "n"))
    print(HOSTILE, file=sys.stderr)
for name, printer in PRINTERS.items():
    printer()
raise ValueError(HOSTILE)
"""
# What we say to a terminal: colours, and what has lines drawn again.
_OURS = re.compile(r"\x1b\[[0-9;]*[mABJK]|\x1b[78]|\r")


@pytest.mark.parametrize("where", ["pipe", "terminal"])
def test_nothing_of_the_process_reaches_a_pipe_or_a_terminal_raw(where: str) -> None:
    said = _in_pipe() if where == "pipe" else _OURS.sub("", _on_terminal())
    assert not RAW.search(said), ascii(said[max(0, RAW.search(said).start() - 60) :][:120])  # type: ignore[union-attr]
    # 31 colours what a style of ours does not: a sequence from the text would be one too many.
    assert said.count(r"\x1b]0;title\x07") > 20
    assert "\x1b]" not in said


def _in_pipe() -> str:
    ran = subprocess.run([sys.executable, "-c", _EVERYTHING], capture_output=True, timeout=120, check=False)
    return (ran.stdout + ran.stderr).decode("utf-8", "surrogateescape")


def _on_terminal() -> str:
    end, other = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-c", _EVERYTHING], stdout=other, stderr=other, stdin=other, env=environment
    )
    os.close(other)
    said = b""
    while block := _read(end):
        said += block
    process.wait(60)
    os.close(end)
    return said.decode("utf-8", "surrogateescape")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux: the other end is closed
        return b""


# Where else a stream may be touched than in ``output.screen.terminal``: with constants of ours.
_ALLOWED = {
    "output/screen/terminal.py": {"sys.stdout.write"},
    "output/screen/streams.py": {"os.write"},
    "cli/app.py": {"sys.stderr.write", "typer.echo"},
}
_PRINTING = re.compile(
    r"^(print|(sys\.)?(stdout|stderr)\.(write|writelines)|os\.write|typer\.(echo|secho)|click\.\w*echo)$"
)


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        # Programs of a node speak JSON to lingctl, and the sandbox's tools are what nodes run.
        if not place.startswith(("node/", "sandbox/")):
            yield place, ast.parse(path.read_text(encoding="utf-8"))


def test_nothing_else_writes_to_a_stream() -> None:
    found = []
    for place, module in _modules():
        for node in ast.walk(module):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if _PRINTING.match(called) and called not in _ALLOWED.get(place, set()):
                    found.append(f"{place}:{node.lineno}: {called}")
    assert not found


def test_what_prints_with_rich_is_in_one_room_and_its_texts_have_one_maker() -> None:
    found = []
    for place, module in _modules():
        in_room = place.startswith("output/")
        for node in ast.walk(module):
            if isinstance(node, ast.Import | ast.ImportFrom) and not in_room:
                names = [*(alias.name for alias in node.names), getattr(node, "module", None) or ""]
                found += [f"{place}: imports {name}" for name in names if name.partition(".")[0] == "rich"]
            elif isinstance(node, ast.Call) and in_room and place != "output/screen/terminal.py":
                called = ast.unparse(node.func)
                found += [f"{place}: {called}"] if re.match(r"^(Text|Console)(\.\w+)?$", called) else []
    assert not found
