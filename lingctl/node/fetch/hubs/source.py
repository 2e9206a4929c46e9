"""A hub, through its own client library, which runs as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from typing import IO, Dict, Iterator, List, Optional, Tuple

from lingctl.node.fetch.hubs.words import OF_SETTINGS, WORDS, offline_setting
from lingctl.node.fetch.listing import HASH_OF_NOTHING, ListedFile, read_listing
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.request import Request
from lingctl.node.fetch.sources import NotFetched, OnArrival, OnProgress
from lingctl.node.files import open_log
from lingctl.node.foreign_json import foreign_json
from lingctl.node.trouble import Trouble

_CLIENTS = {
    "modelscope": "lingctl.node.fetch.hubs.modelscope_client",
    "huggingface": "lingctl.node.fetch.hubs.huggingface_client",
}
_HUBS = {"modelscope": "https://www.modelscope.cn", "huggingface": "https://huggingface.co"}
# A list of files comes within seconds. Neither client has a limit for one whose bytes drip.
_LIST_SECONDS = 150.0
# A client that brings less than so many bytes in so long is waited for in vain. ModelScope's has a limit of
# its own, and reads large files for their sums before it tells of them.
_STALL_SECONDS = {"modelscope": 7200.0, "huggingface": 300.0}
_STALL_BYTES = 256 << 10
# Hugging Face's client notices only at the end that a file is longer than listed.
_TOO_MUCH = 64 << 20
# Of an event: a list of 100,000 files is 20 MB.
_LONGEST_LINE = 64 << 20
# Of the log, which a library that warns without end would fill the disk with; its end is what tells.
_LONGEST_LOG = 4 << 20
# What still holds a client's words may be a process of its own that it left.
_LAST_WORDS_SECONDS = 2.0


class HubSource:
    """ModelScope or Hugging Face."""

    def __init__(self, request: Request, place: Place) -> None:
        self._request = request
        self._place = place
        self._home = request.endpoint or _HUBS[request.source]
        self._where = f"{self._home} {request.repository}"

    def listing(self) -> Tuple[ListedFile, ...]:
        """See ``Source.listing``."""
        with self._client("list", ()) as client:
            client.wait_at_most(_LIST_SECONDS)
            for event in client.events():
                if event.get("event") == "files":
                    return read_listing(event.get("files"), self._where)
                if event.get("event") == "failed":
                    raise self._trouble(event)
        if client.ran_out:
            raise self._trouble({"code": "hub-list-endless"})
        raise self._silence()

    def fetch(
        self, files: Tuple[ListedFile, ...], place: Place, progress: OnProgress, arrived: OnArrival
    ) -> List[NotFetched]:
        """See ``Source.fetch``."""
        by_path = {file.path: file for file in files}
        failures: Dict[str, NotFetched] = {}
        arrivals = set()
        stall, here, before = _STALL_SECONDS[self._request.source], dict.fromkeys(by_path, 0), 0
        with self._client("fetch", files) as client:
            client.wait_at_most(stall)
            for event in client.events():
                path, kind = str(event.get("path", "")), event.get("event")
                if kind == "progress" and path in by_path:
                    done = int(str(event.get("done", 0)))
                    progress(path, done)
                    if self._request.source == "huggingface" and done > by_path[path].size + _TOO_MUCH:
                        failures[path] = self._not_fetched({"path": path, "code": "hub-too-much"})
                        break
                    here[path] = done
                    if sum(here.values()) >= before + _STALL_BYTES:
                        before = sum(here.values())
                        client.wait_at_most(stall)
                elif kind == "arrived" and path in by_path:
                    arrivals.add(path)
                    arrived(by_path[path], None)
                elif kind == "failed":
                    failures[path] = self._not_fetched(event)
        if client.ran_out:
            failures[""] = self._not_fetched({"code": "hub-too-slow", "again": True})
        elif not failures and len(arrivals) < len(files):
            failures[""] = NotFetched("", self._silence(), True)
        return list(failures.values())

    @contextlib.contextmanager
    def _client(self, verb: str, files: Tuple[ListedFile, ...]) -> Iterator[_Client]:
        """The client while the block runs. It ends when we do: its standard input closes then.

        Raises:
            Trouble: this machine is told to ask no hub.
        """
        request = self._request
        offline = offline_setting(request.source, os.environ)
        if offline:
            raise self._trouble(
                {"code": "hub-offline", "what": f"{offline} is set: this machine is told to ask no hub"}
            )
        asked = {
            **{
                name: getattr(request, name) for name in ("repository", "revision", "endpoint", "token", "ca")
            },
            "home": self._home,
            "folder": self._place.staging,
            "cache": self._place.inside("cache"),
            "trust": self._place.inside("authorities.pem"),
            "files": [file._asdict() for file in files],
        }
        process = subprocess.Popen(
            [request.python or sys.executable, "-m", _CLIENTS[request.source], verb],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment(),
        )
        client = _Client(process, self._place.inside("log"))
        try:
            client.ask(asked)
            yield client
        finally:
            client.end()

    def _environment(self) -> Dict[str, str]:
        paths = [_own_root(), self._request.library, os.environ.get("PYTHONPATH", "")]
        extra = {"PYTHONPATH": os.pathsep.join(path for path in paths if path), "TQDM_DISABLE": "1"}
        if self._request.proxy:
            for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
                extra[name] = self._request.proxy
        return {**os.environ, **extra}

    def _not_fetched(self, event: Dict[str, object]) -> NotFetched:
        after = event.get("after")
        wait = float(after) if isinstance(after, (int, float)) else 0.0
        return NotFetched(str(event.get("path", "")), self._trouble(event), event.get("again") is True, wait)

    def _trouble(self, event: Dict[str, object]) -> Trouble:
        said, code = str(event.get("evidence", "")), str(event.get("code", "hub-error"))
        if HASH_OF_NOTHING[:16] in said:
            code = "hash-of-nothing"
        usual, remedy = WORDS.get(code, WORDS["hub-error"])
        path, what = str(event.get("path", "")), str(event.get("what") or "") or usual
        return Trouble(
            f"{path}: {what}" if path else what,
            where=self._where,
            evidence=said,
            remedy=remedy,
            code=code,
            exit_status=2 if code in OF_SETTINGS else 1,
        )

    def _silence(self) -> Trouble:
        return Trouble(
            "the hub's client ended without an answer",
            where=self._where,
            evidence=self._place.log_tail(),
            remedy=f"read {self._place.inside('log')}",
            code="client-died",
        )


class _Client:
    """The process of a client: its events, and the time by which it has to say more.

    Attributes:
        ran_out: it was ended because that time passed.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: str) -> None:
        assert process.stderr
        self._process = process
        self._words = threading.Thread(target=_keep_end, args=(process.stderr, log), daemon=True)
        self._words.start()
        self._timer: Optional[threading.Timer] = None
        self.ran_out = False

    def ask(self, request: Dict[str, object]) -> None:
        """Hand over what is wanted."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):  # it died at once; the caller finds that nothing came
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

    def wait_at_most(self, seconds: float) -> None:
        """End the client when so long passes until the next call of this."""
        if self._timer:
            self._timer.cancel()
        self._timer = threading.Timer(seconds, self._run_out)
        self._timer.daemon = True
        self._timer.start()

    def events(self) -> Iterator[Dict[str, object]]:
        """What it tells, until it ends."""
        assert self._process.stdout
        while line := self._process.stdout.readline(_LONGEST_LINE):
            event = _event(line)
            if event is not None:
                yield event

    def end(self) -> None:
        """End it, if it has not."""
        if self._timer:
            self._timer.cancel()
        self._process.kill()
        self._process.wait()
        self._words.join(_LAST_WORDS_SECONDS)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def _run_out(self) -> None:
        self.ran_out = True
        self._process.kill()


def _keep_end(words: IO[bytes], path: str) -> None:
    """Write what a client says to the log, which is begun anew where it grows too long."""
    with words, open_log(path) as log:
        while block := os.read(words.fileno(), 1 << 16):
            with contextlib.suppress(
                OSError
            ):  # a full disk; a client whose words nobody takes would stand still
                if os.fstat(log.fileno()).st_size + len(block) > _LONGEST_LOG:
                    os.ftruncate(log.fileno(), 0)
                os.write(log.fileno(), block)


def _event(line: bytes) -> Optional[Dict[str, object]]:
    """An event of the client; None for its libraries' words, and for those of one that was killed."""
    if not line.startswith(b'{"event"'):
        return None
    try:
        event = foreign_json(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _own_root() -> str:
    """What makes ``lingctl.node`` importable: the checkout, site-packages, or the node program itself."""
    root = __file__
    for _ in __name__.split("."):
        root = os.path.dirname(root)
    return root
