"""What lingctl is timed beside, made ready in a folder of its own: ansible and pyinfra, and Debian's pdsh.

So is asyncssh, by which nodes answer that take their time without computing (``answering_nodes.py``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lingctl-peers"
PACKAGES = ("ansible-core", "pyinfra", "asyncssh")


def peers(folder: Path = CACHE) -> Path:
    """A folder with ansible, ansible-playbook and pyinfra, and pdsh where it can be had; made if need be."""
    programs, complete = folder / "bin", folder / "complete"
    wanted = " ".join(PACKAGES)
    if not complete.exists() or complete.read_text() != wanted:
        print(f"making ready what lingctl is timed beside: {folder}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([programs / "python", "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        if shutil.which("pdsh") is None and not (programs / "pdsh").exists():
            _pdsh(folder)
        complete.write_text(wanted)
    return programs


def _pdsh(folder: Path) -> None:
    """Debian's package, unpacked. The path of its modules is in the program: ours is written over it."""
    modules = folder / "pd"
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        got = subprocess.run(
            ["apt-get", "download", "-o", "APT::Sandbox::User=root", "pdsh"], cwd=place, check=False
        )
        packages = list(place.glob("*.deb"))
        if got.returncode or not packages:
            print("pdsh cannot be had: it is left out", file=sys.stderr)
            return
        subprocess.run(["dpkg", "-x", packages[0], place / "x"], check=True)
        (old,) = (place / "x/usr/lib").glob("*/pdsh")
        was, now = str(Path("/usr/lib") / old.parent.name / "pdsh").encode(), str(modules).encode()
        if len(now) > len(was):
            print(f"{modules} is too long a path for pdsh: it is left out", file=sys.stderr)
            return
        modules.mkdir()
        shutil.copy(old / "sshcmd.so", modules)
        program = folder / "bin" / "pdsh"
        program.write_bytes(
            (place / "x/usr/bin/pdsh.bin").read_bytes().replace(was, now.ljust(len(was), b"\0"))
        )
        program.chmod(0o755)
