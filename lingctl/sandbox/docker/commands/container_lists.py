"""Commands that look at containers: ps, inspect, logs."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lingctl.sandbox.docker import images
from lingctl.sandbox.docker.commands.describe import inspected_container, inspected_image, listed_container
from lingctl.sandbox.docker.commands.options import Words, read_words
from lingctl.sandbox.docker.commands.templates import render
from lingctl.sandbox.docker.store import Container, container_named, containers, required
from lingctl.sandbox.docker.trouble import DockerError

FORMAT = "-f --format"
_HEADERS = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "RunningFor": "CREATED",
    "Status": "STATUS",
    "Ports": "PORTS",
    "Names": "NAMES",
}


def ps(words: Sequence[str]) -> int:
    """``docker ps``."""
    options = read_words(
        "ps",
        words,
        switches="-a --all, -q --quiet, --no-trunc",
        valued="--format, -f --filter",
    )
    every = containers()
    asks_state = any(text.startswith("status=") for text in options.values("filter"))
    shown = [c for c in every if c.running or options.on("all") or asks_state]
    shown = [c for c in shown if _matches(c, options.values("filter"))]
    rows = [listed_container(container, whole=options.on("no-trunc")) for container in shown]
    return print_rows(rows, options, _HEADERS)


def print_rows(rows: list[dict[str, str]], options: Words, headers: Mapping[str, str]) -> int:
    """Print rows by a template, or as docker's own table, or no more than their ids."""
    template = "{{.ID}}" if options.on("quiet") else options.value("format")
    if template and not template.startswith("table"):
        for listed in rows:
            print(json.dumps(listed) if template == "json" else render(template, listed))
        return 0
    table: list[list[str]] = [list(headers.values()), *([row[key] for key in headers] for row in rows)]
    if template.startswith("table "):
        titles = {key: headers.get(key, key.upper()) for key in (rows[0] if rows else headers)}
        body = template.removeprefix("table ")
        table = [render(body, row).split("\t") for row in [titles, *rows]]
    widths = [max(len(row[column]) for row in table) + 3 for column in range(len(table[0]))]
    for row in table:
        print("".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0


def inspect(words: Sequence[str]) -> int:
    """``docker inspect``: containers, and images where no container has the name."""
    options = read_words("inspect", words, valued=f"{FORMAT}, --type", status=1)
    kind = options.value("type")

    def find(name: str) -> dict[str, Any] | None:
        container = container_named(name) if kind in ("", "container") else None
        if container is not None:
            return inspected_container(container)
        image = images.image_named(name) if kind in ("", "image") else None
        return inspected_image(image) if image is not None else None

    return print_inspected(options, find, f"No such {kind or 'object'}")


def print_inspected(options: Words, find: Callable[[str], dict[str, Any] | None], absent: str) -> int:
    """Print what is found of each name, and tell of the rest, as ``docker inspect`` does."""
    found: list[dict[str, Any]] = []
    missing: list[str] = []
    for name in options.rest:
        described = find(name)
        if described is None:
            missing.append(f"Error: {absent}: {name}")
        else:
            found.append(described)
    if options.value("format"):
        print("\n".join(render(options.value("format"), described) for described in found))
    else:
        print(json.dumps(found, indent=4) if found else "[]")
    sys.stdout.flush()
    for line in missing:
        print(line, file=sys.stderr)
    return 1 if missing else 0


def logs(words: Sequence[str]) -> int:
    """``docker logs``."""
    options = read_words(
        "logs",
        words,
        switches="-f --follow, -t --timestamps",
        valued="-n --tail",
    )
    container = required((options.rest or [""])[0], "Error: No such container: {}")
    seen = 0
    tail = options.value("tail", "all")
    while True:
        now = container_named(container.id)
        ended = now is None or not now.running
        lines = container.log.read_text().splitlines() if container.log.exists() else []
        if seen == 0 and tail.isdecimal():
            seen = max(0, len(lines) - int(tail))
        for line in lines[seen:]:
            entry = json.loads(line)
            stream = sys.stdout if entry["stream"] == "stdout" else sys.stderr
            stream.write((f"{entry['time']} " if options.on("timestamps") else "") + entry["log"])
            stream.flush()
        seen = len(lines)
        if ended or not options.on("follow"):
            return 0
        time.sleep(0.1)


def _matches(container: Container, filters: Sequence[str]) -> bool:
    """Filters of one kind widen, kinds narrow."""
    by_kind: dict[str, list[str]] = {}
    for text in filters:
        kind, _, value = text.partition("=")
        by_kind.setdefault(kind, []).append(value)
    tests: dict[str, Callable[[str], bool]] = {
        # Docker matches names as regular expressions, with and without the leading slash.
        "name": lambda v: bool(re.search(v, container.name) or re.search(v, f"/{container.name}")),
        "id": lambda v: container.id.startswith(v),
        "status": lambda v: container.run.status == v,
        "label": lambda v: _has_label(container, v),
        "ancestor": lambda v: v in (container.image, container.image_id, f"sha256:{container.image_id}"),
        "exited": lambda v: container.run.status == "exited" and str(container.run.exit_code) == v,
    }
    for kind, values in by_kind.items():
        if kind not in tests:
            raise DockerError(f"Error response from daemon: Invalid filter '{kind}'", 1)
        together = all if kind == "label" else any
        if not together(tests[kind](value) for value in values):
            return False
    return True


def _has_label(container: Container, text: str) -> bool:
    name, given, value = text.partition("=")
    return name in container.labels and (not given or container.labels[name] == value)
