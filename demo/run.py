"""The whole job on an emulated cluster: two nodes, sixteen cards, the commands an operator would type.

Prints each command before its output. Takes the sandbox down at the end, also after a failure or Ctrl-C.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

LINGCTL = str(Path(sys.executable).parent / "lingctl")
FOLDER = Path(".lingctl-demo")


def main() -> int:
    """Run the demo; the exit status of the first command that fails, else 0."""
    started = time.monotonic()
    try:
        status = _show()
    except KeyboardInterrupt:
        status = 130
    finally:
        _run("sandbox", "down", "--dir", str(FOLDER))
        shutil.rmtree(FOLDER, ignore_errors=True)
    if status == 0:
        print(f"\nThe whole job, in {time.monotonic() - started:.0f} s. Nothing is left running.")
    return status


def _show() -> int:
    hosts = ("--nodes", str(FOLDER / "hosts.yaml"))
    _say("An emulated cluster: two Atlas 800I A2 nodes of eight cards each, with Ling-plus as published.")
    steps = [
        ("sandbox", "up", "--nodes", "2", "--model", "plus", "--dir", str(FOLDER)),
        ("check-network", *hosts),
        ("convert", str(FOLDER / "checkpoint" / "Ling_lite")),
        ("deploy", *hosts, "--yes"),
        ("smoke-test", *hosts),
        ("status", *hosts),
        ("deploy", *hosts, "--yes"),
        ("stop", *hosts, "--yes"),
    ]
    words = {
        "convert": "A real .bin checkpoint becomes safetensors. (Ling-plus is published as safetensors.)",
        "stop": "And a clean end.",
    }
    for step in steps:
        _say(words.get(step[0], ""))
        status = _run(*step)
        if status:
            return status
    return 0


def _say(text: str) -> None:
    if text:
        print(f"\n\033[1m# {text}\033[0m" if sys.stdout.isatty() else f"\n# {text}", flush=True)


def _run(*words: str) -> int:
    line = f"$ {shlex.join(['lingctl', *words])}"
    print(f"\n\033[1;36m{line}\033[0m" if sys.stdout.isatty() else f"\n{line}", flush=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINGCTL_")}
    return subprocess.run([LINGCTL, *words], check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
