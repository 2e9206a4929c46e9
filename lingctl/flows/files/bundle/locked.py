"""The versions that lingctl is tested with, each with the hashes of its files: ``locked/run.txt``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement

from lingctl.assets import asset

_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Locked:
    """One package."""

    name: str
    version: str
    hashes: tuple[str, ...]  # ``sha256:...`` of each file of this version, for whatever machine

    @property
    def line(self) -> str:
        """As pip reads it."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={one}" for one in self.hashes)])


def environment(architecture: str, python: str) -> dict[str, str]:
    """What markers of requirements mean on such a machine, whatever machine this is.

    Args:
        python: a version such as ``3.11``.
    """
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": "posix",
        "platform_machine": architecture,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }


def locked_for(architecture: str, python: str) -> tuple[Locked, ...]:
    """What lingctl runs on there, and pip, which installs it."""
    text = (asset("locked") / "run.txt").read_text(encoding="utf-8")
    return tuple(read_locked(text, environment(architecture, python)))


def read_locked(text: str, where: Mapping[str, str]) -> list[Locked]:
    """The packages of such a file that are for a machine; see ``environment``."""
    found = []
    for entry in text.replace("\\\n", " ").splitlines():
        words = entry.partition(" --hash=")[0].strip()
        if not words or words.startswith("#"):
            continue
        requirement = Requirement(words)
        if requirement.marker is None or requirement.marker.evaluate(dict(where)):
            version = str(requirement.specifier).removeprefix("==")
            found.append(Locked(requirement.name, version, tuple(_HASH.findall(entry))))
    return found
