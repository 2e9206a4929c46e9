"""A service is proved here, by the node program without a process of its own: a proof asks it thrice.

As it is started, tests/prove/test_flow.py and the engines of test_sandbox.py show.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

from lingctl.events import ignore
from lingctl.flows.serve import proof_node
from lingctl.flows.serve.proof_texts import ProofOptions
from lingctl.flows.serve.prove import ProofReport, prove_endpoint
from lingctl.node.prove import program
from lingctl.node.trouble import Trouble
from lingctl.remote.command import Command
from lingctl.remote.completed import Completed, OutputListener
from lingctl.remote.local import LocalConnection
from tests.prove.service import Telling, serving

_PROGRAM = [sys.executable, "-m", "lingctl.node", "prove"]


class _Here(LocalConnection):
    """This machine, where the node program is called and not started."""

    def run(
        self, command: Command, *, timeout: float = 60.0, on_output: OutputListener | None = None
    ) -> Completed:
        words = shlex.split(command.text)
        assert words[: len(_PROGRAM)] == _PROGRAM
        parser = argparse.ArgumentParser()
        program.add_arguments(parser)
        events: list[Mapping[str, object]] = []
        try:
            result = program.run(parser.parse_args(words[len(_PROGRAM) :]), events.append)
            events.append({"event": "result", **result})
            status = 0
        except Trouble as trouble:
            events.append(trouble.as_event())
            status = trouble.exit_status
        said = "".join(f"{json.dumps(event)}\n" for event in events)
        if on_output is not None:
            on_output(said.encode())
        return Completed(command, status, said, "")


def proved(folder: Path, weights: Path, telling: Telling, length: int) -> ProofReport:
    """What a proof says of a service, by its answers to prompts that are given as tokens."""
    prompts = folder / "prompts.txt"
    prompts.write_text("\n".join(telling.said) + "\n")
    options = ProofOptions(kind="base", prompts=prompts, max_tokens=length, arrays="numpy")
    with (
        patch.object(proof_node, "LocalConnection", _Here),
        patch.object(program, "_POLITE", 0),  # the worker of pytest has no reason to be
        serving(telling) as endpoint,
    ):
        return prove_endpoint(endpoint, weights, options, ignore)
