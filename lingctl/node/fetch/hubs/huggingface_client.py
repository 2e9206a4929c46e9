"""Talks to Hugging Face through its own client, where that is installed; see ``client_side``."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any, Dict, List

from lingctl.node.fetch.hubs.answers_seen import SeenAnswers
from lingctl.node.fetch.hubs.client_side import Counter, Plain, read_request, serve

if TYPE_CHECKING:
    from huggingface_hub import HfApi


def main() -> int:
    """See ``serve``."""
    request = read_request()
    os.environ["HF_HUB_CACHE"] = str(request["cache"])
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    if request["endpoint"]:
        os.environ["HF_ENDPOINT"] = str(request["endpoint"])
        # Mirrors speak HTTP only.
        os.environ["HF_HUB_DISABLE_XET"] = "1"
    return serve(request, _HuggingFace)


class _HuggingFace:
    def __init__(self, request: Plain, seen: SeenAnswers) -> None:
        from huggingface_hub import HfApi

        seen.watch()
        self._request = request
        self._api: HfApi = HfApi(endpoint=request["endpoint"] or None, token=request["token"] or None)

    def listing(self) -> List[Dict[str, object]]:
        revision = self._request["revision"] or None
        info = self._api.model_info(self._request["repository"], revision=revision, files_metadata=True)
        return [
            {
                "path": file.rfilename,
                "size": file.size,
                "sha256": file.lfs.sha256 if file.lfs else "",
                "git": "" if file.lfs else file.blob_id,
            }
            for file in info.siblings or []
        ]

    def fetch(self, file: Plain) -> None:
        self._api.hf_hub_download(
            self._request["repository"],
            file["path"],
            revision=self._request["revision"] or None,
            local_dir=self._request["folder"],
            tqdm_class=_counting(Counter(file["path"], file["size"])),
        )


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
