"""What a download was asked for. It comes in a file of mode 0600: it may hold a token."""

from __future__ import annotations

import json
import os
from typing import Dict, Mapping, NamedTuple, Optional, Tuple

from lingctl.node.fetch.listing import ListedFile, read_listing
from lingctl.node.files import read_json, write_whole
from lingctl.node.trouble import Trouble

NAME = "request.json"
_TEXTS = ("revision", "endpoint", "proxy", "token", "python", "library", "host", "ca")


class Upstream(NamedTuple):
    """A machine that has the files, or is getting them."""

    name: str  # in its certificate
    host: str  # address
    port: int  # TCP


class Request(NamedTuple):
    """One download into one folder."""

    source: str  # ``modelscope``, ``huggingface`` or ``folder``; ``peer`` and ``push`` between machines
    repository: str  # ``owner/name`` on a hub; the path of a folder
    revision: str = ""  # branch, tag or commit; empty for the hub's default
    endpoint: str = ""  # address of a mirror; empty for the hub's own
    proxy: str = ""  # for HTTP and HTTPS; empty for none but what the environment says
    token: str = ""  # of the hub; empty for none
    python: str = ""  # interpreter that runs the hub's client; empty for the one that runs this
    library: str = ""  # archive that holds the client; empty where the interpreter has it installed
    files: Optional[Tuple[ListedFile, ...]] = None  # the listing, where it is known already
    recheck: bool = False  # read again what was verified before
    upstreams: Tuple[Upstream, ...] = ()  # where to get the files from, best first (``peer``)
    host: str = ""  # address to give the files on to others; empty for not
    port: int = 0  # TCP, for the same; 0 for any
    ca: str = ""  # authorities that are believed beside the usual ones, PEM; empty for none

    def as_json(self) -> Dict[str, object]:
        """Plain data, the inverse of ``parse``."""
        files = None if self.files is None else [file._asdict() for file in self.files]
        return {**self._asdict(), "files": files}


def parse(data: object, where: str) -> Request:
    """A request from plain data. Raises Trouble: it is not one."""
    if not isinstance(data, Mapping):
        raise Trouble("the request is not a mapping", where=where, code="usage", exit_status=2)
    files = data.get("files")
    try:
        upstreams = tuple(Upstream(str(n), str(h), int(p)) for n, h, p in data.get("upstreams", []))
        return Request(
            source=str(data["source"]),
            repository=str(data["repository"]),
            files=None if files is None else read_listing(files, where),
            recheck=data.get("recheck") is True,
            upstreams=upstreams,
            port=int(data.get("port", 0)),
            **{name: str(data.get(name, "")) for name in _TEXTS},
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Trouble(f"the request lacks or garbles {error}", where=where, code="usage") from error


def load(path: str, *, keep: bool = False) -> Request:
    """Read a request file, and unless told to ``keep`` it, take the token out: it is in memory only then.

    Raises:
        Trouble: it is not there, or not a request.
    """
    try:
        data = read_json(path)
    except FileNotFoundError:
        raise Trouble("nothing was asked for here", where=path, code="usage", exit_status=2) from None
    except ValueError as error:
        raise Trouble(f"is not JSON: {error}", where=path, code="usage", exit_status=2) from None
    request = parse(data, path)
    if not keep and (request.token or request.proxy):
        write_whole(path, json.dumps({**data, "token": "", "proxy": ""}).encode())
        os.chmod(path, 0o600)
    return request
