"""The Pythons of this machine, and which of them runs what runs on nodes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

OLDEST_ON_NODES = "3.9"


def python_of(version: str) -> Path | None:
    """An interpreter of that version, such as ``3.12``, wherever one is usually kept."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    name = f"python{version}"
    for candidate in filter(None, (shutil.which(name), *pyenv.glob(f"{version}.*/bin/{name}"))):
        asked = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False)
        if asked.returncode == 0 and asked.stdout.startswith(f"Python {version}."):
            return Path(candidate)
    return None


def node_python() -> Path:
    """What nodes have in these tests: the oldest that is supported, or that of ``make matrix``."""
    given = os.environ.get("LINGCTL_NODE_PYTHON")
    found = Path(given) if given else python_of(OLDEST_ON_NODES)
    if found is None:
        # Few machines have so old a Python; make matrix runs these tests on each that is there.
        pytest.skip(f"no Python {OLDEST_ON_NODES} on this machine")
    return found
