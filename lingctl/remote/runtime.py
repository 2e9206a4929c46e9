"""Commands for a container runtime, the same for every one. Pure."""

from __future__ import annotations

from lingctl.assets import shell
from lingctl.inventory.runtime import RUNTIMES, Runtime
from lingctl.remote.command import Command, command, script

_ELSEWHERE = shell("ask/elsewhere")


def call(runtime: Runtime, *words: str | int, title: str = "") -> Command:
    """One call of the runtime's program."""
    return command(runtime.program, *words, title=title)


def runtime_script(runtime: Runtime, body: str, *arguments: str | int, title: str = "") -> Command:
    """As ``script``; in the body the runtime's program is ``$runtime``."""
    return script(f"runtime={runtime.program}\n{body}", *arguments, title=title)


def version_command(runtime: Runtime) -> Command:
    """Its version; fails where it could run nothing."""
    return call(runtime, *runtime.version)


def image_command(runtime: Runtime, image: str) -> Command:
    """Id of an image; fails where it is not there."""
    return call(runtime, "image", "inspect", "--format", "{{.Id}}", image)


def elsewhere_command(runtime: Runtime, container: str) -> Command:
    """Ask whether a container of that name runs under another runtime; ``read_elsewhere`` reads it."""
    words = [word for other in _others(runtime) for word in (other.program, other.alive)]
    return runtime_script(runtime, _ELSEWHERE, container, *words, title="look under other runtimes")


def read_elsewhere(runtime: Runtime, answer: str | None) -> dict[Runtime, bool]:
    """The other runtimes under which the container runs (true), or that do not tell (false); None is for an
    answer that did not come, or broke off."""
    lines = [line.split() for line in (answer or "").splitlines()]
    if answer is None or not all(len(words) == 2 and words[0] in RUNTIMES for words in lines):
        return dict.fromkeys(_others(runtime), False)  # what makes no sense tells nothing of any
    return {RUNTIMES[program]: word == "runs" for program, word in lines}


def _others(runtime: Runtime) -> list[Runtime]:
    return [other for other in RUNTIMES.values() if other.program != runtime.program]
