"""One download from its beginning to a verified folder. Everything that fills a folder goes through here."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Dict, List, Optional, Tuple

from lingctl.node.fetch.answers import Fetched, Ready
from lingctl.node.fetch.folder import FolderSource
from lingctl.node.fetch.hubs.source import HubSource
from lingctl.node.fetch.listing import ListedFile, total_size
from lingctl.node.fetch.peers.source import PeerSource
from lingctl.node.fetch.place import Comparison, Place
from lingctl.node.fetch.request import Request
from lingctl.node.fetch.sources import NotFetched, Source
from lingctl.node.files import free_space, kind_of
from lingctl.node.folders import make_folder
from lingctl.node.progress import Meter, Report
from lingctl.node.trouble import Trouble
from lingctl.node.weights.modes import set_modes

# Tries without a new byte until a download is given up, and seconds before the second try; each time twice as
# many, at most a minute.
_FRUITLESS_TRIES = 3
_PAUSE = 2.0
# Bytes that make a try fruitful though no file was finished: who drips is given up as who is silent.
_FRUIT = 64 << 10
# Seconds that a source may ask us to wait; beyond that the user is told when to come again.
_LONGEST_WAIT = 300.0
# Left free on the disk, for logs and whatever else lives there.
_RESERVE = 256 << 20


def source_of(request: Request, place: Place) -> Source:
    """The source that a request means. Raises Trouble: there is none of that name, or it cannot work here."""
    if request.source in ("modelscope", "huggingface"):
        return HubSource(request, place)
    if request.source == "folder":
        return FolderSource(request.repository)
    if request.source in ("peer", "push"):
        return PeerSource(request, place)
    raise Trouble(f"no source is named {request.source!r}", code="usage", exit_status=2)


def look(place: Place, files: Tuple[ListedFile, ...]) -> Ready:
    """Compare a folder with a listing and tell what a download would have to bring. Changes nothing.

    Raises:
        Trouble: it is not a folder that can be filled.
    """
    if kind_of(place.folder) not in ("absent", "folder"):
        raise Trouble("is not a folder", where=place.folder, code="usage", exit_status=2)
    todo = _quick_missing(place, files)
    need, free = place.space_needed(todo), free_space(place.folder)
    return Ready(place.folder, total_size(todo), need, free, enough=need == 0 or free >= need + _RESERVE)


def download(request: Request, folder: str, report: Report) -> Fetched:
    """Fill ``folder`` with what the request names, and prove it.

    No file stands under its final name before its bytes are those that the source lists.

    Args:
        request: what is wanted, from where.
        folder: to be filled; made if missing.
        report: gets progress events.

    Raises:
        Trouble: something did not come, or not as listed. What is complete is kept.
    """
    place = Place(folder)
    with place.locked():
        return fill(request, place, report)


def fill(request: Request, place: Place, report: Report) -> Fetched:
    """``download`` for whoever holds the lock already."""
    return _Download(request, place, report).run()


class _Download:
    def __init__(self, request: Request, place: Place, report: Report) -> None:
        self._request = request
        self._place = place
        self._report = report
        self._source: Source = source_of(request, place)
        self._fetched: List[ListedFile] = []

    def run(self) -> Fetched:
        began = time.monotonic()
        files = self._request.files or self._source.listing()
        found = self._place.compare(files, recheck=self._request.recheck)
        self._need_space(found)
        for file in found.wrong:
            self._place.set_aside(file)
        self._fetch_all(found, total_size(files))
        self._place.clean()
        manifest = self._place.write_manifest(self._report)
        set_modes(self._place.folder)
        return Fetched(
            folder=self._place.folder,
            files=len(files),
            bytes=total_size(files),
            fetched_files=len(self._fetched),
            fetched_bytes=total_size(self._fetched),
            replaced=tuple(file.path for file in found.wrong),
            kept=tuple(file.path for file in found.kept),
            digest=str(manifest["digest"]),
            companions_digest=str(manifest["companions_digest"]),
            seconds=round(time.monotonic() - began, 3),
        )

    def _need_space(self, found: Comparison) -> None:
        need = self._place.space_needed(found.missing + found.wrong)
        free = free_space(self._place.folder)
        if need and free < need + _RESERVE:
            raise Trouble(
                f"needs {need:,} bytes more and {_RESERVE:,} to spare; {free:,} are free",
                where=self._place.folder,
                remedy="free some space, or choose another folder (--to, or paths.models in hosts.yaml)",
                code="disk-space",
            )

    def _fetch_all(self, found: Comparison, total: int) -> None:
        missing = found.missing + found.wrong
        if not missing:
            return
        meter = _Arriving(total, total - total_size(missing), self._report)
        fruitless = 0
        while missing:
            before, begun = meter.most, missing
            failures = self._fetch_round(missing, meter)
            missing = tuple(file for file in missing if file not in self._fetched)
            if not missing:
                break
            wait = max((failure.after for failure in failures), default=0.0)
            final = [failure for failure in failures if not failure.again or failure.after > _LONGEST_WAIT]
            fruitful = len(missing) < len(begun) or meter.most >= before + _FRUIT
            fruitless = 0 if fruitful else fruitless + 1
            if final or fruitless >= _FRUITLESS_TRIES:
                raise _summary(final or failures, missing, self._place)
            self._report({"event": "note", "text": f"trying again: {failures[0].trouble.what}"})
            time.sleep(max(wait, min(60.0, _PAUSE * 2**fruitless)))

    def _fetch_round(self, missing: Tuple[ListedFile, ...], meter: _Arriving) -> List[NotFetched]:
        for file in missing:
            make_folder(os.path.dirname(self._place.staged(file)))
        verdicts: List[Future[Optional[NotFetched]]] = []
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:

            def arrived(file: ListedFile, digest: Optional[str]) -> None:
                meter.set(file.path, file.size)
                verdicts.append(pool.submit(self._adopt, file, digest))

            failures = list(self._source.fetch(missing, self._place, meter.set, arrived))
        refused = [failure for verdict in verdicts if (failure := verdict.result()) is not None]
        for failure in refused:
            meter.set(failure.path, 0)
        return failures + refused

    def _adopt(self, file: ListedFile, digest: Optional[str]) -> Optional[NotFetched]:
        try:
            self._place.adopt(file, digest)
        except Trouble as trouble:
            return NotFetched(file.path, trouble, trouble.code == "wrong-bytes")
        self._fetched.append(file)
        return None


def _quick_missing(place: Place, files: Tuple[ListedFile, ...]) -> Tuple[ListedFile, ...]:
    """What is not there with its size; digests are looked at by the download itself."""

    def there(file: ListedFile) -> bool:
        path = place.final(file)
        return any(kind_of(it) == "file" and os.path.getsize(it) == file.size for it in (path, f"{path}.bak"))

    return tuple(file for file in files if not there(file))


def _summary(failures: List[NotFetched], missing: Tuple[ListedFile, ...], place: Place) -> Trouble:
    first = failures[0].trouble if failures else Trouble("nothing came", code="hub-error")
    others = [f"{failure.trouble.what}" for failure in failures[1:6]]
    count = f" ({len(missing)} files are missing)" if len(missing) > 1 else ""
    return Trouble(
        first.what + count,
        where=first.where or place.folder,
        evidence="\n".join([first.evidence, *others]).strip(),
        remedy=first.remedy,
        code=first.code,
        exit_status=first.exit_status,
    )


class _Arriving:
    """How much of each file is here. Safe to call from many threads.

    Attributes:
        most: bytes of all of them that were here at once.
    """

    def __init__(self, total: int, already: int, report: Report) -> None:
        self._meter = Meter("download", total, report)
        self._meter.add(already, now_done=False)
        self._here: Dict[str, int] = {}
        self._all = self.most = 0
        self._lock = threading.Lock()

    def set(self, path: str, done: int) -> None:
        """``done`` bytes of a file are here."""
        with self._lock:
            more = done - self._here.get(path, 0)
            # What was staged before this run came at once and says nothing of the line.
            self._meter.add(more, now_done=path in self._here)
            self._here[path] = done
            self._all += more
            self.most = max(self.most, self._all)
