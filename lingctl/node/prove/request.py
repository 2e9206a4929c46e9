"""What is asked of the reference, and what it answered, as files: so that it can be picked up again."""

from __future__ import annotations

import hashlib
import json
from typing import Any, ContextManager, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from lingctl.node.files import kind_of, read_json, read_small, write_whole
from lingctl.node.foreign_json import foreign_json
from lingctl.node.locked import held
from lingctl.node.prove.reference import Sequenced
from lingctl.node.trouble import Trouble

_LARGEST = 64_000_000


class ProofRequest(NamedTuple):
    """What is to be computed."""

    folder: str  # of the weights
    texts: Tuple[Sequenced, ...]
    overrides: Dict[str, object]  # keys of config.json that the service was told otherwise
    digest: str  # of the file


def read_request(path: str) -> ProofRequest:
    """A request as it was put there.

    Raises:
        Trouble: it is none.
        OSError: it cannot be read.
    """
    data = read_small(path, _LARGEST)
    try:
        said = foreign_json(data)
        texts = tuple(
            Sequenced(
                _whole(text["tokens"]),
                _whole([text["prompt"]])[0],
                tuple(_whole(tokens) for tokens in text["asked"]),
            )
            for text in said["texts"]
        )
        good = [len(one.tokens) - one.prompt == len(one.asked) > 0 < one.prompt for one in texts]
        if not texts or not all(good) or not all(asked for one in texts for asked in one.asked):
            raise ValueError("no texts, or one without an answer")
        overrides = dict(said.get("overrides") or {})
        return ProofRequest(str(said["folder"]), texts, overrides, hashlib.sha256(data).hexdigest())
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise Trouble(f"is no request for a proof: {error}", where=path, code="prove-request") from None


def alone(path: str) -> ContextManager[object]:
    """Nobody else answers this request while the block runs. Raises Trouble: somebody does."""
    busy = Trouble(
        "a proof runs there already",
        where=path,
        remedy="the same command picks it up, or wait for its end",
        code="locked",
        exit_status=5,
    )
    return held(f"{path}.lock", busy)


def is_running(path: str) -> bool:
    """Whether somebody is answering this request."""
    if kind_of(f"{path}.lock") == "absent":
        return False
    try:
        with alone(path):
            return False
    except Trouble:
        return True


def stored_answer(path: str, digest: str) -> Optional[Dict[str, Any]]:
    """The answer to this very request, if there is one."""
    if kind_of(_answer(path)) == "absent":
        return None
    try:
        said = read_json(_answer(path), _LARGEST)
    except (Trouble, ValueError):
        return None
    if isinstance(said, dict) and said.get("request") == digest and isinstance(said.get("answer"), dict):
        answer: Dict[str, Any] = said["answer"]
        return answer
    return None


def store_answer(path: str, digest: str, answer: Mapping[str, object]) -> None:
    """Keep an answer, for a caller that lost its connection."""
    write_whole(_answer(path), json.dumps({"request": digest, "answer": answer}).encode())


def _whole(numbers: Sequence[Any]) -> Tuple[int, ...]:
    found: List[int] = [number for number in numbers if type(number) is int]
    if len(found) != len(numbers):
        raise ValueError("a token is no whole number")
    return tuple(found)


def _answer(path: str) -> str:
    return f"{path}.answer"
