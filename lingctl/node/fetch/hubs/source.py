"""A hub, through its own client library, which runs as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Dict, Iterator, List, Optional, Tuple

from lingctl.node.fetch.listing import HASH_OF_NOTHING, ListedFile, read_listing
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.request import Request
from lingctl.node.fetch.sources import NotFetched, OnArrival, OnProgress
from lingctl.node.trouble import Trouble

_CLIENTS = {
    "modelscope": "lingctl.node.fetch.hubs.modelscope_client",
    "huggingface": "lingctl.node.fetch.hubs.huggingface_client",
}
_HUBS = {"modelscope": "https://www.modelscope.cn", "huggingface": "https://huggingface.co"}


class HubSource:
    """ModelScope or Hugging Face."""

    def __init__(self, request: Request, place: Place) -> None:
        self._request = request
        self._place = place
        self._where = f"{request.endpoint or _HUBS[request.source]} {request.repository}"

    def listing(self) -> Tuple[ListedFile, ...]:
        """See ``Source.listing``."""
        for event in self._run("list", ()):
            if event.get("event") == "files":
                return read_listing(event.get("files"), self._where)
            if event.get("event") == "failed":
                raise self._trouble(event)
        raise self._silence()

    def fetch(
        self, files: Tuple[ListedFile, ...], place: Place, progress: OnProgress, arrived: OnArrival
    ) -> List[NotFetched]:
        """See ``Source.fetch``."""
        by_path = {file.path: file for file in files}
        failures: Dict[str, NotFetched] = {}
        arrivals = set()
        for event in self._run("fetch", files):
            path, kind = str(event.get("path", "")), event.get("event")
            if kind == "progress":
                progress(path, int(str(event.get("done", 0))))
            elif kind == "arrived" and path in by_path:
                arrivals.add(path)
                arrived(by_path[path], None)
            elif kind == "failed":
                failures[path] = NotFetched(path, self._trouble(event), event.get("again") is True)
        if not failures and len(arrivals) < len(files):
            failures[""] = NotFetched("", self._silence(), True)
        return list(failures.values())

    def _run(self, verb: str, files: Tuple[ListedFile, ...]) -> Iterator[Dict[str, object]]:
        """Events of the client. It ends when we do: its standard input closes then."""
        request = self._request
        asked = {
            **{name: getattr(request, name) for name in ("repository", "revision", "endpoint", "token")},
            "folder": self._place.staging,
            "cache": self._place.inside("cache"),
            "files": [file.as_json() for file in files],
        }
        with open(self._place.inside("log"), "ab") as log:
            process = subprocess.Popen(
                [request.python or sys.executable, "-m", _CLIENTS[request.source], verb],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment(),
            )
        assert process.stdin and process.stdout
        try:
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.flush()
            for line in process.stdout:
                event = _event(line)
                if event is not None:
                    yield event
        except BrokenPipeError:
            return  # it died at once; the caller finds that nothing came
        finally:
            process.kill()
            process.wait()

    def _environment(self) -> Dict[str, str]:
        paths = [_own_root(), self._request.library, os.environ.get("PYTHONPATH", "")]
        extra = {"PYTHONPATH": os.pathsep.join(path for path in paths if path), "TQDM_DISABLE": "1"}
        if self._request.proxy:
            for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
                extra[name] = self._request.proxy
        return {**os.environ, **extra}

    def _trouble(self, event: Dict[str, object]) -> Trouble:
        said, code = str(event.get("what", "")), str(event.get("code", "hub-error"))
        if HASH_OF_NOTHING[:16] in said:
            code = "hash-of-nothing"
        what, remedy = _WORDS.get(code, _WORDS["hub-error"])
        path = str(event.get("path", ""))
        return Trouble(
            f"{path}: {what}" if path else what, where=self._where, evidence=said, remedy=remedy, code=code
        )

    def _silence(self) -> Trouble:
        return Trouble(
            "the hub's client ended without an answer",
            where=self._where,
            evidence=self._place.log_tail(),
            remedy=f"read {self._place.inside('log')}",
            code="client-died",
        )


def _event(line: bytes) -> Optional[Dict[str, object]]:
    """An event of the client; None for its libraries' words, and for those of one that was killed."""
    if not line.startswith(b'{"event"'):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _own_root() -> str:
    """What makes ``lingctl.node`` importable: the checkout, site-packages, or the node program itself."""
    root = __file__
    for _ in __name__.split("."):
        root = os.path.dirname(root)
    return root


_WORDS = {
    "hub-unreachable": (
        "the hub cannot be reached",
        "is there a way out? name a proxy (--proxy http://HOST:PORT) or a mirror (--endpoint URL),\n"
        "or get the weights from another machine or a disk: --source node, --source DIR",
    ),
    "hub-not-found": (
        "the hub has no such repository, revision or file",
        "check the name and --revision; a private one needs MODELSCOPE_API_TOKEN or HF_TOKEN",
    ),
    "hub-refused": (
        "the hub refuses access",
        "set MODELSCOPE_API_TOKEN (or HF_TOKEN) to a token that may read it",
    ),
    "hub-busy": ("the hub asks for patience (429)", "run it again later: what is complete is kept"),
    "hub-server-error": ("the hub has an error of its own", "run it again later: what is complete is kept"),
    "hub-too-slow": ("the hub delivers too slowly", "run it again: what has arrived is kept"),
    "wrong-bytes": (
        "it arrived as other bytes than the hub lists",
        "run it again; if it stays so, a proxy or the hub itself changes the bytes",
    ),
    "hash-of-nothing": (
        "nothing of it arrived: its SHA-256 is that of an empty file",
        "the hub delivers nothing for this file: try another one (--source), or later",
    ),
    "client-missing": (
        "this machine's Python lacks the hub's client",
        "pip install huggingface_hub there, or take --source modelscope, which needs nothing there",
    ),
    "disk-full": ("the disk is full", "free some space and run it again: what is complete is kept"),
    "hub-error": ("the hub's client failed", "run it again; what is complete is kept"),
}
