"""Commands on containers that exist."""

from __future__ import annotations

import re
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from lingctl.sandbox.docker import runtime
from lingctl.sandbox.docker.commands.container_lists import inspect, logs, ps
from lingctl.sandbox.docker.commands.options import Words, read_words
from lingctl.sandbox.docker.store import LOCK, container_named, remove, required
from lingctl.sandbox.docker.streams import flush
from lingctl.sandbox.docker.trouble import DockerError, not_emulated
from lingctl.sandbox.state import locked


def each(names: Sequence[str], command: str, act: Callable[[str], None]) -> int:
    """Do something for every name and print it; troubles are told, and decide the exit status."""
    if not names:
        raise DockerError(
            f"\"docker {command}\" requires at least 1 argument.\nSee 'docker {command} --help'.", 1
        )
    status = 0
    for name in names:
        try:
            act(name)
            print(name, flush=True)
        except DockerError as error:
            print(error, file=sys.stderr, flush=True)
            status = 1
    return status


def start(words: Sequence[str]) -> int:
    """``docker start``."""
    options = read_words("start", words, switches="-a --attach, -i --interactive")
    if options.on("attach") or options.on("interactive"):
        raise not_emulated("docker start with -a or -i", 1)

    def act(name: str) -> None:
        container = required(name)
        flush()
        if not container.running:
            runtime.start(container, attach=False)

    status = each(options.rest, "start", act)
    if status:
        print(f"Error: failed to start containers: {', '.join(options.rest)}", file=sys.stderr)
    return status


def stop(words: Sequence[str]) -> int:
    """``docker stop``."""
    options = read_words("stop", words, valued="-t --time")
    seconds = _seconds(options)
    return each(options.rest, "stop", lambda name: runtime.stop(required(name), seconds))


def restart(words: Sequence[str]) -> int:
    """``docker restart``."""
    options = read_words("restart", words, valued="-t --time")
    seconds = _seconds(options)

    def act(name: str) -> None:
        runtime.stop(required(name), seconds)
        flush()
        runtime.start(required(name), attach=False)

    return each(options.rest, "restart", act)


def kill(words: Sequence[str]) -> int:
    """``docker kill``."""
    options = read_words("kill", words, valued="-s --signal")
    text = options.value("signal", "KILL").upper().removeprefix("SIG")
    names = {s.name.removeprefix("SIG"): int(s) for s in signal.Signals}
    number = int(text) if text.isdecimal() else names.get(text, 0)
    if not number:
        raise DockerError(f"Error response from daemon: Invalid signal: {text}", 1)

    def act(name: str) -> None:
        container = required(
            name, "Error response from daemon: Cannot kill container: {0}: No such container: {0}"
        )
        if not container.running:
            raise DockerError(
                f"Error response from daemon: Cannot kill container: {name}: Container {container.id} is not "
                "running"
            )
        runtime.kill(container, number)

    return each(options.rest, "kill", act)


def rm(words: Sequence[str]) -> int:
    """``docker rm``."""
    options = read_words("rm", words, switches="-f --force, -v --volumes")
    force = options.on("force")

    def act(name: str) -> None:
        container = required(name, "Error: No such container: {}")
        if container.running and not force:
            raise DockerError(
                f"Error response from daemon: You cannot remove a running container {container.id}. Stop the "
                "container before attempting removal or force remove"
            )
        if container.running:
            runtime.kill(container, signal.SIGKILL)
        with locked(LOCK):
            remove(container)

    status = each(options.rest, "rm", act)
    # Since 20.10 a missing container is told of, and is no failure where removal is forced.
    return 0 if force and all(container_named(name) is None for name in options.rest) else status


def wait(words: Sequence[str]) -> int:
    """``docker wait``."""
    for name in words:
        container = required(name)
        while container.running:
            time.sleep(0.05)
            container = required(name)
        print(container.run.exit_code, flush=True)
    return 0


def _seconds(options: Words) -> float:
    text = options.value("time", "10")
    if not re.fullmatch(r"-?\d+", text):
        raise DockerError(
            f'invalid argument "{text}" for "-t, --time" flag: strconv.ParseInt: parsing "{text}": '
            "invalid syntax",
            125,
        )
    return float(text)


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "ps": ps,
    "inspect": inspect,
    "logs": logs,
    "start": start,
    "stop": stop,
    "restart": restart,
    "kill": kill,
    "rm": rm,
    "wait": wait,
}
