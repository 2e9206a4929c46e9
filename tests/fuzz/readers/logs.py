"""Logs and archives that anybody may have sent: for explain, and what collect gets from nodes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
import zipfile
from contextlib import redirect_stdout
from pathlib import Path

from lingctl.engine.words.long_log import first_of_each
from lingctl.engines import usual_engine
from lingctl.errors import NodeError
from lingctl.flows.look.evidence.node_part import GatheredPart, NodeLogs, contents_in_words
from lingctl.flows.look.explain.answers import explain
from lingctl.output.verbs.explained import explained_document, print_explained
from lingctl.release.evidence.gathered import unpacked, without_secrets
from lingctl.remote.wire.lines import LineCutter
from tests.fuzz.reader import Reader, Wrong
from tests.fuzz.readers.samples import files

_WORDS = (
    *(
        b"[ERROR] ",
        b"Traceback (most recent call last):\n",
        b"RuntimeError: ",
        b"NPU out of memory",
        b"EI0006",
        b"507035",
    ),
    *(
        b"2025-06-12 08:05:02,000 ",
        b"[WARN]",
        b"E10010:",
        b"HCCL",
        b"MIE04E02011C",
        b"Daemon start success!",
        b"\x0c",
    ),
    *(
        b"0000-00-00 00:00:00",
        b"9999-99-99 99:99:99.999",
        b"+99:00",
        b"Jun 31 25:00:00",
        b"exit status 134",
        b"\r",
    ),
    *(
        "模型".encode("gb18030"),
        b"\xff\xfe",
        b"\xfe\xff",
        b"\x1f\x8b",
        b"PK\x03\x04",
        b"ustar",
        b"rank 3",
        b"device 5",
    ),
)


def _explain(data: bytes, folder: Path) -> object:
    """A log from standard input and as a file: explained, and printed."""
    (folder / "console.log").write_bytes(data)
    told = explain([str(folder / "console.log")], io.BytesIO(b""))
    with redirect_stdout(io.StringIO()):
        print_explained(told)
    piped = explain(["-"], io.BytesIO(data))
    if [log.bytes for log in piped.logs] != [log.bytes for log in told.logs]:
        raise Wrong("a pipe gives another log than a file")
    return explained_document(told)


def _log_seeds() -> list[bytes]:
    oom = (
        b"2025-06-12 08:05:02,000 [ERROR] RuntimeError: NPU out of memory. Tried to allocate 1 GiB (NPU 7)\n"
    )
    return [oom, *files("field/diagnosis/*.log", "samples/hccl-log-*.txt")]


def _nodes(data: bytes, _folder: Path) -> object:
    """The consoles of several nodes, one behind the other, diagnosed together; codes looked up."""
    reader = usual_engine().logs
    parts = data.decode("utf-8", "replace").split("\x1e")[:4]
    logs = {f"node{number}": part for number, part in enumerate(parts, 1)}
    statuses = {name: part[:4].strip() for name, part in logs.items()}
    found = reader.diagnose(logs, list(logs), statuses=statuses, clocks={"node1": 5.0, "node2": -1e9})
    words = [reader.look_up(word) for word in parts[0].split()[:20]]
    shown = [reader.explain(part, status=part[:5]) for part in parts]
    return [
        found and [found.node, found.words, found.evidence, found.also],
        [one and [one.code, one.meaning] for one in words],
        [[one.cause, one.line, one.remedy] for each in shown for one in each],
        [reader.first_errors(part) for part in parts],
        [first_of_each(iter(part.splitlines()), [reader.console])[:200] for part in parts],
        [reader.exit_meaning(part[:6]) for part in parts],
    ]


def _nodes_seeds() -> list[bytes]:
    logs = _log_seeds()
    return [b"\x1e".join(logs[at : at + 2]) for at in range(0, len(logs) - 1, 3)]


# ---- archives


def _archive(data: bytes, folder: Path) -> object:
    """An archive for explain, whose members stay in it."""
    path = folder / "bundle.tar.gz"
    path.write_bytes(data)
    return explained_document(explain([str(path)], io.BytesIO(b"")))


def _bundle(data: bytes, _folder: Path) -> object:
    """What a node sends to collect: every member below the node's folder, bounded, its secrets taken out."""
    part = GatheredPart(io.BytesIO(data))
    logs, told = NodeLogs(), [contents_in_words("node1", part), part.noted_lengths("node1")]
    try:
        for member in part.members("node1"):
            if member.path.is_absolute() or ".." in member.path.parts or not member.path.parts:
                raise Wrong(f"a member is at {member.path}")
            told.append(f"{member.path} {len(member.content)} {member.left_out}")
            logs.take(member.path, member.content)
            try:
                without_secrets(unpacked(member.content))
            except ValueError as error:
                told.append(str(error))
    except NodeError as error:
        told.append(f"{error.what} {error.evidence}")
    return [*told, len(logs.text)]


def _tar_made(chance: random.Random) -> bytes:
    """A tar of some files, packed in some way, its names and its sizes perhaps lies."""
    out = io.BytesIO()
    form = chance.choice((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for number in range(chance.randrange(1, 5)):
            name = chance.choice(
                (
                    "node1/worker-0.log",
                    "lingctl/daemon.exit",
                    "../up",
                    "/etc/x",
                    "a" * 90,
                    "mindie/中",
                    "x\ny",
                )
            )
            content = chance.choice(
                (b"", b"[ERROR] EI0006: x\n", bytes(700), gzip.compress(b"password=hunter2\n"))
            )
            member = tarfile.TarInfo(f"{name}{number}" if chance.random() < 0.5 else name)
            member.size = len(content)
            member.type = chance.choice(
                (tarfile.REGTYPE,) * 6 + (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE)
            )
            member.linkname = "/etc/shadow" if member.issym() or member.islnk() else ""
            member.mtime = chance.choice((0, 5, 2**32))
            archive.addfile(member, io.BytesIO(content) if member.isreg() else None)
    return _packed(out.getvalue(), chance)


def _packed(data: bytes, chance: random.Random) -> bytes:
    return chance.choice((bytes, gzip.compress, bz2.compress, lzma.compress, bytes))(data)


def _inside_changed(data: bytes, chance: random.Random) -> bytes:
    """What is in a gzip is changed, and a tar's header sums are set right again, most of the time."""
    from tests.fuzz.mutate import changed

    try:
        inner = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    except (OSError, EOFError, ValueError, ArithmeticError):
        inner = data
    except Exception:  # zlib's own
        inner = data
    new = bytearray(changed(inner, chance, [inner], _TAR_WORDS))
    for at in range(0, len(new) - 511, 512):
        if new[at + 257 : at + 262] == b"ustar" and chance.random() < 0.9:
            new[at + 148 : at + 156] = b"        "
            new[at + 148 : at + 156] = b"%06o\0 " % sum(new[at : at + 512])
    return _packed(bytes(new), chance)


_TAR_WORDS = (
    b"ustar\x0000",
    b"ustar  \x00",
    b"x",
    b"L",
    b"S",
    b"30 path=../../x\n",
    b"GNU.sparse.major=1\n",
    b"\x80\xff",
)


def _archive_seeds() -> list[bytes]:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("b/node1/worker-0.log", "[ERROR] EI0006: x\n")
        archive.writestr("b/node2/worker-0.log", "NPU out of memory\n", zipfile.ZIP_DEFLATED)
    return [out.getvalue(), *(_tar_made(random.Random(number)) for number in range(20))]


# ---- lines without an end


def _lines(data: bytes, _folder: Path) -> object:
    """Lines are the same in whatever pieces they come, and no longer than they may be."""
    found = []
    for size in (len(data) or 1, 1, 7):
        lines: list[tuple[bytes, int]] = []
        cutter = LineCutter(lambda line, left, lines=lines: lines.append((line, left)), 100)
        for at in range(0, len(data), size):
            cutter(data[at : at + size])
        found.append(tuple(lines))
    whole = data.split(b"\n")[:-1]
    if len(set(found)) > 1 or [line for line, _ in found[0]] != [line[:100] for line in whole]:
        raise Wrong("lines are cut in another way")
    return len(whole)


READERS = (
    Reader("explain", _log_seeds, _explain, _WORDS),
    Reader("nodes", _nodes_seeds, _nodes, (*_WORDS, b"\x1e")),
    Reader("archives", _archive_seeds, _archive, _TAR_WORDS, _tar_made, _inside_changed),
    Reader("bundles", _archive_seeds, _bundle, _TAR_WORDS, _tar_made, _inside_changed),
    Reader("lines", _log_seeds, _lines, (b"\n", b"\r\n")),
)
