"""Talks to Hugging Face through its own client, where that is installed; see ``modelscope_client``."""

from __future__ import annotations

import importlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Dict, List, Mapping

from lingctl.node.fetch.hubs.answers_seen import SeenAnswers
from lingctl.node.fetch.hubs.causes import event_of
from lingctl.node.fetch.hubs.client_side import Counter, end_with_parent, prepare, read_request, say

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_FILES_AT_ONCE = 4


def main() -> int:
    """List or fetch; the exit status is 0 when all went well."""
    verb, request = sys.argv[1], read_request()
    end_with_parent()
    os.environ["HF_HUB_CACHE"] = str(request["cache"])
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if request["endpoint"]:
        os.environ["HF_ENDPOINT"] = str(request["endpoint"])
        # Mirrors speak HTTP only.
        os.environ["HF_HUB_DISABLE_XET"] = "1"
    seen = SeenAnswers()
    try:
        prepare(verb, request)
        from huggingface_hub import HfApi

        seen.watch()
        api = HfApi(endpoint=request["endpoint"] or None, token=request["token"] or None)
        if verb == "list":
            say({"event": "files", "files": _listing(api, request)})
            return 0
        return _fetch(api, request, seen)
    except Exception as error:  # Whatever the library raises is told to the parent.
        say(event_of(error, seen, request))
        return 1


def _listing(api: HfApi, request: Mapping[str, Any]) -> List[Dict[str, object]]:
    info = api.model_info(request["repository"], revision=request["revision"] or None, files_metadata=True)
    return [
        {
            "path": file.rfilename,
            "size": file.size,
            "sha256": file.lfs.sha256 if file.lfs else "",
            "git": "" if file.lfs else file.blob_id,
        }
        for file in info.siblings or []
    ]


def _fetch(api: HfApi, request: Mapping[str, Any], seen: SeenAnswers) -> int:
    def one(file: Mapping[str, Any]) -> bool:
        counter = Counter(file["path"], file["size"])
        try:
            api.hf_hub_download(
                request["repository"],
                file["path"],
                revision=request["revision"] or None,
                local_dir=request["folder"],
                tqdm_class=_counting(counter),
            )
        except Exception as error:  # As above; the other files go on.
            say(event_of(error, seen, request, file["path"]))
            return False
        say({"event": "arrived", "path": file["path"]})
        return True

    with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
        return 0 if all(list(pool.map(one, request["files"]))) else 1


def _counting(counter: Counter) -> Any:  # noqa: ANN401  (a class of tqdm's, which has no types)
    tqdm = importlib.import_module("tqdm.auto").tqdm

    class Counting(tqdm):  # type: ignore[misc,valid-type]  # as above
        """A progress bar that is not drawn."""

        def __init__(self, *arguments: object, **options: object) -> None:
            options["disable"] = True
            super().__init__(*arguments, **options)
            counter.update(int(str(options.get("initial", 0) or 0)))

        def update(self, n: float = 1) -> None:
            """``n`` more bytes are here."""
            counter.update(int(n))

    return Counting


if __name__ == "__main__":
    sys.exit(main())
