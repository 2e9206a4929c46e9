"""Commands on images."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from lingctl.sandbox.docker.commands.container_lists import FORMAT, print_inspected, print_rows
from lingctl.sandbox.docker.commands.describe import inspected_image, listed_image
from lingctl.sandbox.docker.commands.options import read_words
from lingctl.sandbox.docker.images import LOADED, image_named, images
from lingctl.sandbox.docker.store import containers
from lingctl.sandbox.docker.trouble import DockerError, no_registry, not_emulated

_HEADERS = {
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "ID": "IMAGE ID",
    "CreatedSince": "CREATED",
    "Size": "SIZE",
}


def list_images(words: Sequence[str]) -> int:
    """``docker images``."""
    options = read_words(
        "images",
        words,
        switches="-q --quiet, -a --all, --no-trunc",
        valued="--format, -f --filter",
    )
    if options.values("filter"):
        raise not_emulated("docker images --filter", 1)
    shown = images()
    if options.rest:
        shown = [image for image in shown if options.rest[0] in (image.name, image.reference)]
    rows = [listed_image(image) for image in shown]
    if options.on("no-trunc"):
        rows = [{**row, "ID": f"sha256:{image.id}"} for row, image in zip(rows, shown, strict=True)]
    return print_rows(rows, options, _HEADERS)


def inspect(words: Sequence[str]) -> int:
    """``docker image inspect``."""
    options = read_words("image inspect", words, valued=FORMAT, status=1)

    def find(name: str) -> dict[str, object] | None:
        image = image_named(name)
        return inspected_image(image) if image is not None else None

    return print_inspected(options, find, "No such image")


def pull(words: Sequence[str]) -> int:
    """``docker pull``: there is no network."""
    options = read_words("pull", words, switches="-q --quiet", valued="--platform")
    raise no_registry((options.rest or [""])[0], 1)


def load(words: Sequence[str]) -> int:
    """``docker load``."""
    options = read_words("load", words, switches="-q --quiet", valued="-i --input")
    path = options.value("input")
    try:
        with Path(path).open("rb") if path else os.fdopen(0, "rb") as file:
            for reference in _load(file):
                print(f"Loaded image: {reference}")
    except OSError as error:
        raise DockerError(f"open {path}: {(error.strerror or str(error)).lower()}", 1) from None
    except (tarfile.TarError, KeyError, ValueError) as error:
        raise DockerError(f"Error processing tar file(exit status 1): {error}", 1) from None
    return 0


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """By the emulated root in its own tree, as docker does with whatever it is given."""
    # Python 3.11.2, which Debian 12 has, knows no filters and does that anyway.
    archive.extraction_filter = getattr(tarfile, "fully_trusted_filter", None)
    archive.extractall(folder)


def _load(file: IO[bytes]) -> list[str]:
    part = LOADED / "part"
    shutil.rmtree(part, ignore_errors=True)
    (part / "unpacked").mkdir(parents=True)
    with tarfile.open(fileobj=file, mode="r|*") as archive:
        _unpack(archive, part / "unpacked")
    references: list[str] = []
    for entry in json.loads((part / "unpacked/manifest.json").read_text()):
        config = json.loads((part / "unpacked" / entry["Config"]).read_text())
        tree = part / "tree"
        for layer in entry["Layers"]:
            with tarfile.open(part / "unpacked" / layer) as content:
                _unpack(content, tree)
        for reference in entry["RepoTags"]:
            name, _, tag = reference.rpartition(":")
            described = {
                "name": name,
                "tag": tag,
                "architecture": config.get("architecture", "arm64"),
                "env": config.get("config", {}).get("Env") or [],
                "cmd": config.get("config", {}).get("Cmd") or ["/bin/bash"],
            }
            identity = Path(entry["Config"]).stem
            target = LOADED / identity
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir(parents=True)
            (target / "image.json").write_text(json.dumps(described))
            shutil.copytree(tree, target / "tree", symlinks=True)
            references.append(reference)
    shutil.rmtree(part)
    return references


def save(words: Sequence[str]) -> int:
    """``docker save``."""
    options = read_words("save", words, valued="-o --output")
    name = (options.rest or [""])[0]
    image = image_named(name)
    if image is None:
        raise DockerError(f"Error response from daemon: reference does not exist: {name}", 1)
    config = json.dumps(
        {"architecture": image.architecture, "config": {"Env": image.environment, "Cmd": image.command}}
    ).encode()
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as content:
        content.add(image.tree, arcname=".")
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    manifest = [
        {"Config": f"{image.id}.json", "RepoTags": [image.reference], "Layers": [f"{digest}/layer.tar"]}
    ]
    path = options.value("output")
    members = {
        f"{image.id}.json": config,
        f"{digest}/layer.tar": layer.getvalue(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    with (
        Path(path).open("wb") if path else os.fdopen(1, "wb", closefd=False) as file,
        tarfile.open(fileobj=file, mode="w") as archive,
    ):
        for member, data in members.items():
            entry = tarfile.TarInfo(member)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return 0


def rmi(words: Sequence[str]) -> int:
    """``docker rmi``: only what was loaded or tagged here can go."""
    options = read_words("rmi", words, switches="-f --force")
    status = 0
    for name in options.rest:
        image = image_named(name)
        if image is None:
            print(f"Error: No such image: {name}", file=sys.stderr)
            status = 1
        elif any(container.image_id == image.id for container in containers()):
            print(
                "Error response from daemon: conflict: unable to remove repository reference "
                f'"{name}" (must force)',
                file=sys.stderr,
            )
            status = 1
        elif image.folder.parent != LOADED:
            raise not_emulated("removing the sandbox's own image (break NODE image-missing)", 1)
        else:
            shutil.rmtree(image.folder)
            print(f"Untagged: {image.reference}")
    return status


def tag(words: Sequence[str]) -> int:
    """``docker tag``."""
    if len(words) != 2:
        raise DockerError("\"docker tag\" requires exactly 2 arguments.\nSee 'docker tag --help'.", 1)
    image = image_named(words[0])
    if image is None:
        raise DockerError(f"Error response from daemon: No such image: {words[0]}", 1)
    reference = words[1] if ":" in words[1].rpartition("/")[2] else f"{words[1]}:latest"
    name, _, version = reference.rpartition(":")
    target = LOADED / hashlib.sha256(reference.encode()).hexdigest()
    described = {
        "name": name,
        "tag": version,
        "architecture": image.architecture,
        "env": image.environment,
        "cmd": image.command,
        "id": image.id,
    }
    target.mkdir(parents=True, exist_ok=True)
    (target / "image.json").write_text(json.dumps(described))
    shutil.copytree(image.tree, target / "tree", symlinks=True, dirs_exist_ok=True)
    return 0


COMMANDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "images": list_images,
    "load": load,
    "pull": pull,
    "rmi": rmi,
    "save": save,
    "tag": tag,
}
