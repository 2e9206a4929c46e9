"""What docker tells of containers and images, in its own shapes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lingctl.sandbox.docker.images import Image
from lingctl.sandbox.docker.store import Container

VERSION, API = "20.10.21", "1.41"
_IMAGE_CREATED = "2025-03-31T08:12:40.123456789Z"


def inspected_container(container: Container) -> dict[str, Any]:
    """The object of ``docker inspect``; fields that the emulation has no value for are left out."""
    run = container.run
    return {
        "Id": container.id,
        "Created": container.created,
        "Path": container.command[0] if container.command else "",
        "Args": container.command[1:],
        "State": {
            "Status": run.status,
            "Running": run.status == "running",
            "Paused": False,
            "Restarting": False,
            "OOMKilled": False,
            "Dead": False,
            "Pid": run.pid,
            "ExitCode": run.exit_code,
            "Error": run.error,
            "StartedAt": run.started_at,
            "FinishedAt": run.finished_at,
        },
        "Image": f"sha256:{container.image_id}",
        "LogPath": str(container.log),
        "Name": f"/{container.name}",
        "RestartCount": 0,
        "Driver": "overlay2",
        "Platform": "linux",
        "ExecIDs": None,
        "HostConfig": {
            "Binds": [_bind(bind.source, bind.target, bind.mode) for bind in container.binds] or None,
            "NetworkMode": "default" if container.network == "bridge" else container.network,
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
            "AutoRemove": container.auto_remove,
            "IpcMode": container.ipc,
            "Privileged": container.privileged,
            "ShmSize": container.shm_size,
            "Runtime": "runc",
            "Devices": [
                {
                    "PathOnHost": device.source,
                    "PathInContainer": device.target,
                    "CgroupPermissions": device.permissions,
                }
                for device in container.devices
            ],
            **({"Init": True} if container.init else {}),
        },
        "Mounts": [
            {
                "Type": "bind",
                "Source": bind.source,
                "Destination": bind.target,
                "Mode": bind.mode,
                "RW": not bind.read_only,
                "Propagation": "rprivate",
            }
            for bind in container.binds
        ],
        "Config": {
            "Hostname": container.hostname,
            "User": "",
            "Tty": container.terminal,
            "OpenStdin": container.open_stdin,
            "Env": container.environment,
            "Cmd": container.arguments or None,
            "Image": container.image,
            "WorkingDir": "" if container.directory == "/" else container.directory,
            "Entrypoint": container.entrypoint,
            "Labels": container.labels,
        },
        "NetworkSettings": {"Networks": {container.network: {"IPAddress": ""}}, "Ports": {}},
    }


def inspected_image(image: Image) -> dict[str, Any]:
    """The object of ``docker image inspect``."""
    return {
        "Id": f"sha256:{image.id}",
        "RepoTags": [image.reference],
        "RepoDigests": [],
        "Created": _IMAGE_CREATED,
        "Architecture": image.architecture,
        "Os": "linux",
        "Size": _size(image),
        "Config": {
            "Env": image.environment,
            "Cmd": image.command,
            "WorkingDir": "",
            "Entrypoint": None,
            "Labels": None,
        },
    }


def listed_container(container: Container, *, whole: bool = False) -> dict[str, str]:
    """A row of ``docker ps``, by the names that ``--format`` knows."""
    command = " ".join(container.command)
    return {
        "ID": container.id if whole else container.id[:12],
        "Image": container.image,
        "Command": f'"{command}"' if whole or len(command) <= 20 else f'"{command[:19]}…"',
        "CreatedAt": container.created[:19].replace("T", " ") + " +0000 UTC",
        "RunningFor": f"{_ago(container.created)} ago",
        "Ports": "",
        "State": container.run.status,
        "Status": status_text(container),
        "Names": container.name,
        "Labels": ",".join(f"{key}={value}" for key, value in container.labels.items()),
        "Mounts": ",".join(bind.source for bind in container.binds),
        "Networks": container.network,
        "LocalVolumes": "0",
        "Size": "0B",
    }


def listed_image(image: Image) -> dict[str, str]:
    """A row of ``docker images``."""
    return {
        "Repository": image.name,
        "Tag": image.tag,
        "Digest": "<none>",
        "ID": image.id[:12],
        "CreatedSince": f"{_ago(_IMAGE_CREATED)} ago",
        "CreatedAt": "2025-03-31 08:12:40 +0000 UTC",
        "Size": f"{_size(image) / 1000:.3g}kB",
    }


def status_text(container: Container) -> str:
    """``Up 5 minutes``, ``Exited (137) 2 hours ago`` or ``Created``."""
    run = container.run
    if run.status == "running":
        return f"Up {_ago(run.started_at)}"
    if run.status == "created":
        return "Created"
    return f"Exited ({run.exit_code}) {_ago(run.finished_at)} ago"


def _bind(source: str, target: str, mode: str) -> str:
    return f"{source}:{target}:{mode}" if mode else f"{source}:{target}"


def _size(image: Image) -> int:
    return sum(path.lstat().st_size for path in image.tree.rglob("*") if not path.is_symlink())


def _ago(moment: str) -> str:
    """A span of time as docker words it."""
    then = datetime.fromisoformat(moment[:19]).replace(tzinfo=UTC)
    seconds = int((datetime.now(UTC) - then).total_seconds())
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return f"{seconds} second{'s' if seconds > 1 else ''}"
    minutes, hours = seconds // 60, (seconds + 1800) // 3600
    if minutes < 46:
        return "About a minute" if minutes == 1 else f"{minutes} minutes"
    if hours < 48:
        return "About an hour" if hours <= 1 else f"{hours} hours"
    days = hours // 24
    for size, name in ((730, "years"), (60, "months"), (14, "weeks")):
        if days >= size:
            return f"{days // {'years': 365, 'months': 30, 'weeks': 7}[name]} {name}"
    return f"{days} days"
