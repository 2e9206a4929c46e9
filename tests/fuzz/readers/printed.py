"""Everything that is printed: whatever is in it, a terminal obeys nothing and a program can read it."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from lingctl.errors import NodeError
from lingctl.events import Event
from lingctl.findings import Finding, Verdict
from lingctl.node.trouble import Trouble, shown, some
from lingctl.output.documents import print_json
from lingctl.output.errors import print_error, print_error_document
from lingctl.output.findings import print_findings
from lingctl.output.progress import progress
from lingctl.output.screen.harmless import harmless, json_text, written_out
from lingctl.output.screen.terminal import answer, answer_file, answer_part, say
from lingctl.output.tables import print_table
from tests.fuzz.cases import RAW
from tests.fuzz.reader import Reader, Wrong

_HOSTILE = (
    "\x1b]0;title\x07\x1b]52;c;eA==\x07\x1b]8;;http://192.0.2.1/\x1b\\link\x1b[31mred\x9b31m\x85\u202egnp\u2066"
    "\ud83d\x00\x08\x7f[bold red]mark[/]:smiley:\rover\x0b\x0c\u2028"
)
_WORDS = (
    *(
        "[bold]",
        "[/]",
        "[link=http://x]",
        ":smiley:",
        "\ud83d",
        "\ude00",
        "\x1b[?1049h",
        "\x9b",
        "\x85",
        "\r\n",
        "\t",
    ),
    *(
        "\u200f",
        "\ufff9",
        "中" * 50,
        "é",
        "e\u0301" * 40,
        "\u200b",
        "\ufe0f",
        "👩\u200d💻",
        "{",
        "}",
        "%s",
        "\\",
        "\x1e",
    ),
)


def _read(data: bytes, _folder: Path) -> object:
    """One text in the place of every text that is printed."""
    text = (
        data.decode("utf-8", "surrogatepass") if _is_text(data) else data.decode("utf-8", "surrogateescape")
    )
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        _print_all(text)
    said = out.getvalue() + err.getvalue()
    if found := RAW.search(said):
        raise Wrong(f"prints {found.group()!a}")
    if len(said) > 100_000 + 20 * len(text):
        raise Wrong(f"prints {len(said)} characters of {len(text)}")
    document = json_text({text[:50]: [text, {"x": text}], "n": _number(text)})
    read = json.loads(document, parse_constant=_no_constant)
    if RAW.search(document):
        raise Wrong("a document that a terminal obeys")
    document.encode()
    halves = any("\ud800" <= letter <= "\udfff" for letter in text)
    if not halves and read[text[:50]][0] != text:
        raise Wrong("a document says another text")
    if written_out(written_out(text)) != written_out(text):
        raise Wrong("twice is not as once")
    for name in (shown(text), some([text] * 7), str(Trouble(text, where=text).as_event()["what"])):
        if len(name) > 20_000:
            raise Wrong("a name without an end")
    return harmless(text)


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def _number(text: str) -> object:
    return float("nan") if len(text) % 2 else 10 ** (len(text) % 2000)


def _no_constant(name: str) -> None:
    raise Wrong(f"{name} is no JSON")


def _print_all(text: str) -> None:
    error = NodeError(text, where=text, evidence=text, remedy=text, code=text[:20])
    finding = Finding(text[:30], Verdict.WARNING, text, text, 5, text, text)
    print_error(error)
    print_error_document(error)
    print_findings([finding])
    print_table((text[:20], "b"), [(text, None), (1, text)])
    print_json("fuzz", {"finding": finding.as_json()})
    answer(text)
    answer_file(text)
    answer_part(text)
    say(text)
    with progress() as listener:
        listener(Event(text[:40], "started", text, text))
        listener(Event(text[:40], "progress", text, text, 5, 7))
        listener(Event(text[:40], "failed", text, text))


def _seeds() -> list[bytes]:
    plain = "weights 权重\tтест 👩\u200d💻 é\nnext\r\nand [bold] {x} \\x1b"
    return [text.encode("utf-8", "surrogatepass") for text in (_HOSTILE, plain, _HOSTILE * 3, "")]


READERS = (Reader("printed", _seeds, _read, tuple(word.encode("utf-8", "surrogatepass") for word in _WORDS)),)
