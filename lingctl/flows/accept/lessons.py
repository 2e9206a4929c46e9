"""What the hardware taught: one small file beside the report, without names, that its owner may send or not.

It holds what lingctl could not read, what was other than in the emulated cluster, and answers to the open
questions. ``write_samples`` makes of it what tests read (tests/hardware).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cache
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any

from lingctl.errors import ConfigurationError
from lingctl.flows.accept.heard_text import HeardText, form_of, skeleton
from lingctl.flows.accept.open_questions import ClusterKind, answers_to
from lingctl.flows.accept.protocol import PartResult
from lingctl.flows.accept.record import as_text, write_kept
from lingctl.flows.run.whole_file import write_file
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.given_file import read_given
from lingctl.node.foreign_json import foreign_json
from lingctl.paths import is_folder, is_there
from lingctl.release.evidence.anonymous import Anonymous, names_in

LESSONS, CONSOLE = "lessons.json", "console"
_EMULATED = "emulated.json"
# The whole file has at most some 300 KB: what does not fit is counted.
_MOST_TEXTS, _MOST_BYTES, _MOST_SENTENCES, _MOST_FIGURES = 60, 160_000, 200, 4_000
_MOST_GIVEN = 4 << 20


def lessons_of(
    cluster: Cluster, kind: ClusterKind, results: Mapping[str, PartResult], lines: Iterable[HeardText]
) -> dict[str, Any]:
    """The file as plain data."""
    heard = [text for result in results.values() for text in result.heard]
    lines = list(lines)
    said = chain((text.said for text in (*heard, *lines)), *(result.sentences for result in results.values()))
    anonymous = Anonymous(chain(names_of(cluster, results), *map(names_in, said)))
    # The emulated engine prints what the real one was recorded to print.
    usual = emulated().get(CONSOLE, ())
    clean = cache(anonymous.text)
    lines = [line for line in lines if skeleton(clean(line.said)) not in usual]
    kept, left_out = _bounded((*heard, *lines), clean)
    results = {
        name: replace(result, sentences=forms_of(result.sentences, anonymous))
        for name, result in results.items()
    }
    differs = list(differences(results))
    answers = answers_to(kind, results)
    return {
        "document": "lessons",
        "version": 1,
        **asdict(kind),
        "seconds": {name: result.seconds for name, result in results.items() if result.done},
        "texts": kept,
        "texts_left_out": left_out,
        "differs_from_emulated": differs[:_MOST_SENTENCES],
        "answers": [_without_names(answer, anonymous) for answer in answers],
    }


def names_of(cluster: Cluster, results: Mapping[str, PartResult]) -> Iterator[tuple[str, str]]:
    """What tells whose cluster it is, as far as hosts.yaml and the nodes name it."""
    versions = (results["versions"].data.get("nodes") or {}) if "versions" in results else {}
    for node in cluster.nodes:
        yield node.name, "node"
        if re.search("[A-Za-z]", str(node.address)):
            yield str(node.address), "host"
        if hostname := (versions.get(node.name) or {}).get("hostname"):
            yield str(hostname), "hostname"
        if node.ssh is not None and getattr(node.ssh, "user", None):
            yield str(node.ssh.user), "user"
    yield cluster.name, "cluster"
    yield cluster.container_name, "container"
    if cluster.ssh.user:
        yield cluster.ssh.user, "user"


def _bounded(texts: Iterable[HeardText], clean: Callable[[str], str]) -> tuple[list[dict[str, Any]], int]:
    kept: list[dict[str, Any]] = []
    room, left_out, seen = _MOST_BYTES, 0, set()
    for text in texts:
        said = clean(text.said)
        if (text.what, said) in seen:
            continue
        seen.add((text.what, said))
        size = len(said.encode("utf-8", "replace"))
        if len(kept) >= _MOST_TEXTS or size > room:
            left_out += 1
            continue
        room -= size
        what, why = clean(text.what), clean(text.why)
        kept.append({**asdict(text), "what": what, "said": said, "why": why})
    return kept, left_out


def _without_names(answer: Mapping[str, object], anonymous: Anonymous) -> dict[str, object]:
    """An answer whose texts, keys too, have no names; figures that are too long are left out."""

    def clean(value: object) -> object:
        if isinstance(value, str):
            return anonymous.text(value)
        if isinstance(value, Mapping):
            return {anonymous.text(str(key)): clean(inner) for key, inner in value.items()}
        return [clean(inner) for inner in value] if isinstance(value, list | tuple) else value

    done = {name: clean(value) for name, value in answer.items()}
    if len(json.dumps(done["figures"], default=str)) > _MOST_FIGURES:
        done["figures"] = {"left_out": "more than fits"}
    return done


def forms_of(sentences: Iterable[str], anonymous: Anonymous) -> tuple[str, ...]:
    """Their forms without names. A name without its number is not known for one: it goes first."""
    return tuple(dict.fromkeys(form_of(anonymous.text(one)) for one in sentences))


def differences(results: Mapping[str, PartResult]) -> Iterator[str]:
    """What no part says in the emulated cluster when all is well."""
    for part, result in results.items():
        for form in result.sentences:
            if form not in emulated().get(part, ()):
                yield f"{part}: {form}"


@cache
def emulated() -> Mapping[str, frozenset[str]]:
    """What each part says in the emulated cluster, recorded there (``make acceptance-faults``)."""
    table = json.loads((files(__package__) / _EMULATED).read_text(encoding="utf-8"))
    return {part: frozenset(said) for part, said in table.items()}


def write_lessons(folder: Path, lessons: Mapping[str, Any]) -> Path:
    """Beside the report; the path."""
    path = folder / LESSONS
    write_kept(path, as_text(lessons, 1))
    return path


def read_lessons(given: Path) -> dict[str, Any]:
    """The lessons in a file or in an acceptance's folder.

    Raises:
        ConfigurationError: there are none, or it is something else.
    """
    path = given / LESSONS if is_folder(given) else given
    try:
        found = foreign_json(read_given(path, _MOST_GIVEN, code="accept-lessons"))
        if found["document"] != "lessons":
            raise KeyError("document")
        for text in found["texts"]:
            HeardText(**text)
    except FileNotFoundError as error:
        raise ConfigurationError("there are no lessons", where=str(path), code="accept-lessons") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError("is no file of lessons", where=str(path), code="accept-lessons") from error
    return dict(found)


def write_samples(lessons: Mapping[str, Any], folder: Path) -> list[Path]:
    """A file for each text, named by its content: those that are there already stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for text in lessons["texts"]:
        sample = {**text, "engine": lessons.get("engine", ""), "expected": "read"}
        digest = hashlib.sha256(f"{text['what']}\0{text['said']}".encode("utf-8", "replace")).hexdigest()
        name = "".join(sign if sign.isalnum() else "-" for sign in f"{text['kind']}-{text['what']}")[:60]
        path = folder / f"{name}-{digest[:10]}.json"
        if not is_there(path):
            write_file(path, as_text(sample, 1), 0o644)
        paths.append(path)
    return paths
