"""The folder being filled, and the hidden folder in it where files stay until they are verified."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import threading
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from lingctl.node.fetch.check import check
from lingctl.node.fetch.listing import HIDDEN, ListedFile
from lingctl.node.files import FILE_MODE, file_state, kind_of, read_json, sync_folder, write_whole
from lingctl.node.folders import inside, make_folder, need_no_links
from lingctl.node.locked import held
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble
from lingctl.node.weights.manifest import FileSum, files_of, make_manifest, read_manifest, write_manifest

_LOCK_SECONDS = 1.0
UNTOLD = -1
_LARGEST_PID = 1 << 22  # on Linux, pid_max
_PARTS = (".incomplete", ".part", ".parallel_tmp")


class Comparison(NamedTuple):
    """What of a listing is not in a folder as it is listed."""

    wrong: Tuple[ListedFile, ...]  # files that are there with other bytes
    missing: Tuple[ListedFile, ...]  # files that are not there
    kept: Tuple[ListedFile, ...]  # files that a deploy rewrote, whose original is beside them as ``NAME.bak``


class Place:
    """One folder of weights, its hidden folder, and what was verified in it."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)
        self.hidden = os.path.join(self.folder, HIDDEN)
        self.staging = os.path.join(self.hidden, "files")
        self._notes = threading.Lock()

    def final(self, file: ListedFile) -> str:
        """Where the file stands once it is verified."""
        return os.path.join(self.folder, *file.path.split("/"))

    def staged(self, file: ListedFile) -> str:
        """Where it stays until then."""
        return os.path.join(self.staging, *file.path.split("/"))

    def inside(self, name: str) -> str:
        """A file of our own in the hidden folder."""
        return os.path.join(self.hidden, name)

    def log_tail(self) -> str:
        """The end of what the background program and the hub's client said; empty where that is nothing."""
        try:
            with open(self.inside("log"), "rb") as log:
                log.seek(max(0, os.path.getsize(log.name) - 8192))
                return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-6:])
        except FileNotFoundError:
            return ""

    def make(self) -> None:
        """Make both folders.

        Raises:
            Trouble: links lie in the hidden one, where we put none.
        """
        if not os.path.isdir(self.folder):
            make_folder(self.folder)
        with inside(self.folder, HIDDEN):
            need_no_links(self.hidden, but="cache")  # the hub's client makes what it likes there

    @contextlib.contextmanager
    def locked(self, name: str = "lock") -> Iterator[None]:
        """Be the only one that fills this folder. The lock ends with the process, however it ends.

        Args:
            name: another one, for those who do not fill it.

        Raises:
            Trouble: another one is at it.
        """
        self.make()
        busy = Trouble(
            "another download is filling this folder",
            where=self.folder,
            remedy="wait for it; on nodes, the same command follows it, and --stop ends it",
            code="download-running",
            exit_status=5,
        )
        with held(self.inside(name), busy, patience=_LOCK_SECONDS) as descriptor:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            yield

    def holder(self, name: str = "lock") -> Optional[int]:
        """Process id of who has the lock, so fills this folder, now; None when nobody does.

        UNTOLD where it is not written down there, or not yet.
        """
        try:
            descriptor = os.open(self.inside(name), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            # Shared: who only looks must not seem to be a holder to another one that does, with the number of
            # a process that ended long ago.
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(descriptor, 32).decode("ascii", "replace")
            number = int(text) if text.isdecimal() else 0
            return number if 0 < number <= _LARGEST_PID else UNTOLD
        finally:
            os.close(descriptor)
        return None

    def space_needed(self, files: Tuple[ListedFile, ...]) -> int:
        """Bytes that fetching ``files`` will still take, without what is staged already."""
        return sum(max(0, file.size - self.staged_bytes(file)) for file in files)

    def staged_bytes(self, file: ListedFile) -> int:
        """Bytes of a file that are staged, whole or in parts."""
        folder, name = os.path.split(self.staged(file))
        try:
            entries = [entry for entry in os.scandir(folder) if entry.name.startswith(name)]
        except FileNotFoundError:
            return 0
        # Parts are NAME_START_END, NAME.incomplete or NAME.part; another file's name may begin the same.
        own = [e for e in entries if e.name[len(name) :][:1] in ("", "_") or e.name.endswith(_PARTS)]
        return min(file.size, sum(entry.stat().st_size for entry in own if entry.is_file()))

    def adopt(self, file: ListedFile, digest: Optional[str] = None) -> None:
        """Verify a staged file and give it its final name and mode.

        Args:
            file: as listed.
            digest: SHA-256 of what was written, where the writer has it already.

        Raises:
            Trouble: its bytes are not those that the source lists; it is removed.
        """
        staged = self.staged(file)
        problem, digest = check(staged, file, digest)
        if problem:
            os.unlink(staged)
            raise problem
        descriptor = os.open(staged, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.fchmod(descriptor, FILE_MODE)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with inside(self.folder, os.path.dirname(file.path)) as below:
            os.replace(staged, os.path.join(below, os.path.basename(file.path)))
            sync_folder(below)
        self.remember(file, digest)

    def compare(self, files: Tuple[ListedFile, ...], *, recheck: bool) -> Comparison:
        """Look at every listed file; reads those not verified since they changed, or all."""
        known = {} if recheck else self._known()
        wrong: List[ListedFile] = []
        missing: List[ListedFile] = []
        kept: List[ListedFile] = []
        for file in files:
            path = self.final(file)
            if kind_of(path) == "absent" and not os.path.islink(path):
                missing.append(file)
            elif not self._is_right(path, file, known):
                rewritten = kind_of(path + ".bak") == "file" and check(path + ".bak", file, None)[0] is None
                (kept if rewritten else wrong).append(file)
        return Comparison(tuple(wrong), tuple(missing), tuple(kept))

    def set_aside(self, file: ListedFile) -> None:
        """Take a wrong file from its final name; it is removed when the right one is there."""
        aside = os.path.join(self.hidden, "wrong", *file.path.split("/"))
        make_folder(os.path.dirname(aside))
        with inside(self.folder, os.path.dirname(file.path)) as below:
            os.replace(os.path.join(below, os.path.basename(file.path)), aside)

    def remember(self, file: ListedFile, digest: str) -> None:
        """Note that a file was verified, as it is now."""
        with self._notes:
            known = self._known()
            known[file.path] = FileSum(digest, file.size, file_state(os.stat(self.final(file))))
            plain = {path: entry._asdict() for path, entry in known.items()}
            write_whole(self.inside("verified.json"), json.dumps(plain).encode())

    def write_manifest(self, report: Report) -> Dict[str, object]:
        """Write the manifest beside the weights; what was verified is not read again for it."""
        names = set(files_of(self.folder))
        known = {path: entry for path, entry in self._known().items() if path in names}
        write_manifest(self.folder, known)
        return make_manifest(self.folder, report)

    def clean(self) -> None:
        """Remove what only an unfinished download needs."""
        for name in ("files", "wrong", "cache", "tls"):
            shutil.rmtree(self.inside(name), ignore_errors=True)

    def _is_right(self, path: str, file: ListedFile, known: Dict[str, FileSum]) -> bool:
        if kind_of(path) != "file":
            return False
        entry = known.get(file.path)
        if file.sha256 and entry and entry.state == file_state(os.stat(path)):
            return entry.size == file.size and entry.sha256 == file.sha256
        problem, digest = check(path, file, None)
        if problem is None:
            self.remember(file, digest)
        return problem is None

    def _known(self) -> Dict[str, FileSum]:
        manifest = read_manifest(self.folder) or {}
        try:
            said = read_json(self.inside("verified.json"))
            noted = {path: FileSum(**entry) for path, entry in said.items()}
        except (FileNotFoundError, Trouble, ValueError, TypeError, AttributeError):
            return manifest  # nothing is noted, or the note is damaged: files are read again
        return {**manifest, **noted}
