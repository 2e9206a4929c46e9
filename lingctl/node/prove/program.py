"""prove look|encode|run: the answer proof's part on a node.

``look FOLDER...`` says which of the folders holds weights that can be read, and with what; ``encode REQUEST``
makes tokens of texts by the folder's tokenizer; ``run REQUEST`` goes through the model once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
from dataclasses import asdict
from typing import Any, Dict, List, Mapping, Tuple

from lingctl.node.files import kind_of, read_json
from lingctl.node.progress import Report
from lingctl.node.prove.answers import Looked, Reckoned
from lingctl.node.prove.architecture import BailingShape, end_tokens, expected_tensors, shape_of
from lingctl.node.prove.arrays import find_arrays
from lingctl.node.prove.reference import run_reference
from lingctl.node.prove.request import (
    alone,
    is_running,
    read_request,
    store_answer,
    stored_answer,
)
from lingctl.node.prove.stored import StoredTensors
from lingctl.node.prove.tokenizer import encoded, pieces
from lingctl.node.trouble import Trouble
from lingctl.node.weights.contents import contents_of
from lingctl.node.weights.model_config import read_config

_LARGEST_TEXTS = 16_000_000
_FUSED = "model.layers.0.attention.query_key_value.weight"
_NOTHING: Mapping[str, object] = {}
_POLITE = 10  # the service and whoever else is there come first


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the program."""
    parser.add_argument("action", choices=("look", "encode", "run"))
    parser.add_argument("places", metavar="PLACE", nargs="+", help="folders of weights, or the request")
    parser.add_argument("--request", default="", help="of look: also tell whether this one is being answered")
    parser.add_argument("--work", default="", help="folder to write in; that of the request if not given")
    parser.add_argument("--arrays", choices=("", "torch", "numpy"), default="", help="this and no other")


def run(arguments: argparse.Namespace, report: Report) -> Dict[str, object]:
    """Do what was asked; the description is the result. Raises Trouble: it cannot be done."""
    if arguments.action == "look":
        place = _place_of(arguments.request, arguments.work) if arguments.request else ""
        return _look(arguments.places, place, arguments.arrays)
    request, *more = arguments.places
    if more:
        raise Trouble("one request at a time", where=more[0], code="usage", exit_status=2)
    if arguments.action == "encode":
        return _encode(request)
    return _run(request, _place_of(request, arguments.work), arguments.arrays, report)


def _place_of(request: str, work: str) -> str:
    """Where the lock and the answer of a request are, but for their endings."""
    return os.path.join(work, os.path.basename(request)) if work else request


def _look(folders: List[str], place: str, wanted: str) -> Dict[str, object]:
    running = bool(place) and is_running(place)
    folder = _weights(folders)
    with _opened(folder) as (stored, shape, named):
        stored.check(expected_tensors(shape))
        size = sum(place.size for place in stored.places.values())
    return asdict(Looked(folder, named, size, find_arrays(wanted).name, _end_tokens(folder), running))


def _encode(path: str) -> Dict[str, object]:
    try:
        said = read_json(path, _LARGEST_TEXTS)
        folder, texts, chats = str(said["folder"]), [str(text) for text in said["texts"]], said["chats"]
        turns = [[{key: str(turn[key]) for key in ("role", "content")} for turn in chat] for chat in chats]
    except (ValueError, KeyError, TypeError) as error:
        raise Trouble(f"is no request for tokens: {error}", where=path, code="prove-request") from None
    return asdict(encoded(folder, texts, turns))


def _run(path: str, place: str, wanted: str, report: Report) -> Dict[str, object]:
    request = read_request(path)
    earlier = stored_answer(place, request.digest)
    if earlier is not None:
        return earlier
    os.nice(_POLITE)
    with alone(place), _opened(request.folder, request.overrides) as (stored, shape, named):
        arrays = find_arrays(wanted)
        stored.tell(report)
        done = run_reference(arrays, shape, stored, request.texts)
        shown = [token for text in request.texts for token in text.tokens]
        shown += [it.token for text in done.texts for told in text for it in told.choices.values()]
        answer = asdict(Reckoned(**vars(done), pieces=pieces(request.folder, shown), config=named))
        store_answer(place, request.digest, answer)
    return answer


def _weights(folders: List[str]) -> str:
    """The first folder that holds whole safetensors."""
    why: List[Trouble] = []
    for folder in folders:
        contents = contents_of(folder)
        if contents.form == "safetensors" and not contents.troubles:
            return folder
        why += [_is_bin(folder)] if contents.form == "bin" else contents.troubles
    raise Trouble(
        "no weights that the reference can read",
        where=", ".join(folders),
        evidence="\n".join(str(trouble) for trouble in why[:4]),
        remedy=why[0].remedy if why else "",
        code=why[0].code if why and all(one.code == why[0].code for one in why) else "prove-weights",
    )


def _is_bin(folder: str) -> Trouble:
    remedy = (
        f"lingctl convert {shlex.quote(folder)} (on the node) makes safetensors of them: prove again then"
    )
    return Trouble("holds .bin files", where=folder, remedy=remedy, code="prove-bin")


@contextlib.contextmanager
def _opened(folder: str, overrides: Mapping[str, object] = _NOTHING) -> Any:  # noqa: ANN401  (a generator of tensors, shape and the name of its config)
    stored = StoredTensors(folder, contents_of(folder).files)
    try:
        config, named = _config(folder)
        rows = stored.places[_FUSED].shape[0] if _FUSED in stored.places else None
        shape: BailingShape = shape_of({**config, **overrides}, rows, os.path.join(folder, named))
        yield stored, shape, named
    finally:
        stored.close()


def _config(folder: str) -> Tuple[Mapping[str, object], str]:
    """The configuration as it was published, where a deploy wrote its own in its place."""
    for name in ("config.json.bak", "config.json"):
        if kind_of(os.path.join(folder, name)) == "file":
            config, _ = read_config(folder, name)
            if config is not None:
                return config, name
    raise Trouble("no config.json that could be read", where=folder, code="model-config-missing")


def _end_tokens(folder: str) -> Tuple[int, ...]:
    configs = [read_config(folder, name)[0] for name in ("generation_config.json", "config.json")]
    return tuple(dict.fromkeys(token for config in configs for token in end_tokens(config or {})))
