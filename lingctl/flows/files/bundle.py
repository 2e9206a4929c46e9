"""One archive for machines without a network: wheels, the overlay, the docs, and how to install them."""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

import lingctl
from lingctl.assets import asset, shell
from lingctl.errors import LingctlError, UsageError
from lingctl.events import Event, Listener
from lingctl.flows.files.own_wheel import build_own_wheel
from lingctl.flows.run.whole_file import no_room, whole_file

ARCHITECTURES = ("aarch64", "x86_64")
_PYTHON = re.compile(r"^3\.(\d+)$")
_OLDEST_MINOR = 11
# Newest first; pip takes the first that fits. Ascend hosts have glibc 2.28 (openEuler 20.03) or newer.
_MANYLINUX = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
_INSTALL = shell("bundle/install")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was made. ``folder`` is what it unpacks to."""

    path: Path
    folder: str
    architecture: str
    python: str
    wheels: tuple[str, ...]
    sha256: str

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "path": str(self.path),
            "folder": self.folder,
            "architecture": self.architecture,
            "python": self.python,
            "wheels": list(self.wheels),
            "bytes": self.path.stat().st_size,
            "sha256": self.sha256,
        }


def make_bundle(to: Path, architecture: str | None, python: str, listener: Listener) -> Bundle:
    """Make the archive. Wheels come from the package index that pip is set up for here.

    Args:
        to: the file to write, or the folder to write it into.
        architecture: of the machines it is for; this machine's if not given.
        python: version of the Python there, e.g. ``3.11``.

    Raises:
        UsageError: lingctl does not run on such machines.
        LingctlError: pip could not get a wheel.
    """
    wanted = architecture or platform.machine()
    _check(wanted, python)
    name = f"lingctl-{lingctl.__version__}-{wanted}-py{python.replace('.', '')}"
    target = to / f"{name}.tar" if to.is_dir() else to
    with tempfile.TemporaryDirectory(prefix="lingctl-bundle-") as scratch:
        folder = Path(scratch) / name
        wheels = folder / "wheels"
        wheels.mkdir(parents=True)
        listener(Event("build lingctl's wheel", "started"))
        own = build_own_wheel(wheels)
        listener(Event("build lingctl's wheel", "done"))
        listener(Event("get wheels", "started"))
        _download(own, wheels, wanted, python)
        names = tuple(sorted(path.name for path in wheels.iterdir()))
        listener(Event("get wheels", "done", text=f"{len(names)} wheels"))
        _add_assets(folder, python)
        _write_tar(folder, target)
    return Bundle(target, name, wanted, python, names, _sha256(target))


def _check(architecture: str, python: str) -> None:
    if architecture not in ARCHITECTURES:
        raise UsageError(
            f"no bundle can be made for {architecture!r}", remedy=f"--arch {' or '.join(ARCHITECTURES)}"
        )
    found = _PYTHON.match(python)
    if not found or int(found.group(1)) < _OLDEST_MINOR:
        raise UsageError(
            f"lingctl does not run on Python {python!r}", remedy=f"--python 3.{_OLDEST_MINOR} or newer"
        )


def _download(own: Path, wheels: Path, architecture: str, python: str) -> None:
    """Everything that lingctl's wheel asks for, and pip, as wheels for that machine."""
    abi = f"cp{python.replace('.', '')}"
    platforms = [word for base in _MANYLINUX for word in ("--platform", f"{base}_{architecture}")]
    abis = [word for name in (abi, "abi3", "none") for word in ("--abi", name)]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    options = ["--only-binary", ":all:", "--python-version", python, "--implementation", "cp"]
    done = subprocess.run(
        [*pip, *options, *platforms, *abis, "--dest", str(wheels), str(own), "pip"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LingctlError(
            "pip could not get every wheel",
            evidence="\n".join(done.stderr.strip().splitlines()[-6:]),
            remedy="a bundle is made where pip can reach a package index (pip config, PIP_INDEX_URL)",
            code="bundle-pip",
        )


def _add_assets(folder: Path, python: str) -> None:
    shutil.copytree(asset("atb_patches"), folder / "overlay", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(asset("docs"), folder / "docs", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (folder / "install.sh").write_text(_INSTALL.replace("@PYTHON@", python))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = [f"{_sha256(path)}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(sums))


def _write_tar(folder: Path, target: Path) -> None:
    """The archive appears under its name when it is whole. Not compressed: wheels are."""
    try:
        with whole_file(target) as file, tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(folder, folder.name, filter=_neutral)
    except OSError as error:
        raise no_room(error, target) or UsageError(
            f"cannot write {target}: {error.strerror}", remedy="name another place with --to"
        ) from error


def _neutral(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Of no user, so that it can be unpacked by any."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mode = 0o755 if entry.isdir() or entry.name.endswith(".sh") else 0o644
    return entry


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
