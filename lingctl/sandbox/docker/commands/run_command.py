"""``docker run``, ``create`` and ``exec``."""

from __future__ import annotations

import re
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lingctl.sandbox.docker import runtime
from lingctl.sandbox.docker.commands.options import Words, read_words
from lingctl.sandbox.docker.images import Image, image_named
from lingctl.sandbox.docker.store import LOCK, Bind, Container, Device, check_name, required, save
from lingctl.sandbox.docker.streams import flush
from lingctl.sandbox.docker.supervisor import Execution, now
from lingctl.sandbox.docker.trouble import DockerError, no_registry, not_emulated
from lingctl.sandbox.state import locked, this_node

_EXEC_SWITCHES = "-d --detach, -i --interactive, -t --tty, --privileged"
_EXEC_VALUED = "-e --env, -w --workdir, -u --user"
_SWITCHES = f"{_EXEC_SWITCHES}, --rm, --init"
_VALUED = (
    f"{_EXEC_VALUED}, --name, --net --network, --ipc, --shm-size, -l --label, --device, -v --volume,"
    " -h --hostname, --entrypoint, --restart, --pull"
)
_SIZES = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SEE = "\nSee 'docker run --help'."


def run(words: Sequence[str]) -> int:
    """``docker run``."""
    try:
        options = read_words("run", words, switches=_SWITCHES, valued=_VALUED, interspersed=False)
        _refuse(options)
        container = _create("run", options)
    except DockerError as error:
        raise DockerError(
            f"docker: {str(error).removeprefix('docker: ').removesuffix(_SEE)}{_SEE}", error.status
        ) from None
    detach = options.on("detach")
    if detach:
        # As docker does: the id is told before it is known whether the container starts.
        print(container.id)
    flush()
    try:
        return runtime.start(container, attach=not detach)
    except DockerError as error:
        raise DockerError(f"docker: {error}", error.status) from None


def create(words: Sequence[str]) -> int:
    """``docker create``."""
    options = read_words("create", words, switches=_SWITCHES, valued=_VALUED, interspersed=False)
    _refuse(options)
    print(_create("create", options).id)
    return 0


def execute(words: Sequence[str]) -> int:
    """``docker exec``."""
    options = read_words("exec", words, switches=_EXEC_SWITCHES, valued=_EXEC_VALUED, interspersed=False)
    if len(options.rest) < 2:
        raise DockerError(
            "\"docker exec\" requires at least 2 arguments.\nSee 'docker exec --help'.\n\n"
            "Usage:  docker exec [OPTIONS] CONTAINER COMMAND [ARG...]",
            1,
        )
    _refuse(options)
    name, *command = options.rest
    container = required(name, "Error: No such container: {}")
    if not container.running:
        raise DockerError(f"Error response from daemon: Container {container.id} is not running", 1)
    if options.on("tty") and options.on("interactive") and not sys.stdin.isatty():
        raise DockerError("the input device is not a TTY", 1)
    execution = Execution(
        container,
        words=command,
        environment=[*container.environment, *options.values("env")],
        directory=options.value("workdir") or container.directory,
        detach=options.on("detach"),
        interactive=options.on("interactive"),
    )
    return runtime.execute(execution, terminal=options.on("tty"))


def _refuse(options: Words) -> None:
    """What would have an effect that the emulation does not have."""
    if options.value("user", "root") not in ("root", "0", "0:0", "root:root"):
        raise not_emulated(f"--user {options.value('user')}")
    if options.value("restart", "no") != "no":
        raise not_emulated(f"--restart {options.value('restart')}")
    if options.value("network", "bridge") not in ("host", "none", "bridge", "default"):
        raise DockerError(f"Error response from daemon: network {options.value('network')} not found", 125)
    if options.value("ipc", "private") not in ("host", "private", "shareable", ""):
        raise not_emulated(f"--ipc {options.value('ipc')}")


def _create(command: str, options: Words) -> Container:
    if not options.rest:
        raise DockerError(
            f"\"docker {command}\" requires at least 1 argument.\nSee 'docker {command} --help'.\n\n"
            f"Usage:  docker {command} [OPTIONS] IMAGE [COMMAND] [ARG...]",
            125 if command == "run" else 1,
        )
    reference, *arguments = options.rest
    image = image_named(reference)
    if image is None:
        wanted = reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
        print(f"Unable to find image '{wanted}' locally", file=sys.stderr)
        raise no_registry(reference, 125)
    identity = secrets.token_hex(32)
    name = options.value("name") or f"sandbox_{identity[:8]}"
    network = options.value("network", "bridge").replace("default", "bridge")
    hostname = options.value("hostname") or (this_node().hostname if network == "host" else identity[:12])
    entrypoint = [options.value("entrypoint")] if options.value("entrypoint") else None
    given = arguments or ([] if entrypoint else image.command)
    container = Container(
        id=identity,
        name=name,
        image=reference,
        image_id=image.id,
        created=now(),
        command=[*(entrypoint or []), *given],
        arguments=given,
        entrypoint=entrypoint,
        environment=_environment(options, image, hostname),
        hostname=hostname,
        labels=dict(label.partition("=")[::2] for label in options.values("label")),
        network=network,
        ipc=options.value("ipc") or "private",
        binds=[_bind(text) for text in options.values("volume")],
        devices=[_device(text) for text in options.values("device")],
        privileged=options.on("privileged"),
        shm_size=_size(options.value("shm-size", "64m")),
        init=options.on("init"),
        directory=options.value("workdir") or "/",
        terminal=options.on("tty"),
        open_stdin=options.on("interactive"),
        auto_remove=options.on("rm"),
    )
    with locked(LOCK):
        check_name(name)
        save(container)
    runtime.make_root(container, image)
    return container


def _environment(options: Words, image: Image, hostname: str) -> list[str]:
    variables = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": hostname}
    if options.on("tty"):
        variables["TERM"] = "xterm"
    for text in [*image.environment, *options.values("env")]:
        name, given, value = text.partition("=")
        if given:
            variables[name] = value
    variables.setdefault("HOME", "/root")
    return [f"{name}={value}" for name, value in variables.items()]


def _bind(text: str) -> Bind:
    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not target:
        raise not_emulated(f"an anonymous volume ({text})")
    if not source.startswith("/"):
        raise not_emulated(f"a named volume ({text})")
    if not target.startswith("/"):
        raise DockerError(
            f"Error response from daemon: invalid volume specification: '{text}': invalid mount config for "
            f"type \"bind\": invalid mount path: '{target}' mount path must be absolute",
            125,
        )
    wrong = [part for part in mode.split(",") if part not in ("", "ro", "rw", "z", "Z", "rprivate", "rslave")]
    if wrong:
        raise DockerError(f"Error response from daemon: invalid mode: {mode}", 125)
    return Bind(str(Path(source)), str(Path(target)), mode)


def _device(text: str) -> Device:
    source, _, rest = text.partition(":")
    target, _, permissions = rest.partition(":")
    if target and not target.startswith("/"):
        target, permissions = "", target
    if not re.fullmatch("[rwm]{0,3}", permissions):
        raise DockerError(
            f'invalid argument "{text}" for "--device" flag: bad mode specified: {permissions}', 125
        )
    return Device(source, target or source, permissions or "rwm")


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([bkmgBKMG]?)[iI]?[bB]?", text)
    if match is None:
        raise DockerError(f'invalid argument "{text}" for "--shm-size" flag: invalid size: \'{text}\'', 125)
    return int(float(match[1]) * _SIZES[match[2].lower()])


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {"run": run, "create": create, "exec": execute}
