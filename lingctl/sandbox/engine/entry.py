"""The emulated ``mindie_llm_server`` of 3.0.0: checks the installation, then becomes the daemon."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(package: str) -> int:
    """Replace this process by the daemon of the package; returns only where that fails."""
    home = Path(package)
    daemon, config, library = home / "bin/mindieservice_daemon", home / "conf/config.json", home / "lib"
    for path, text in (
        (daemon, f"mindieservice_daemon not found at {daemon}"),
        (config, f"config.json not found at {config}"),
        (library, f"Lib directory not found at {library}"),
    ):
        if not path.exists():
            print(f"RuntimeError: {text}", file=sys.stderr)
            return 1
    environment = dict(os.environ)
    environment["MINDIE_LLM_HOME_PATH"] = package
    environment["LD_LIBRARY_PATH"] = f"{library}:{environment.get('LD_LIBRARY_PATH', '')}"
    environment["PYTHONPATH"] = f"{home.parent}:{environment.get('PYTHONPATH', '')}"
    return os.execve(daemon, [str(daemon), *sys.argv[1:]], environment)
