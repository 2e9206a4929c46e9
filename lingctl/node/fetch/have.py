"""Whether this machine has weights that it could give to others."""

from __future__ import annotations

from typing import Dict

from lingctl.node.fetch.listing import ListedFile
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble
from lingctl.node.weights.contents import contents_of
from lingctl.node.weights.manifest import make_manifest, read_manifest
from lingctl.node.weights.reading import misfits


def whole_folder(folder: str, report: Report) -> Dict[str, object]:
    """The files of a whole folder of weights, with their sums; what was summed before is not read again.

    Raises:
        Trouble: there is none, or it is damaged.
    """
    contents = contents_of(folder)
    lacking = misfits(folder, contents) if contents.fit.missing else ()
    for trouble in (*contents.troubles, *contents.companions, *lacking):
        raise trouble
    made = make_manifest(folder, report)
    manifest = read_manifest(folder)
    if manifest is None:
        raise Trouble("the manifest just written cannot be read", where=folder, code="weights")
    return {
        "files": [ListedFile(name, it.size, it.sha256)._asdict() for name, it in manifest.items()],
        "digest": made["digest"],
    }
