"""The commands of the emulated docker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from lingctl.sandbox.docker.commands import container_commands, image_commands, run_command
from lingctl.sandbox.docker.commands.container_lists import FORMAT
from lingctl.sandbox.docker.commands.describe import API, VERSION
from lingctl.sandbox.docker.commands.options import read_words
from lingctl.sandbox.docker.commands.templates import render
from lingctl.sandbox.docker.store import containers
from lingctl.sandbox.docker.trouble import DockerError
from lingctl.sandbox.state import this_node

_DOWN = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
Command = Callable[[Sequence[str]], int]
_COMMANDS: Mapping[str, Command] = {
    **run_command.COMMANDS,
    **container_commands.COMMANDS,
    **image_commands.COMMANDS,
}
_GROUPS: Mapping[str, Mapping[str, Command]] = {
    "container": {
        **run_command.COMMANDS,
        **container_commands.COMMANDS,
        "ls": container_commands.COMMANDS["ps"],
    },
    "image": {
        "ls": image_commands.COMMANDS["images"],
        "inspect": image_commands.inspect,
        "load": image_commands.COMMANDS["load"],
        "pull": image_commands.COMMANDS["pull"],
        "rm": image_commands.COMMANDS["rmi"],
        "save": image_commands.COMMANDS["save"],
        "tag": image_commands.COMMANDS["tag"],
    },
}


def main(words: Sequence[str]) -> int:
    """Run one command; returns its exit status."""
    try:
        status = _dispatch(words)
        sys.stdout.flush()
        return status
    except DockerError as error:
        sys.stdout.flush()
        print(error, file=sys.stderr)
        return error.status
    except BrokenPipeError:
        return 1
    except OSError as error:
        print(f"Error response from daemon: {error}", file=sys.stderr)
        return 125 if words[:1] == ["run"] else 1


def _dispatch(words: Sequence[str]) -> int:
    if not words or words[0] in ("--help", "-h", "help"):
        print("Usage:  docker [OPTIONS] COMMAND\n\nThe docker of lingctl's sandbox. Commands:\n")
        print("  " + "\n  ".join(sorted({*_COMMANDS, "info", "version"})))
        return 0
    if words[0] in ("--version", "-v"):
        print(f"Docker version {VERSION}, build baeda1f")
        return 0
    name, rest = words[0], words[1:]
    if name == "version":
        return _version(rest)
    _need_daemon(name)
    if name == "info":
        return _info(rest)
    if name in _GROUPS and rest:
        group, name, rest = name, rest[0], rest[1:]
        if name in _GROUPS[group]:
            return _GROUPS[group][name](rest)
        raise DockerError(f"docker: '{group} {name}' is not emulated by the sandbox", 1)
    if name not in _COMMANDS:
        raise DockerError(
            f"docker: '{name}' is not a docker command, or not one that the sandbox emulates.", 1
        )
    return _COMMANDS[name](rest)


def _need_daemon(command: str) -> None:
    if "docker-down" not in this_node().faults:
        return
    if command == "run":
        raise DockerError(f"docker: {_DOWN}.\nSee 'docker run --help'.", 125)
    raise DockerError(_DOWN, 1)


def _version(words: Sequence[str]) -> int:
    options = read_words("version", words, valued=FORMAT)
    down = "docker-down" in this_node().faults
    part = {"Version": VERSION, "ApiVersion": API, "Os": "linux", "Arch": "arm64"}
    if down and options.value("format"):
        print()
    elif options.value("format"):
        print(render(options.value("format"), {"Client": part, "Server": part}))
    else:
        for title in ("Client",) if down else ("Client", "Server"):
            print(f"{title}: Docker Engine - Community")
            print(
                f" Version:           {VERSION}\n API version:       {API}\n OS/Arch:           linux/arm64\n"
            )
    if down:
        raise DockerError(_DOWN, 1)
    return 0


def _info(words: Sequence[str]) -> int:
    options = read_words("info", words, valued=FORMAT)
    every = containers()
    facts = {
        "Containers": len(every),
        "ContainersRunning": sum(container.running for container in every),
        "ServerVersion": VERSION,
        "Driver": "overlay2",
        "DockerRootDir": "/var/lib/docker",
        "DefaultRuntime": "runc",
        "Runtimes": {"runc": {"path": "runc"}},
        "Name": this_node().hostname,
        "OSType": "linux",
        "Architecture": "aarch64",
    }
    if options.value("format"):
        print(render(options.value("format"), facts))
        return 0
    print("Server:")
    print(f" Containers: {facts['Containers']}\n  Running: {facts['ContainersRunning']}")
    print(f" Server Version: {VERSION}\n Storage Driver: overlay2\n Docker Root Dir: /var/lib/docker")
    return 0
