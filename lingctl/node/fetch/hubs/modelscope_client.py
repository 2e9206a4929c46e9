"""Talks to ModelScope through its own client; runs as a process of its own.

The only modules in ``lingctl.node`` that use a library are the two clients: nothing imports them, and they
run where their library is. Standard input holds one request; standard output gets JSON lines.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Dict, List, Mapping

from lingctl.node.fetch.hubs.answers_seen import SeenAnswers
from lingctl.node.fetch.hubs.causes import event_of
from lingctl.node.fetch.hubs.client_side import Counter, end_with_parent, prepare, read_request, say

if TYPE_CHECKING:
    from modelscope_hub import HubApi

_WEEK = str(7 * 86400)
_FILES_AT_ONCE = 4


def main() -> int:
    """List or fetch; the exit status is 0 when all went well."""
    verb, request = sys.argv[1], read_request()
    end_with_parent()
    # Read by the client when it is imported. Its own limit of an hour a file would end large files on slow
    # lines; one stream a file leaves fast lines unused.
    os.environ.setdefault("MODELSCOPE_DOWNLOAD_TOTAL_TIMEOUT", _WEEK)
    os.environ.setdefault("MODELSCOPE_DOWNLOAD_PARALLEL_WORKERS", "4")
    # Behind a closed firewall each try takes as long as a connection may: three tell enough.
    os.environ.setdefault("MODELSCOPE_REPO_TREE_PAGE_MAX_ATTEMPTS", "3")
    os.environ["MODELSCOPE_CACHE"] = str(request["cache"])
    seen = SeenAnswers()
    try:
        prepare(verb, request)
        api = _connect(request, seen)
        if verb == "list":
            say({"event": "files", "files": _listing(api, request)})
            return 0
        return _fetch(api, request, seen)
    except Exception as error:  # Whatever the library raises is told to the parent.
        say(event_of(error, seen, request))
        return 1


def _connect(request: Mapping[str, Any], seen: SeenAnswers) -> HubApi:
    from modelscope_hub import HubApi

    seen.watch()
    token = request["token"] or None
    if request["endpoint"]:
        return HubApi(token=token, endpoint=request["endpoint"])
    api = HubApi(token=token)
    endpoint = api.resolve_endpoint_for_read(request["repository"], repo_type="model")
    return HubApi(token=token, endpoint=endpoint)


def _listing(api: HubApi, request: Mapping[str, Any]) -> List[Dict[str, object]]:
    found = api.list_repo_files(
        request["repository"], "model", revision=request["revision"] or None, recursive=True
    )
    return [
        {"path": file.path, "size": file.size, "sha256": file.sha256 or ""}
        for file in found
        if file.type != "tree"
    ]


def _fetch(api: HubApi, request: Mapping[str, Any], seen: SeenAnswers) -> int:
    def one(file: Mapping[str, Any]) -> bool:
        entry = {"Path": file["path"], "Size": file["size"], "Sha256": file["sha256"], "Type": "blob"}
        try:
            api.download_repo(
                request["repository"],
                "model",
                revision=request["revision"] or None,
                local_dir=request["folder"],
                max_workers=1,
                file_list=[entry],
                progress_callbacks=[Counter],  # type: ignore[list-item]  # it has the shape, not the base class
            )
        except Exception as error:  # As above; the other files go on.
            inner = next(iter(getattr(error, "failed_files", {}).values()), error)
            say(event_of(inner, seen, request, file["path"]))
            return False
        say({"event": "arrived", "path": file["path"]})
        return True

    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        return 0 if all(list(pool.map(one, request["files"]))) else 1


if __name__ == "__main__":
    sys.exit(main())
