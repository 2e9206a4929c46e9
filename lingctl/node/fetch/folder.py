"""A folder on this machine: a disk that was carried here, or a share."""

from __future__ import annotations

import hashlib
import os
from typing import List, Optional, Tuple

from lingctl.node.checkpoint.identify import kind_of_weights
from lingctl.node.fetch.listing import ListedFile
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.sources import NotFetched, OnArrival, OnProgress
from lingctl.node.files import FILE_MODE, blocks_of, opened, sha256_of, system_trouble, write_all
from lingctl.node.folders import need_folder, need_open, visible
from lingctl.node.trouble import Trouble


class FolderSource:
    """Copies file by file; one that was begun before is copied anew."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.abspath(folder)

    def listing(self) -> Tuple[ListedFile, ...]:
        """See ``Source.listing``. Reads every file once, for its digest.

        Raises:
            Trouble: a file cannot be read, or is a link to what is not to be given on.
        """
        files = [self._wanted(path) for path in visible_files(self._folder)]
        if not files:
            raise Trouble("holds no files", where=self._folder, code="no-weights")
        return tuple(sorted(files))

    def fetch(
        self, files: Tuple[ListedFile, ...], place: Place, progress: OnProgress, arrived: OnArrival
    ) -> List[NotFetched]:
        """See ``Source.fetch``."""
        failures = []
        for file in files:
            source = os.path.join(self._folder, *file.path.split("/"))
            try:
                digest = copy(source, place.staged(file), file, progress)
            except OSError as error:
                failures.append(NotFetched(file.path, system_trouble(error, source), False))
                continue
            arrived(file, digest)
        return failures

    def _wanted(self, path: str) -> ListedFile:
        full = os.path.join(self._folder, path)
        try:
            if not _holds_weights(full):
                need_open(self._folder, path)
            return ListedFile(path, os.path.getsize(full), sha256_of(full))
        except OSError as error:
            raise system_trouble(error, full) from error


def _holds_weights(path: str) -> bool:
    """Whether it begins as weights do: these are links on many a disk, and no secret of the machine."""
    with opened(path) as descriptor:
        return bool(kind_of_weights(os.read(descriptor, 16), os.fstat(descriptor).st_size))


def visible_files(folder: str) -> List[str]:
    """Relative paths of all files but hidden ones.

    Raises:
        Trouble: no such folder, or one in it cannot be read.
    """
    need_folder(folder)
    try:
        paths = [os.path.join(here, name) for here, files in visible(folder) for name in files]
    except OSError as error:
        raise system_trouble(error) from error
    return sorted(os.path.relpath(path, folder) for path in paths)


def copy(source: str, target: str, file: ListedFile, progress: OnProgress) -> Optional[str]:
    """Copy a file and tell the SHA-256 of what was read. Never follows a link at the target."""
    sha256 = hashlib.sha256()
    done = 0
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, FILE_MODE)
    with opened(source) as reader, os.fdopen(descriptor, "wb", buffering=0) as writer:
        for block in blocks_of(reader):
            sha256.update(block)
            write_all(writer, block)
            done += len(block)
            progress(file.path, done)
    return sha256.hexdigest()
