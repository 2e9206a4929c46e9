"""What a deploy has to know of a weights folder, in seconds at any size: no tensor is read."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import Dict, Optional, Sequence

from lingctl.node.files import kind_of, system_trouble
from lingctl.node.progress import Report
from lingctl.node.trouble import Trouble
from lingctl.node.weights.contents import contents_of
from lingctl.node.weights.expected import layer_shapes
from lingctl.node.weights.manifest import current_manifest, digest_of
from lingctl.node.weights.model_config import read_config
from lingctl.node.weights.modes import wrong_modes


def inspect(folder: str, user: Optional[int] = None) -> Dict[str, object]:
    """Describe ``folder``. A folder that is missing, empty or damaged is an answer, not an error.

    Args:
        folder: of the weights.
        user: number of the user that runs the daemon; who runs this program if not given.

    Returns:
        ``form`` (safetensors, bin, none), ``complete``, ``problem`` (first reason why not), ``problems``,
        ``notes``, ``modes_wrong`` (names that MindIE refuses), ``config`` and ``config_text`` of config.json
        (None and empty where it is missing or no JSON object), ``generation_config`` alike, ``has_backup``
        (config.json.bak is there), ``contradictions`` of config.json and the tensors that no deploy mends
        (other counts of layers or experts, other shapes), ``shapes`` of layer 0's attention weights,
        ``files``, ``tensors``, ``bytes``, and ``digest`` where a manifest still describes the files.

    Raises:
        OSError: a file cannot be read at all.
    """
    contents = contents_of(folder)
    config, text = read_config(folder)
    fit = contents.fit
    lacking = [f"{fit.missing} tensors are missing, such as {fit.missing_names[0]}"] if fit.missing else []
    troubles = (*contents.troubles, *contents.companions)
    problems = [str(trouble) for trouble in troubles] + lacking
    shapes = layer_shapes(contents.tensors)
    manifest = current_manifest(folder) if contents.files else None
    wrong = wrong_modes(folder, user) if kind_of(folder) == "folder" else ()
    return {
        "folder": folder,
        "form": contents.form,
        "complete": contents.form != "none" and not problems,
        "problem": problems[0] if problems else "",
        "problems": problems,
        "notes": list(contents.notes),
        "modes_wrong": [entry.name for entry in wrong],
        "config": config,
        "config_text": text,
        "generation_config": read_config(folder, "generation_config.json")[0],
        "has_backup": kind_of(os.path.join(folder, "config.json.bak")) != "absent",
        "in_the_way": [str(trouble) for trouble in contents.in_the_way],
        "contradictions": list(fit.problems),
        "shapes": {name: list(shape) if shape else None for name, shape in shapes._asdict().items()},
        "files": len(contents.files),
        "tensors": len(contents.tensors),
        "bytes": contents.size,
        "digest": digest_of(manifest) if manifest else "",
    }


def inspect_each(folders: Sequence[str], user: Optional[int], report: Report) -> Dict[str, object]:
    """Describe several folders side by side: the disk of one that does not answer holds up no other's answer.

    Each is told by an event ``folder``, with its ``number`` from 0 and in ``answer`` the last line that it
    would have alone.

    Returns:
        How many ``folders`` were answered: all, for else it does not end.
    """

    def one(number: int) -> None:
        answer = _answer(folders[number], user)
        with contextlib.suppress(BrokenPipeError):  # nobody listens any more: the result meets that too
            report({"event": "folder", "number": number, "answer": answer})

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(len(folders))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"folders": len(folders)}


def _answer(folder: str, user: Optional[int]) -> Dict[str, object]:
    try:
        return {"event": "result", **inspect(folder, user)}
    except Trouble as trouble:
        return dict(trouble.as_event())
    except OSError as error:
        return dict(system_trouble(error, folder if not error.filename else "").as_event())
    except Exception as error:
        what = f"the node program itself failed: {type(error).__name__}: {error}"
        return dict(Trouble(what, where=folder, code="internal").as_event())
