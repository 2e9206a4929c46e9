"""explain: codes, and logs of any length, encoding and packing, without a cluster."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lingctl.errors import UsageError
from lingctl.flows.look.evidence import node_archive
from lingctl.flows.look.explain.answers import Explained, LogVerdict, explain
from lingctl.flows.look.reading import log_files
from lingctl.output.documents import document
from lingctl.output.verbs.explained import explained_document, print_explained
from tests.unit.flows.test_collect import HOSTILE

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[3] / "docs/reference/explain.schema.json").read_text(encoding="utf-8")
)
OOM = "2025-06-12 08:05:02,000 [ERROR] RuntimeError: NPU out of memory. Tried to allocate 1.89 GiB (NPU 7)\n"
LOST = "2025-06-12 08:07:02,000 [ERROR] EI0006: Getting socket times out\n"
CHINESE = "2025-06-12 08:05:01,000 [INFO] 模型加载中\n"


def asked(*words: str, stdin: bytes = b"") -> Explained:
    told = explain(words, io.BytesIO(stdin))
    shape: Any = json.loads(json.dumps(document("explain", explained_document(told))))
    jsonschema.validate(shape, SCHEMA)
    print_explained(told)
    return told


def verdict(told: Explained) -> LogVerdict:
    assert told.verdict is not None
    return told.verdict


@pytest.mark.parametrize(
    ("word", "family", "kind"),
    [
        ("EI0006", "HCCL", "network"),
        ("[ei0006]", "HCCL", "network"),
        ("507035", "ACL", "cause"),
        ("MIE04E02011C", "MindIE, server", "consequence"),
        ("ERR01100", "torch_npu", "consequence"),
        ("EE9999", "runtime", "consequence"),
        ("E4", "catalogue", "network"),
        ("134", "exit status", None),
        ("138", "exit status", None),
        ("MIE04E020405", "MindIE, server", None),
    ],
)
def test_a_code_is_told_by_its_vendor_s_meaning(word: str, family: str, kind: str | None):
    told = asked(word)
    assert told.known and told.verdict is None
    assert family in told.codes[0].family and told.codes[0].kind == kind and told.codes[0].meaning


def test_of_a_code_that_is_not_known_the_family_is_told():
    told = asked("EI4242")
    assert not told.known
    assert "HCCL" in told.codes[0].family and told.codes[0].meaning == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("exit", "status", "137"), "137"),
        (("SIGKILL",), "137"),
        (("error code is 507035",), "507035"),
        (("error", "code", "is", "507035"), "507035"),
        (("retCode=0x7020010",), "0x7020010"),
    ],
)
def test_words_around_a_code_may_be_typed(words: tuple[str, ...], code: str):
    assert [one.code for one in asked(*words).codes] == [code]


@pytest.mark.parametrize("words", [("nonsense",), ("/no/such/file",), ("-",), ()])
def test_what_is_neither_a_code_nor_a_log_is_refused(words: tuple[str, ...]):
    with pytest.raises(UsageError) as refused:
        explain(words, io.BytesIO(b""))
    assert refused.value.code == "nothing-to-explain"


@pytest.mark.parametrize(
    ("encoding", "known_as"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("gbk", "gb18030"),
        ("utf-16", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("utf-16-le", "utf-16"),
    ],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_log_is_read_in_any_encoding_packed_or_not(
    tmp_path: Path, encoding: str, known_as: str, packed: bool
):
    text = (CHINESE + OOM).replace("\n", "\r\n")
    if encoding == "utf-16-be":
        content = b"\xfe\xff" + text.encode(encoding)
    elif encoding == "utf-16-le":
        content = OOM.encode(encoding)  # without a mark
    else:
        content = text.encode(encoding)
    path = tmp_path / "pasted.txt"
    path.write_bytes(gzip.compress(content) if packed else content)
    told = asked(str(path))
    assert (verdict(told).id, told.logs[0].encoding) == ("C1", known_as)
    assert verdict(asked("-", stdin=path.read_bytes())).id == "C1"


def test_of_several_logs_the_first_cause_over_all_is_named(tmp_path: Path):
    for name, text in (("node1.log", LOST), ("node2.log", CHINESE + OOM)):
        (tmp_path / name).write_text(text)
    told = verdict(asked(str(tmp_path / "node1.log"), str(tmp_path / "node2.log")))
    assert (told.where, told.id, told.confidence) == ("node2.log, card 7", "C1", "certain")
    assert told.also == ("node1.log: two cards did not reach each other in time",)


def test_a_log_of_which_nothing_is_known_shows_its_first_error_lines():
    told = asked("-", stdin=b"[ERROR] odd one\n[ERROR] odd two\n[ERROR] odd three\n[ERROR] odd four\n")
    assert not told.known
    assert verdict(told).evidence == ("[ERROR] odd one", "[ERROR] odd two", "[ERROR] odd three")
    assert "nothing known explains it" in verdict(told).words


def test_a_log_without_trouble_is_called_so():
    told = asked("-", stdin=b"loading\nDaemon start success!\n")
    assert told.known and verdict(told).confidence == "none"


def test_a_cause_at_the_beginning_of_a_long_log_is_found_in_little_memory(tmp_path: Path):
    path = tmp_path / "console.log"
    with path.open("w") as file:
        file.write(CHINESE + OOM)
        for number in range(100_000):
            file.write(f"[rank{number % 8}]: EI0006: [PID: {number}] Getting socket times out\n")
    told = asked(str(path))
    assert verdict(told).id == "C1"
    assert len(told.logs[0].text) < 200_000


def collected(folder: Path, nodes: dict[str, tuple[str, str]]) -> Path:
    """What collect packs of nodes: console and exit status."""
    path = folder / "lingctl-ling-20251128-084500.tar.gz"
    with tarfile.open(path, "w:gz") as bundle:
        for node, (console, status) in nodes.items():
            members = {
                f"{node}/worker-0.log": console,
                f"{node}/lingctl/daemon.exit": f"{status}\n",
                f"{node}/lingctl/files.txt": "[ERROR] no log of a daemon",
                f"{node}/process_log/debug/plog/plog-1_2.log": "",
                "README.txt": "[ERROR] of the packer",
            }
            for name, text in members.items():
                entry = tarfile.TarInfo(f"lingctl-ling-20251128-084500/{name}")
                entry.size = len(text.encode())
                bundle.addfile(entry, io.BytesIO(text.encode()))
    return path


def test_what_collect_packed_is_explained_node_by_node(tmp_path: Path):
    path = collected(tmp_path, {"node1": (LOST, "137"), "node2": (CHINESE + OOM, "134")})
    told = asked(str(path))
    assert [(log.name, log.status) for log in told.logs] == [("node1", "137"), ("node2", "134")]
    assert (verdict(told).where, verdict(told).id) == ("node2, card 7", "C1")
    with tarfile.open(path) as bundle:
        bundle.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 has none
        bundle.extractall(tmp_path / "unpacked")
    assert verdict(asked(str(tmp_path / "unpacked"))).where == "node2, card 7"


def test_beside_the_node_that_failed_those_that_run_are_named(tmp_path: Path):
    for node, name, text in (
        ("node1", "daemon.state", "alive 7"),
        ("node2", "daemon.exit", "137"),
        ("node3", "daemon.state", "dead"),
    ):
        (tmp_path / node / "lingctl").mkdir(parents=True)
        (tmp_path / node / "lingctl" / name).write_text(text)
        console = CHINESE + OOM if node == "node2" else "Daemon start success!\n"
        (tmp_path / node / "worker-0.log").write_text(console)
    told = asked(str(tmp_path))
    assert [log.runs for log in told.logs] == [True, False, False]
    assert (verdict(told).where, verdict(told).also) == ("node2, card 7", ("node1: the daemon runs",))
    (tmp_path / "node2" / "worker-0.log").write_text("Daemon start success!\n")
    (tmp_path / "node2" / "lingctl" / "daemon.exit").unlink()
    assert verdict(asked(str(tmp_path))).words == "the daemon runs on node1; no trouble is seen in it"


def test_a_folder_of_logs_is_one_node_s(tmp_path: Path):
    (tmp_path / "a.log").write_text(LOST)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.log").write_text(OOM)
    assert verdict(asked(str(tmp_path))).id == "C1"


@pytest.mark.parametrize("kind", ["zip", "xz", "bz2"])
def test_other_packings_are_read_too(tmp_path: Path, kind: str):
    path, log = tmp_path / f"posted.{kind}", (CHINESE * 300 + OOM).encode()
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
            bundle.writestr("logs/console.log", log)
            bundle.writestr("logs/core.bin", bytes(range(256)) * 100)
    else:
        path.write_bytes({"xz": lzma.compress, "bz2": bz2.compress}[kind](log))
    assert verdict(asked(str(path))).id == "C1"


def test_what_is_no_text_is_refused_and_a_hole_in_a_console_is_none(tmp_path: Path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(bytes(range(256)) * 1000)
    with pytest.raises(UsageError) as refused:
        explain([str(path)], io.BytesIO())
    assert refused.value.code == "log-not-text"
    path.write_bytes(b"\0" * 100_000 + OOM.encode())
    assert verdict(asked(str(path))).id == "C1"


def test_a_damaged_archive_and_gzip_are_refused_by_name(tmp_path: Path):
    whole = gzip.compress((OOM * 1000).encode())
    for name in ("cut.log.gz", "cut.tar.gz"):
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UsageError) as refused:
            explain([str(tmp_path / name)], io.BytesIO())
        assert refused.value.code == "log-damaged" and name in refused.value.what


def test_a_line_without_end_is_read_in_pieces():
    told = asked("-", stdin=b"x" * 300_000 + b" RuntimeError: NPU out of memory. Tried to allocate 2 GiB\n")
    assert verdict(told).id == "C1" and len(verdict(told).evidence[0]) <= 200


def test_nothing_is_kept_of_empty_lines():
    told = asked("-", stdin=b"\n" * 1_100_000 + OOM.encode())
    assert len(told.logs[0].text) < 200_000


def test_a_line_without_end_of_two_bytes_a_letter_is_read_in_pieces_too():
    log = io.BytesIO(("x" * 8_000_000 + f"\n{OOM}").encode("utf-16"))
    tracemalloc.start()
    told = explain(["-"], log)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert verdict(told).id == "C1" and peak < 6_000_000


def test_a_log_of_an_archive_may_be_longer_than_what_is_held_of_a_node_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(node_archive, "MOST_OF_A_MEMBER", 1000)
    path, filler = tmp_path / "posted.evidence", b"loading weights\n" * 20_000
    with tarfile.open(path, "w:xz", preset=0) as bundle:
        entry = tarfile.TarInfo("console.log")
        entry.size = len(filler) + len(OOM)
        bundle.addfile(entry, io.BytesIO(filler + OOM.encode()))
    told = asked(str(path))
    assert (verdict(told).id, told.logs[0].bytes) == ("C1", len(filler) + len(OOM))


def test_no_node_of_a_bundle_with_many_files_is_passed_over(tmp_path: Path):
    path = tmp_path / "bundle.tar"
    with tarfile.open(path, "w") as bundle:
        for number in range(6000):
            bundle.addfile(tarfile.TarInfo(f"node1/lingctl/release/file{number}"))
        entry = tarfile.TarInfo("node2/worker-8.log")
        entry.size = len(OOM)
        bundle.addfile(entry, io.BytesIO(OOM.encode()))
    assert verdict(asked(str(path))).where == "node2, card 7"


def test_logs_that_say_too_much_together_are_held_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log_files, "_MOST_WHOLE", 100_000)
    for number in range(4):
        (tmp_path / f"{number}.log").write_text(CHINESE + (OOM if number == 3 else "") + "loading\n" * 10_000)
    told = asked(str(tmp_path))
    assert verdict(told).id == "C1" and len(told.logs[0].text) < 250_000
    monkeypatch.setattr(log_files, "_MOST_HELD", 120_000)
    with pytest.raises(UsageError, match="too much"):
        explain([str(tmp_path)], io.BytesIO())


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_whose_member_is_damaged_is_refused_by_name(tmp_path: Path, method: int):
    path = tmp_path / "bundle.zip"
    with zipfile.ZipFile(path, "w", method) as bundle:
        bundle.writestr("node1/console.log", OOM * 100)
    content = bytearray(path.read_bytes())
    content[120] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        explain([str(path)], io.BytesIO())
    assert refused.value.code == "log-damaged"


def test_a_zip_with_an_endless_list_a_password_or_an_unknown_packing_is_refused(tmp_path: Path):
    path = tmp_path / "posted.zip"
    with zipfile.ZipFile(path, "w") as bundle:
        bundle.writestr("console.log", OOM)
    whole = bytearray(path.read_bytes())
    ends, entry = len(whole) - 22, whole.index(b"PK\x01\x02")
    for at, value in (
        (ends + 12, (20 << 20).to_bytes(4, "little")),
        (entry + 8, b"\1"),
        (entry + 10, b"\x63"),
    ):
        changed = whole.copy()
        changed[at : at + len(value)] = value
        path.write_bytes(changed)
        with pytest.raises(UsageError) as refused:
            explain([str(path)], io.BytesIO())
        assert refused.value.code == "log-damaged"


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_or_holds_nothing(name: str, tmp_path: Path):
    path = tmp_path / "posted.tar.gz"
    path.write_bytes(gzip.compress(HOSTILE[name], 1))
    with pytest.raises(UsageError):
        explain([str(path)], io.BytesIO())


VLLM = Path(__file__).parents[1] / "vllm" / "consoles"


def test_logs_of_vllm_are_told_by_its_words_without_a_hint_and_with_one():
    logs = [str(VLLM / f"two-nodes-{name}.log") for name in ("first-lost-the-other", "worker-killed")]
    for hint in ("", "vllm"):
        told = explain(logs, io.BytesIO(), engine=hint).verdict
        assert told is not None and (told.id, told.where) == ("W101", "two-nodes-worker-killed.log")
    other = explain(logs, io.BytesIO(), engine="mindie").verdict
    assert other is not None and other.id != "W101"


def test_ids_of_every_engine_are_known_and_an_engine_that_is_none_is_refused():
    told = explain(["A7", "W101"], io.BytesIO())
    assert [code.rows for code in told.codes] == [("A7",), ("W101",)]
    assert "MindIE" in told.codes[0].meaning and "worker" in told.codes[1].meaning
    with pytest.raises(UsageError, match="no engine llamafile"):
        explain(["A7"], io.BytesIO(), engine="llamafile")


def test_of_a_long_vllm_log_the_first_error_is_kept(tmp_path):
    text = (VLLM / "two-nodes-worker-killed.log").read_text()
    noise = "".join(
        f"(APIServer pid=7) INFO 11-28 15:00:00 [loggers.py:9] running: {n}\n" for n in range(40_000)
    )
    (tmp_path / "console.log").write_text(f"{text}{noise}")
    told = explain([str(tmp_path / "console.log")], io.BytesIO()).verdict
    assert told is not None and told.id == "W101"
