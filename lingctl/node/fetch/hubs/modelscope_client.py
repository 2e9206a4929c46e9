"""Talks to ModelScope through its own client; see ``client_side``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Dict, List

from lingctl.node.fetch.hubs.answers_seen import SeenAnswers
from lingctl.node.fetch.hubs.client_side import Counter, Plain, read_request, serve

if TYPE_CHECKING:
    from modelscope_hub import HubApi

_WEEK = str(7 * 86400)


def main() -> int:
    """See ``serve``."""
    request = read_request()
    # Read by the client when it is imported. Its own limit of an hour a file would end large files on slow
    # lines; one stream a file leaves fast lines unused.
    os.environ.setdefault("MODELSCOPE_DOWNLOAD_TOTAL_TIMEOUT", _WEEK)
    os.environ.setdefault("MODELSCOPE_DOWNLOAD_PARALLEL_WORKERS", "4")
    # Behind a closed firewall each try takes as long as a connection may: three tell enough.
    os.environ.setdefault("MODELSCOPE_REPO_TREE_PAGE_MAX_ATTEMPTS", "3")
    os.environ["MODELSCOPE_CACHE"] = str(request["cache"])
    return serve(request, _ModelScope)


class _ModelScope:
    def __init__(self, request: Plain, seen: SeenAnswers) -> None:
        from modelscope_hub import HubApi

        seen.watch()
        self._request, token = request, request["token"] or None
        endpoint = request["endpoint"] or HubApi(token=token).resolve_endpoint_for_read(
            request["repository"], repo_type="model"
        )
        self._api: HubApi = HubApi(token=token, endpoint=endpoint)

    def listing(self) -> List[Dict[str, object]]:
        found = self._api.list_repo_files(
            self._request["repository"], "model", revision=self._request["revision"] or None, recursive=True
        )
        return [
            {"path": file.path, "size": file.size, "sha256": file.sha256 or ""}
            for file in found
            if file.type != "tree"
        ]

    def fetch(self, file: Plain) -> None:
        entry = {"Path": file["path"], "Size": file["size"], "Sha256": file["sha256"], "Type": "blob"}
        self._api.download_repo(
            self._request["repository"],
            "model",
            revision=self._request["revision"] or None,
            local_dir=self._request["folder"],
            max_workers=1,
            file_list=[entry],
            progress_callbacks=[Counter],  # type: ignore[list-item]  # it has the shape, not the base class
        )


if __name__ == "__main__":
    sys.exit(main())
