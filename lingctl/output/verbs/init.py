"""The dialogue of ``lingctl init``: a question at a time, each answer judged at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from lingctl.errors import LingctlError
from lingctl.flows.files.start_file import (
    StartFile,
    example_nodes,
    need_engine,
    need_key,
    need_model,
    need_nodes,
    need_user,
    start_file,
)
from lingctl.output.questions import typed_line
from lingctl.output.screen.terminal import conversation, say, words

T = TypeVar("T")


class NotAgreed(Exception):
    """The person ended the dialogue (Ctrl-D), or the terminal is gone."""


def ask_for_start(given: StartFile, asked: frozenset[str], output: Path) -> str:
    """The text of hosts.yaml that a person agreed to.

    Args:
        given: what is known already; the rest are the defaults of the questions.
        asked: names of the fields that are to be asked for.
        output: where it will be written.

    Raises:
        NotAgreed: they did not agree.
        LingctlError: what is given cannot be.
    """
    start_file(given, judged=False)  # a wrong option is told before any question
    say("Enter takes what stands in brackets; Ctrl-C ends this, and nothing is written.")
    wish, text = given, ""
    while not text:
        wish = _answered(wish, asked)
        try:
            text = start_file(wish)
        except LingctlError as error:
            _tell(error)
            if not asked & {"nodes", "model", "engine"}:
                raise
    say(f"{output} will say this, and show every other setting as a comment:")
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            conversation().print(words(f"  {line.partition('  #')[0].rstrip()}"), soft_wrap=True)
    if not _ask("write it (y or n)", "y", _yes_or_no):
        raise NotAgreed
    return text


def _answered(wish: StartFile, asked: frozenset[str]) -> StartFile:
    """What is wished for after all questions, whose defaults are those of ``wish``."""
    if "nodes" in asked:
        shown = " ".join(wish.nodes or example_nodes(wish.model))
        wish = replace(wish, nodes=_ask("addresses of the machines", shown, need_nodes))
    if "user" in asked:
        said = _ask("login name there, - for ssh's own", wish.user or "-", _or_none(need_user))
        wish = replace(wish, user=said)
    if "key" in asked:
        said = _ask("key file here, - for the agent's or ssh's own", wish.key or "-", _or_none(need_key))
        wish = replace(wish, key=said)
    if "model" in asked:
        wish = replace(wish, model=_ask("model", wish.model, need_model))
    if "engine" in asked:
        wish = replace(wish, engine=_ask("engine", need_engine(wish.engine), need_engine))
    return wish


def _tell(error: LingctlError) -> None:
    say(f"  {error.what}", style="yellow")
    for line in error.remedy.splitlines():
        say(f"  fix: {line}")


def _ask(question: str, default: str, judge: Callable[[str], T]) -> T:
    """Ask until the answer can be."""
    while True:
        said = typed_line(f"{question} [{default}]: ")
        if said is None:
            raise NotAgreed
        try:
            return judge(said or default)
        except LingctlError as error:
            _tell(error)


def _or_none(judge: Callable[[str], str]) -> Callable[[str], str]:
    return lambda said: judge("" if said == "-" else said)


def _yes_or_no(said: str) -> bool:
    if said.lower() not in ("y", "yes", "n", "no"):
        raise LingctlError("that is neither y nor n")
    return said.lower() in ("y", "yes")
