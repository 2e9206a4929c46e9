"""fetch VERB FOLDER: bring weights into a folder; what is asked for is in FOLDER/.download/request.json."""

from __future__ import annotations

import argparse
import contextlib
import time
from dataclasses import asdict
from typing import Callable, Dict, Optional

from lingctl.node.fetch import background, have
from lingctl.node.fetch.peers.serve import FileServer
from lingctl.node.fetch.peers.source import PORT_FILE
from lingctl.node.fetch.peers.wire import context
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.request import NAME, Request, load
from lingctl.node.fetch.worker import fill, look, source_of
from lingctl.node.files import read_json, system_trouble
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble

_SERVE = "serve"
_WAIT_SECONDS, _PAUSE = 20.0, 0.02


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the program."""
    parser.add_argument("verb", choices=sorted(_VERBS))
    parser.add_argument("folder", help="the folder of the weights")


def run(arguments: argparse.Namespace, report: Report) -> Dict[str, object]:
    """Do what the verb says."""
    return _VERBS[arguments.verb](Place(arguments.folder), report)


def _list(place: Place, report: Report) -> Dict[str, object]:
    """What the source holds. Whoever wants it fetched asks anew: the token does not stay here for that."""
    place.make()
    return {"files": [file._asdict() for file in source_of(_request(place), place).listing()]}


def _have(place: Place, report: Report) -> Dict[str, object]:
    """What this folder holds, if it is whole once what runs there has ended."""
    with contextlib.suppress(Trouble):  # how it ended is looked at now
        _follow(place, report)
    return have.whole_folder(place.folder, report)


def _ready(place: Place, report: Report) -> Dict[str, object]:
    """What a download would have to bring; where others may ask this machine for files, also the port.

    An earlier server is ended first. It runs in the background.
    """
    request = _request(place, keep=True)
    answer = look(place, request.files or ())
    if not request.host or not answer.enough:
        return asdict(answer)
    background.stop(place, _SERVE)
    place.make()
    tls = context(place.inside("tls"), _SERVE, server=True)
    server = FileServer(place, request.files or (), tls, request.host, request.port)
    child = background.begin(place, lambda: _serve(place, server))
    while place.holder(_SERVE) != child.pid:  # by the number that it writes down there it is ended
        if child.ended(_PAUSE):
            raise _nothing_listens(place)
    return {**asdict(answer), "port": server.port}


def _follow(place: Place, report: Report) -> Dict[str, object]:
    """Tell what the background program does until it ends, if one runs."""
    if place.holder() is None:
        return {}
    report({"event": "note", "text": "a download is running there already: following it"})
    return background.follow(place, report)


def _get(place: Place, report: Report) -> Dict[str, object]:
    """Begin in the background unless somebody did, and follow."""
    child = background.start(place, lambda: _fill(place))
    return background.follow(place, report, child)


def _stop(place: Place, report: Report) -> Dict[str, object]:
    """End the background programs."""
    serving = background.stop(place, _SERVE)
    return {"stopped": background.stop(place), "serving": serving}


def _fill(place: Place) -> None:
    """The background program itself: every event goes into the status file, also the last one."""
    request = _request(place)
    with place.locked():
        status = background.StatusFile(place)
        status.write({"event": "started"})
        try:
            result = fill(request, place, status.write)
        except BaseException as error:
            status.write(_trouble_of(error, place).as_event())
            raise
        status.write({"event": "result", **asdict(result)})


def _trouble_of(error: BaseException, place: Place) -> Trouble:
    if isinstance(error, Trouble):
        return error
    if isinstance(error, OSError):
        return system_trouble(error, "" if error.filename else place.folder)
    what = "stopped" if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
    return Trouble(what, where=place.folder, code="stopped")


def _serve(place: Place, server: FileServer) -> None:
    """Give files to other machines until nobody asks any more."""
    with place.locked(_SERVE):
        server.serve()


def _push_port(place: Place, report: Report) -> Dict[str, object]:
    """The port on which a push is awaited, as soon as the background program tells it."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        port = _read_port(place.inside(PORT_FILE))
        if port is not None:
            return {"port": port}
        time.sleep(_PAUSE)
    raise _nothing_listens(place)


def _nothing_listens(place: Place) -> Trouble:
    return Trouble(
        "nothing listens here",
        where=place.folder,
        evidence=place.log_tail(),
        remedy="run the same command again",
        code="spread-listen",
    )


def _read_port(path: str) -> Optional[int]:
    """The port in a file; None while it is not there, or cannot be read as one."""
    try:
        return int(read_json(path)["port"])
    except (FileNotFoundError, Trouble, ValueError, TypeError, KeyError, OverflowError):
        return None


def _request(place: Place, *, keep: bool = False) -> Request:
    return load(place.inside(NAME), keep=keep)


_VERBS: Dict[str, Callable[[Place, Report], Dict[str, object]]] = {
    "list": _list,
    "have": _have,
    "follow": _follow,
    "get": _get,
    "stop": _stop,
    "ready": _ready,
    "push-port": _push_port,
}
