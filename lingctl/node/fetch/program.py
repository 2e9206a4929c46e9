"""fetch VERB FOLDER: bring weights into a folder; what is asked for is in FOLDER/.download/request.json."""

from __future__ import annotations

import argparse
import os
from typing import Dict

from lingctl.node.convert.meter import Report
from lingctl.node.fetch import background
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.request import NAME, Request, listing_json, load
from lingctl.node.fetch.sources import source_of
from lingctl.node.fetch.worker import fill, look
from lingctl.node.trouble import Trouble

_VERBS = ("list", "look", "start", "get", "follow", "run", "stop")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the program."""
    parser.add_argument("verb", choices=_VERBS)
    parser.add_argument("folder", help="the folder of the weights")
    parser.add_argument("--seconds", type=float, help="follow no longer than this")


def run(arguments: argparse.Namespace, report: Report) -> Dict[str, object]:
    """Do what the verb says."""
    verb, folder = arguments.verb, os.path.abspath(arguments.folder)
    if verb == "follow":
        return background.follow(folder, report, seconds=arguments.seconds)
    if verb == "stop":
        return {"stopped": background.stop(folder)}
    if verb == "start":
        return {"started": background.start(folder, "run")}
    if verb == "get":
        background.start(folder, "run")
        return background.follow(folder, report)
    request = load(Place(folder).inside(NAME))
    if verb == "list":
        return {"files": listing_json(source_of(request, _made(folder)).listing())}
    if verb == "look":
        return look(folder, request.files or ())
    with _made(folder).locked():
        return _run(request, folder)


def _run(request: Request, folder: str) -> Dict[str, object]:
    """The background program itself: every event goes into the status file, also the last one."""
    place = Place(folder)
    status = background.StatusFile(place)
    status.write({"event": "started"})
    try:
        result = fill(request, place, status.write)
    except Trouble as trouble:
        status.write(trouble.as_event())
        raise
    except BaseException as error:
        what = "stopped" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
        ended = Trouble(what, where=folder, remedy="run it again: it goes on", code="stopped")
        status.write(ended.as_event())
        raise
    status.write({"event": "result", **result})
    return result


def _made(folder: str) -> Place:
    place = Place(folder)
    place.make()
    return place
