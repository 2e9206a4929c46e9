"""The node program that goes through the model: made ready on a node or here, asked, and followed."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lingctl.engines import engine_of
from lingctl.errors import NodeError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.places import weights_in_container
from lingctl.node.foreign_json import foreign_json
from lingctl.node.progress import Report
from lingctl.node.prove.answers import Encodings, Looked, Reckoned
from lingctl.program.node_program import NodeProgram
from lingctl.program.prepare import InContainer, prepare
from lingctl.program.settings import with_settings
from lingctl.remote.connection import Connection
from lingctl.remote.local import LocalConnection
from lingctl.remote.upload import WriteFile
from lingctl.serving.proof.questions import ProofQuestion

_LOOK_SECONDS = 300.0  # torch takes its time where the disk is slow
_DAY = 86400.0
_MODULE = "numpy"


class ProofNode:
    """The program, the weights and the request of one node.

    Attributes:
        name: the node's.
        looked: what it has.
    """

    def __init__(
        self,
        connection: Connection,
        program: NodeProgram,
        folders: Sequence[str],
        request: str,
        *,
        work: str = "",
        jobs: str = "",
        arrays: str = "",
    ) -> None:
        """Look at it.

        Args:
            folders: where the weights may be, as the program sees them.
            request: file for what is asked; the same for the same questions.
            work: folder that the program may write in; empty for that of the request.
            jobs: folder of jobs; empty where the program ends with this process.
            arrays: ``torch`` or ``numpy``, and no other.

        Raises:
            LingctlError: there are no weights that could be read, or nothing to compute with.
        """
        self.name = connection.node
        self._connection, self._program = connection, program
        self._request, self._jobs = request, jobs
        self._options = [*(["--arrays", arrays] if arrays else []), *(["--work", work] if work else [])]
        words = ["prove", "look", *folders, "--request", request, *self._options]
        self.looked = program.ask(Looked, *words, timeout=_LOOK_SECONDS)

    def encode(self, texts: Sequence[str], questions: Sequence[ProofQuestion] = ()) -> Encodings:
        """Tokens of texts, and of conversations of one turn, by the tokenizer of the weights."""
        chats = [[{"role": "user", "content": question.text}] for question in questions]
        path = f"{self._request}.texts"
        self._put(path, {"folder": self.looked.folder, "texts": list(texts), "chats": chats})
        return self._program.ask(Encodings, "prove", "encode", path, timeout=_LOOK_SECONDS)

    def ask_for(self, said: Mapping[str, object]) -> None:
        """Write down what is asked."""
        self._put(self._request, {**said, "folder": self.looked.folder})

    def asked(self) -> Mapping[str, Any]:
        """What was asked there before. Raises NodeError: that cannot be read."""
        try:
            said = foreign_json(self._connection.get(self._request))
        except ValueError as error:
            raise self.unreadable(str(error)) from error
        if not isinstance(said, dict):
            raise self.unreadable("no JSON object")
        return said

    def unreadable(self, why: str) -> NodeError:
        """The error of a request that cannot be read."""
        return NodeError(
            "the request of the proof that runs there cannot be read",
            where=f"{self.name} {self._request}",
            evidence=why,
            code="prove-request",
        )

    def reckon(self, hear: Report) -> Reckoned:
        """Go through the model, or pick up where that is under way.

        Raises:
            ConnectError: the connection was lost; on a node it goes on.
            LingctlError: what the program found wrong.
        """
        words = ["prove", "run", self._request, *self._options]
        return self._program.ask(Reckoned, *words, timeout=_DAY, hear=hear, jobs=self._jobs)

    def _put(self, path: str, said: Mapping[str, object]) -> None:
        content = json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass")
        self._connection.put(WriteFile(path, content, 0o640))


def request_name(questions: Sequence[ProofQuestion], kind: str, model: str) -> str:
    """The same for the same questions, so that a second call finds the first one's work."""
    said = json.dumps([kind, model, *([one.text, one.max_tokens] for one in questions)])
    return hashlib.sha256(said.encode()).hexdigest()[:12]


def on_node(
    connection: Connection, cluster: Cluster, name: str, *, host: bool, arrays: str = ""
) -> ProofNode:
    """The program in a node's container, whose Python has torch; or on the node itself.

    Raises:
        LingctlError: as ``ProofNode``; or the container does not run, or there is no Python.
    """
    folders = [cluster.downloaded_weights, cluster.converted_weights]
    where = None
    if not host:
        folders = [weights_in_container(cluster, folder) for folder in folders]
        where = InContainer(
            cluster.runtime,
            cluster.container_name,
            lacking="nothing to read the weights with",
            code="prove-no-container",
        )
    layout = cluster.layout
    through = () if host else with_settings(engine_of(cluster).about.set_env)
    program = prepare(connection, layout.program, where, through=through, module=_MODULE)
    request = f"{cluster.state_dir}/prove/{name}-{connection.node}.json"
    # The container may write in the daemon's folder alone; and what it may write, root on the node does not.
    work = "" if host else layout.run
    return ProofNode(connection, program, folders, request, work=work, jobs=layout.jobs, arrays=arrays)


def here(weights: Path, scratch: Path, *, arrays: str = "") -> ProofNode:
    """The program on this machine, by the Python that runs lingctl, else by one that has numpy.

    Raises:
        LingctlError: as ``ProofNode``; or there is no Python.
    """
    connection = LocalConnection()
    if find_spec("torch") or find_spec("numpy"):
        program = NodeProgram(connection, sys.executable, "-m", "lingctl.node")
    else:
        program = prepare(connection, str(scratch / "node.pyz"), None, module=_MODULE)
    return ProofNode(connection, program, [str(weights)], str(scratch / "request.json"), arrays=arrays)
