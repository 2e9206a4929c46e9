"""One archive for machines without a network: wheels, the overlay, the docs, and how to install them."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import lingctl
from lingctl.assets import asset, shell
from lingctl.errors import LingctlError, UsageError
from lingctl.events import Event, Listener
from lingctl.flows.files.bundle.bill import bill_of_materials
from lingctl.flows.files.bundle.locked import Locked, environment, locked_for
from lingctl.flows.files.bundle.own_wheel import build_own_wheel
from lingctl.flows.files.bundle.wheels import file_of, read_wheel, sha256_of
from lingctl.flows.run.whole_file import told_if_unwritten, whole_file, write_file
from lingctl.paths import is_file, is_folder

ARCHITECTURES = ("aarch64", "x86_64")
_PYTHON = re.compile(r"^3\.(\d+)$")
_OLDEST_MINOR = 11
# Newest first; pip takes the first that fits. Ascend hosts have glibc 2.28 (openEuler 20.03) or newer.
_MANYLINUX = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
_INSTALL = shell("bundle/install")
_ELSEWHERE = "name another place with --to"
# Of files in the archive: the same bundle, made twice, is the same to the byte.
_TIME = 1_577_836_800


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was made. ``folder`` is what it unpacks to."""

    path: Path
    folder: str
    architecture: str
    python: str
    wheels: tuple[str, ...]
    sha256: str
    sums: Path | None  # file beside it that says so, in the form of sha256sum; None beside a device or pipe

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
            "sums": str(self.sums) if self.sums else None,
        }


def make_bundle(to: Path, architecture: str | None, python: str, listener: Listener) -> Bundle:
    """Make the archive. Wheels come from the package index that pip is set up for here, of the versions that
    lingctl was tested with and no other bytes than those.

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
    target = to / f"{name}.tar" if is_folder(to) else to
    with tempfile.TemporaryDirectory(prefix="lingctl-bundle-") as scratch:
        folder = Path(scratch) / name
        wheels = folder / "wheels"
        wheels.mkdir(parents=True)
        listener(Event("build lingctl's wheel", "started"))
        own = build_own_wheel(wheels)
        listener(Event("build lingctl's wheel", "done"))
        listener(Event("get wheels", "started"))
        locked = locked_for(wanted, python)
        _download(locked, wheels, wanted, python)
        names = tuple(sorted(path.name for path in wheels.iterdir()))
        listener(Event("get wheels", "done", text=f"{len(names)} wheels"))
        _describe(folder, own, locked, environment(wanted, python))
        _add_assets(folder, python)
        _write_tar(folder, target)
    digest = sha256_of(target) if is_file(target) else ""
    return Bundle(target, name, wanted, python, names, digest, _write_sum(target, digest))


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


def _download(locked: Sequence[Locked], wheels: Path, architecture: str, python: str) -> None:
    """These packages as wheels for that machine.

    Each is named, so that pip looks for nothing by itself: it would judge markers by this machine.
    """
    abi = f"cp{python.replace('.', '')}"
    platforms = [word for base in _MANYLINUX for word in ("--platform", f"{base}_{architecture}")]
    abis = [word for name in (abi, "abi3", "none") for word in ("--abi", name)]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    options = ["--only-binary", ":all:", "--python-version", python, "--implementation", "cp"]
    with tempfile.NamedTemporaryFile("w", prefix="lingctl-locked-", suffix=".txt") as names:
        names.write("".join(f"{one.line}\n" for one in locked))
        names.flush()
        done = subprocess.run(
            [
                *[*pip, *options, *platforms, *abis, "--dest", str(wheels)],
                *["--no-deps", "--require-hashes", "--requirement", names.name],
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise LingctlError(
            "pip could not get every wheel of the versions that lingctl is tested with",
            evidence="\n".join(done.stderr.strip().splitlines()[-6:]),
            code="bundle-pip",
        )


def _describe(folder: Path, own: Path, locked: Sequence[Locked], where: Mapping[str, str]) -> None:
    """What is in it, for people and programs; and for pip, what it may install."""
    wheel = read_wheel(own)
    others = [read_wheel(path) for path in sorted((folder / "wheels").glob("*.whl")) if path != own]
    (folder / "sbom.cdx.json").write_bytes(bill_of_materials(wheel, others, where))
    ours = Locked(wheel.name, wheel.version, (f"sha256:{wheel.sha256}",))
    wanted = [ours, *(one for one in locked if one.name != "pip")]
    (folder / "requirements.txt").write_text("".join(f"{one.line}\n" for one in wanted))
    (folder / "LICENSE").write_bytes(file_of(own, "licenses/LICENSE"))


def _add_assets(folder: Path, python: str) -> None:
    shutil.copytree(asset("atb_patches"), folder / "overlay", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(asset("docs"), folder / "docs", ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    (folder / "install.sh").write_text(_INSTALL.replace("@PYTHON@", python))
    files = sorted(path for path in folder.rglob("*") if is_file(path))
    sums = [f"{sha256_of(path)}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(sums))


def _write_tar(folder: Path, target: Path) -> None:
    """The archive appears under its name when it is whole. Not compressed: wheels are."""
    with (
        told_if_unwritten(target, _ELSEWHERE),
        whole_file(target) as file,
        tarfile.open(fileobj=file, mode="w") as archive,
    ):
        archive.add(folder, folder.name, filter=_neutral)


def _write_sum(target: Path, digest: str) -> Path | None:
    """The sum beside the archive: what is in it can vouch for each other, but not for the whole."""
    if not digest:
        return None
    beside = target.with_name(f"{target.name}.sha256")
    with told_if_unwritten(beside, _ELSEWHERE):
        write_file(beside, f"{digest}  {target.name}\n".encode())
    return beside


def _neutral(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Of no user, so that it can be unpacked by any."""
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = _TIME
    entry.mode = 0o755 if entry.isdir() or entry.name.endswith(".sh") else 0o644
    return entry
