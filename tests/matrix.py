"""Unit tests on every Python that lingctl runs on, the node program on every one of nodes: ``make matrix``.

A version that is not on this machine is left out and named.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.pythons import python_of

CHECKOUT = Path(__file__).resolve().parent.parent
HERE = ("3.11", "3.12", "3.13", "3.14")
ON_NODES = ("3.9", "3.10", *HERE)
# A node has nothing installed: these start the packed program with the bare interpreter.
NODE_TESTS = (
    "tests/node/test_program.py::test_every_module_loads_on_python39",
    "tests/node/test_program.py::test_converts_and_checks_on_python39",
    "tests/weights/test_python39.py",
)


def unit_tests(version: str, python: Path) -> int:
    """In a virtual environment of its own, which the next run uses again."""
    environment = CHECKOUT / ".venv-matrix" / version
    if not (environment / "bin/python").exists():
        _run([python, "-m", "venv", environment], check=True)
    own = environment / "bin/python"
    pip = [own, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "-e", ".[sandbox]", "-r", "requirements-unit.txt"], check=True)
    return _run([own, "-m", "pytest", "-q", "tests/unit"])


def node_program(version: str, python: Path) -> int:
    """The tests themselves run in this environment."""
    return _run([sys.executable, "-m", "pytest", "-q", *NODE_TESTS], LINGCTL_NODE_PYTHON=str(python))


def each(
    kind: str, versions: Sequence[str], wanted: Sequence[str], work: Callable[[str, Path], int]
) -> list[str]:
    """A line for every version."""
    lines = []
    for version in versions:
        if wanted and version not in wanted:
            continue
        python = python_of(version)
        if python is None:
            lines.append(f"{kind} on Python {version}: not run, it is not on this machine")
            continue
        print(f"== {kind} on Python {version} ({python})", flush=True)
        try:
            word = "FAILED" if work(version, python) else "passed"
        except subprocess.CalledProcessError:
            word = "FAILED (its packages could not be installed)"
        lines.append(f"{kind} on Python {version}: {word}")
    return lines


def main(wanted: Sequence[str]) -> int:
    """Run it; a failure, or nothing run at all, is exit status 1."""
    lines = each("unit tests", HERE, wanted, unit_tests)
    lines += each("node program", ON_NODES, wanted, node_program)
    print("\n".join(["", *lines]))
    return int(any("FAILED" in line for line in lines) or not any("passed" in line for line in lines))


def _run(words: Sequence[str | Path], check: bool = False, **environment: str) -> int:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(words, cwd=CHECKOUT, env={**ours, **environment}, check=check).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
