"""The whole job on an emulated cluster, the commands an operator would type.

MindIE, emulated, on two nodes with sixteen cards; or, with the word vllm, the real vLLM on one. Prints each
command before its output. Takes the sandbox down at the end, also after a failure or Ctrl-C.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

LINGCTL = str(Path(sys.executable).parent / "lingctl")
FOLDER = Path(".lingctl-demo")
HOSTS = ("--nodes", str(FOLDER / "hosts.yaml"))


def main() -> int:
    """Run the demo; the exit status of the first command that fails, else 0."""
    started = time.monotonic()
    try:
        status = _show(_vllm() if sys.argv[1:] == ["vllm"] else _mindie())
    except KeyboardInterrupt:
        status = 130
    finally:
        _run("sandbox", "down", "--dir", str(FOLDER))
        shutil.rmtree(FOLDER, ignore_errors=True)
    if status == 0:
        print(f"\nThe whole job, in {time.monotonic() - started:.0f} s. Nothing is left running.")
    return status


def _mindie() -> list[tuple[str, Sequence[str]]]:
    """What is said, and typed then."""
    nodes = "An emulated cluster: two Atlas 800I A2 nodes of eight cards each, with Ling-plus as published."
    bin_files = "A real .bin checkpoint becomes safetensors. (Ling-plus is published as safetensors.)"
    return [
        (nodes, ("sandbox", "up", "--nodes", "2", "--model", "plus", "--dir", str(FOLDER))),
        ("", ("check-network", *HOSTS)),
        (bin_files, ("convert", str(FOLDER / "checkpoint" / "Ling_lite"))),
        ("", ("deploy", *HOSTS, "--yes")),
        ("", ("smoke-test", *HOSTS)),
        ("", ("status", *HOSTS)),
        ("", ("deploy", *HOSTS, "--yes")),
        ("And a clean end.", ("stop", *HOSTS, "--yes")),
    ]


def _vllm() -> list[tuple[str, Sequence[str]]]:
    """The same with an engine that nobody here wrote. It computes on this machine's processor."""
    node = "An emulated node, and the real vLLM in its container. Ling-lite as .bin: vLLM reads it as it is."
    return [
        (node, ("sandbox", "up", "--engine", "vllm", "--dir", str(FOLDER))),
        ("", ("check-network", *HOSTS)),
        ("It starts three processes of Python: half a minute.", ("deploy", *HOSTS, "--yes")),
        ("", ("smoke-test", *HOSTS)),
        ("", ("status", *HOSTS)),
        ("", ("ask", *HOSTS, "What is Ling?")),
        ("", ("bench", *HOSTS, "--requests", "20", "--concurrency", "4")),
        ("", ("deploy", *HOSTS, "--yes")),
        ("And a clean end.", ("stop", *HOSTS, "--yes")),
    ]


def _show(steps: Sequence[tuple[str, Sequence[str]]]) -> int:
    for text, step in steps:
        _say(text)
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
    own = {name: value for name, value in os.environ.items() if not name.startswith("LINGCTL_")}
    environment = own | {name: os.environ[name] for name in ("LINGCTL_VLLM",) if name in os.environ}
    return subprocess.run([LINGCTL, *words], check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
