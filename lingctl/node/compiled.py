"""What Python made of our program's text is kept beside its archive, so that not every start does that anew.

Python keeps compiled modules for folders, never for an archive, and compiling is a third of a short look.
Kept is what was needed so far, in one file (``node.pyz.cpython-311``) for one archive and one Python. It is
code that we run, so it is read only where its owner is who runs us or root and nobody else may write to it;
where it cannot be kept (a folder that is read-only, or somebody else's) nothing is missing but time.

This module is compiled at every start: it is short, and imports little.
"""

from __future__ import annotations

import binascii
import marshal
import os
import stat
import sys
from importlib.machinery import ModuleSpec

TYPE_CHECKING = False  # as type checkers know it without ``typing``
if TYPE_CHECKING:
    from zipimport import zipimporter

_BLOCK = 1 << 20
_SUM = 4  # bytes of a checksum


class Compiled:
    """Finds and loads our modules for Python: as they were kept, else from their text in the archive."""

    def __init__(self, archive: zipimporter, digest: str) -> None:
        """Take what was kept, if it can be trusted.

        Args:
            archive: Python's own loader of the program.
            digest: tells its contents from others.
        """
        self._archive = archive
        self._path = "%s.%s" % (archive.archive, sys.implementation.cache_tag)
        found = os.stat(archive.archive)
        about = (digest, found.st_size, found.st_mtime_ns, sys.version, sys.flags.optimize)
        self._head = repr(about).encode() + b"\n"
        # by name: whether it is a package, and its code
        self._modules: dict[str, tuple[bool, bytes]] = self._kept()
        self._more = False

    def keep(self) -> None:
        """Write what was compiled now and before; where that cannot be, leave it."""
        if self._more and sys.implementation.cache_tag and not sys.dont_write_bytecode:
            from lingctl.node.files import write_whole

            content = marshal.dumps(self._modules)
            try:
                write_whole(self._path, self._head + _checksum(content) + content)
            except OSError:
                return

    def _kept(self) -> dict[str, tuple[bool, bytes]]:
        try:
            said = _trusted(self._path)
        except OSError:
            return {}
        head, content = said[: len(self._head)], said[len(self._head) + _SUM :]
        if head != self._head or said[len(head) :][:_SUM] != _checksum(content):
            return {}
        modules: dict[str, tuple[bool, bytes]] = marshal.loads(content)
        return modules

    def _compile(self, name: str) -> bool:
        """Whether there is such a module; it is then compiled."""
        for package in (True, False):
            try:
                text = self._archive.get_data(self._origin(name, package))
            except OSError:
                continue
            code = compile(text, self._origin(name, package), "exec", dont_inherit=True)
            self._modules[name] = package, marshal.dumps(code)
            self._more = True
            return True
        return False

    def _origin(self, name: str, package: bool) -> str:
        return "%s/%s%s.py" % (self._archive.archive, name.replace(".", "/"), "/__init__" if package else "")

    # -- called by Python

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """How a module of ours is loaded; None for any other."""
        if not name.startswith("lingctl.") or not (name in self._modules or self._compile(name)):
            return None
        package = self._modules[name][0]
        origin = self._origin(name, package)
        spec = ModuleSpec(name, self, origin=origin, is_package=package)  # type: ignore[arg-type]  # it does what importlib.abc.Loader asks, whose import takes longer than this one
        spec.has_location = True
        if package:
            spec.submodule_search_locations = [os.path.dirname(origin)]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """As Python does it."""

    def exec_module(self, module: object) -> None:
        """Run a module's code."""
        names = vars(module)
        exec(marshal.loads(self._modules[names["__name__"]][1]), names)

    def get_source(self, name: str) -> str:
        """A module's text, for a traceback."""
        return self._archive.get_data(self._origin(name, self._modules[name][0])).decode()


def _trusted(path: str) -> bytes:
    """What a file holds that nobody but who runs us, and root, may have written; nothing of any other.

    Raises:
        OSError: it is not there, is a link, or cannot be read.
    """
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        found = os.fstat(file)
        by_us = stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid in (0, os.geteuid())
        if not by_us or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return b""
        parts = iter(lambda: os.read(file, _BLOCK), b"")
        return b"".join(parts)
    finally:
        os.close(file)


def _checksum(content: bytes) -> bytes:
    return binascii.crc32(content).to_bytes(_SUM, "big")


def load_by(archive: zipimporter, digest: str) -> Compiled:
    """Load our modules in this way from now on."""
    compiled = Compiled(archive, digest)
    sys.meta_path.insert(0, compiled)
    return compiled
