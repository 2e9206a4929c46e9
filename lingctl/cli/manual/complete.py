"""What a shell offers when Tab is pressed: from this machine alone, in a moment, never a word of trouble."""

from __future__ import annotations

import functools
import os
import re
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from lingctl.cli.manual.examples import EXAMPLES

if TYPE_CHECKING:
    from types import FrameType

    from typer._click.core import Context, Parameter

# A shell asks with this set; ``complete_bash`` and the like want answers, all else is the shell's script.
_ASKED = "_LINGCTL_COMPLETE"
_SECONDS = 3.0  # a folder that hangs must not hold a person's shell
_WORD = re.compile(r"[\w.:/@+-]+")
_Completer = Callable[["Context"], Iterable[str]]


def asks_for_words() -> bool:
    """Whether a shell wants to know what could stand where Tab was pressed."""
    return os.environ.get(_ASKED, "").startswith("complete_")


def words_typed() -> list[str]:
    """What stands behind ``lingctl`` in the line that a shell asks about, as far as it is whole."""
    line = os.environ.get("_TYPER_COMPLETE_ARGS") or os.environ.get("COMP_WORDS", "")
    words = line.split()[1:]
    return words if line[-1:].isspace() else words[:-1]


@functools.cache
def mend_colons() -> str:
    """Put words together that bash took apart at colons (``vllm:0.23.0``).

    Returns:
        What stands before the last colon of the word that is typed, with it: bash puts what comes after it.
    """
    if os.environ.get(_ASKED) != "complete_bash" or ":" not in os.environ.get("COMP_WORDS", ""):
        return ""
    words, place = os.environ["COMP_WORDS"].split("\n"), int(os.environ.get("COMP_CWORD") or 0)
    whole: list[str] = []
    typed = ""
    for at, word in enumerate(words[: place + 1]):
        joins = at > 1 and (word == ":" or words[at - 1] == ":")
        if joins and whole:
            whole[-1] += word
        else:
            whole.append(word)
        typed = whole[-1]
    os.environ["COMP_WORDS"], os.environ["COMP_CWORD"] = "\n".join(whole), str(len(whole) - 1)
    return typed[: typed.rfind(":") + 1]


def be_quiet() -> None:
    """From now on nothing is said on standard error, and the process ends by itself in a moment."""

    def give_up(number: int, frame: FrameType | None) -> None:
        os._exit(0)

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)


def with_completion(parameters: list[Parameter], context: Context) -> list[Parameter]:
    """The same arguments and options, those that are known here with what completes them."""
    names, at = [context.info_name or ""], context.parent
    while at is not None:
        names, at = [at.info_name or "", *names], at.parent
    path = " ".join(names[1:])
    for one in parameters:
        completer = _completer_of(path, one.name or "")
        if completer is not None:
            one._custom_shell_complete = completer
    return parameters


def _completer_of(path: str, name: str) -> Callable[[Context, Parameter, str], list[str]] | None:
    """What completes an argument or option of a verb; None where the shell's own way will do."""
    found = _OF_VERB.get((path, name), _EVERYWHERE.get(name))
    if found is None:
        return None

    def complete(context: Context, parameter: Parameter, incomplete: str) -> list[str]:
        # Whatever goes wrong here, a person who pressed Tab is in the middle of a line.
        with suppress(Exception):
            offered = (one for one in found(context) if one.startswith(incomplete))
            return [one.removeprefix(mend_colons()) for one in offered if _WORD.fullmatch(one)]
        return []

    return complete


def _models(context: Context) -> Iterable[str]:
    from lingctl.inventory.models.catalogue import MODELS

    return [model.name for model in MODELS]


def _hosts(context: Context) -> dict[str, object]:
    """What the hosts.yaml in reach says, as far as it can be read."""
    from lingctl.cli.common import DEFAULT_HOSTS

    return _mapping_in(
        Path(str(context.params.get("nodes") or os.environ.get("LINGCTL_NODES") or DEFAULT_HOSTS))
    )


def _mapping_in(path: Path) -> dict[str, object]:
    from lingctl.inventory.yaml_text.source import read_yaml

    data = read_yaml(path).data
    return data if isinstance(data, dict) else {}


def _names_in(hosts: Mapping[str, object]) -> list[str]:
    nodes = hosts.get("nodes")
    found = [node for node in nodes if isinstance(node, dict)] if isinstance(nodes, list) else []
    return [str(node.get("name") or node.get("address")) for node in found]


def _nodes(context: Context) -> Iterable[str]:
    return _names_in(_hosts(context))


def _sandbox_nodes(context: Context) -> Iterable[str]:
    from lingctl.cli.sandbox import DEFAULT_DIR

    folder = context.params.get("directory") or os.environ.get("LINGCTL_SANDBOX") or DEFAULT_DIR
    return _names_in(_mapping_in(Path(str(folder)) / "hosts.yaml"))


def _faults(context: Context) -> Iterable[str]:
    from lingctl.sandbox.faults import FAULTS

    return [fault.name for fault in FAULTS]


def _releases(context: Context) -> Iterable[str]:
    from lingctl.flows.change.seen_releases import releases_seen

    return releases_seen(str(_hosts(context).get("name")))


def _mindie(context: Context) -> Iterable[str]:
    from lingctl.engines import engine_rows, usual_engine

    usual = usual_engine().about.name
    return [row.version for row in engine_rows() if row.name == usual]


def _emulated(context: Context) -> Iterable[str]:
    return ("1.0.0", "3.0.0")


def _engines(context: Context) -> Iterable[str]:
    from lingctl.engines import engine_rows

    rows = [(row.name, row.version) for row in engine_rows()]
    return [*dict.fromkeys(name for name, _ in rows), *(f"{name}:{version}" for name, version in rows)]


def _engine_names(context: Context) -> Iterable[str]:
    from lingctl.engines import engine_names

    return engine_names()


def _verbs(context: Context) -> Iterable[str]:
    path = "".join(f"{word} " for word in context.params.get("words") or ())
    inner = (verb.removeprefix(path) for verb in EXAMPLES if verb.startswith(path))
    return dict.fromkeys(verb.partition(" ")[0] for verb in inner)


def _codes(context: Context) -> Iterable[str]:
    from lingctl.flows.look.explain.own_codes import known_codes

    return known_codes()


def _checks(context: Context) -> Iterable[str]:
    from lingctl.codes.catalogue import check_names

    return check_names()


def _parts(context: Context) -> Iterable[str]:
    from lingctl.flows.accept.parts import PARTS

    return [part.name for part in PARTS]


def _sources(context: Context) -> Iterable[str]:
    from lingctl.flows.weights.wanted import HUBS

    return (*HUBS, "node")


_EVERYWHERE: dict[str, _Completer] = {
    "model": _models,
    "node": _nodes,
    "mindie": _mindie,
    "engine": _engines,
    "release": _releases,
    "accept": _checks,
    "only": _parts,
    "skip": _parts,
}
# None: words of its own, or nothing that is known here.
_OF_VERB: dict[tuple[str, str], _Completer | None] = {
    ("init", "node"): None,
    ("sandbox up", "engine"): None,
    ("sandbox up", "model"): None,
    ("sandbox up", "mindie"): _emulated,
    ("sandbox break", "node"): _sandbox_nodes,
    ("sandbox heal", "node"): _sandbox_nodes,
    ("sandbox break", "fault"): _faults,
    ("sandbox heal", "fault"): _faults,
    ("engines", "name"): _engine_names,
    ("explain", "engine"): _engine_names,
    ("explain", "what"): _codes,
    ("help", "words"): _verbs,
    ("download", "source"): _sources,
}
