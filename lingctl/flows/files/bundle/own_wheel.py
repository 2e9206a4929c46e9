"""lingctl's own wheel, from the checkout it runs in or from the files it was installed as."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import lingctl
from lingctl.errors import LingctlError
from lingctl.paths import is_file

_PROJECT = Path(lingctl.__file__).resolve().parent.parent
# What pip writes when it installs, and what is not part of a wheel.
_NOT_IN_A_WHEEL = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json")


def build_own_wheel(folder: Path) -> Path:
    """Put the wheel into ``folder``. Raises LingctlError: it could not be built."""
    if is_file(_PROJECT / "pyproject.toml"):
        return _from_checkout(folder)
    return _from_installed(folder, importlib.metadata.distribution("lingctl"))


def _from_checkout(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    done = subprocess.run(
        [*pip, "--no-deps", "--wheel-dir", str(folder), str(_PROJECT)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = sorted(folder.glob("lingctl-*.whl"))
    if done.returncode or not found:
        raise LingctlError(
            "lingctl's own wheel could not be built",
            evidence="\n".join(done.stderr.strip().splitlines()[-6:]),
            code="bundle-wheel",
        )
    return found[0]


def _from_installed(folder: Path, distribution: importlib.metadata.Distribution) -> Path:
    """The wheel that this installation came from, put together again: it is pure Python."""
    name = f"lingctl-{distribution.version}"
    path = folder / f"{name}-py3-none-any.whl"
    record: list[str] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inside, content in _contents(distribution):
            archive.writestr(inside, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record.append(f"{inside},sha256={digest},{len(content)}\n")
        record.append(f"{name}.dist-info/RECORD,,\n")
        archive.writestr(f"{name}.dist-info/RECORD", "".join(record))
    return path


def _contents(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    for file in distribution.files or ():
        outside = file.parts[0] == ".."  # the command in bin/, which pip makes anew
        if outside or file.name in _NOT_IN_A_WHEEL or "__pycache__" in file.parts:
            continue
        yield str(file), Path(str(file.locate())).read_bytes()
