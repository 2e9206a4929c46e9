"""The download program of one node, for one folder there: made ready, asked, and listened to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from lingctl.errors import NodeError
from lingctl.flows.weights.client import NEEDS_PYTHON, client_archive, client_digest
from lingctl.node.fetch.listing import HIDDEN
from lingctl.node.fetch.request import NAME, Request
from lingctl.program import pack as node_program
from lingctl.program.answers import Answers, program_error
from lingctl.remote.command import command, script
from lingctl.remote.connection import Connection
from lingctl.remote.upload import WriteFile

Hear = Callable[[Mapping[str, object]], None]
_OLDEST_PYTHON = (3, 9)
_ASK = """
for file in "$1" "$2"; do sha256sum "$file" 2>/dev/null | sed 's/ .*//'; done
for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
  found=$(command -v "$name") || continue
  "$found" -c "import fcntl, sys, importlib.util as u
has = bool(u.find_spec('huggingface_hub'))
print('python', sys.version_info[0], sys.version_info[1], int(has), sys.executable)
try:
    fcntl.flock(open(sys.argv[2]), fcntl.LOCK_SH | fcntl.LOCK_NB)
except BlockingIOError:
    print('running')
except OSError:
    pass
fits = sys.version_info >= (3, 10) and (has or sys.argv[1] != 'huggingface')
sys.exit(not fits)" "$3" "$4" 2>/dev/null && break
done
true
"""


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter on a node."""

    version: tuple[int, int]
    has_huggingface: bool
    path: str


class NodeFetch:
    """See above.

    Attributes:
        node: its name.
        folder: of the weights there.
        library: archive of ModelScope's client there.
        running: whether somebody filled the folder when we came.
    """

    def __init__(self, connection: Connection, state_dir: str, folder: str, hub: str = "") -> None:
        """Look at the node, and push what it lacks: lingctl's program and ModelScope's client.

        Args:
            connection: to the node.
            state_dir: folder for both there.
            folder: of the weights there.
            hub: whose client is needed there, if one is.

        Raises:
            NodeError: no Python there that could run them.
        """
        self.node = connection.node
        self.folder = folder
        self._connection = connection
        self._program = f"{state_dir}/node.pyz"
        self.library = f"{state_dir}/hub-client.zip"
        ask = script(_ASK, self._program, self.library, hub, self._inside("lock"))
        said = connection.run(ask.titled("look for Python and our program"), timeout=60).stdout
        self.running = "running" in said.splitlines()
        self._pythons = _pythons(said)
        self._python = self._first(lambda python: python.version >= _OLDEST_PYTHON)
        if self._python is None:
            raise NodeError(
                "no Python 3.9 or newer is there", where=self.node, remedy="install python3", code="no-python"
            )
        if node_program.digest() not in said:
            connection.put(WriteFile(self._program, node_program.build(), 0o640))
        if hub == "modelscope" and client_digest() not in said:
            connection.put(WriteFile(self.library, client_archive(), 0o640))

    def client_python(self, hub: str) -> str:
        """The interpreter that can run a hub's client.

        Raises:
            NodeError: there is none.
        """
        if hub == "huggingface":
            found = self._first(lambda python: python.has_huggingface)
            what, remedy = "huggingface_hub is not installed there", "pip install huggingface_hub there"
        else:
            found = self._first(lambda python: python.version >= NEEDS_PYTHON)
            needs = ".".join(map(str, NEEDS_PYTHON))
            what, remedy = f"ModelScope's client needs Python {needs}", f"install python{needs} there"
        if found is None:
            raise NodeError(
                what,
                where=self.node,
                remedy=f"{remedy},\nor get the weights from another node: --source node",
                code="client-missing",
            )
        return found.path

    def put_request(self, request: Request) -> None:
        """Write down what is wanted; only its owner may read it, for it may hold a token."""
        content = json.dumps(request.as_json()).encode()
        self._connection.put(WriteFile(self._inside(NAME), content, 0o600))

    def put_keys(self, authority: bytes, keys: Mapping[str, bytes]) -> None:
        """Hand over the certificates of this run, by the name of the program that reads each."""
        self._connection.put(WriteFile(self._inside("tls/ca.pem"), authority, 0o600))
        for name, pem in keys.items():
            self._connection.put(WriteFile(self._inside(f"tls/{name}.pem"), pem, 0o600))

    def call(self, verb: str, *, timeout: float = 60.0, hear: Hear | None = None) -> Mapping[str, object]:
        """Run a verb of ``fetch`` there; its result.

        Args:
            verb: see ``lingctl.node.fetch.program``.
            timeout: seconds.
            hear: gets every event before the result.

        Raises:
            LingctlError: what the program found wrong; see ``program_error``.
            ConnectError: the connection was lost; a program in the background goes on.
            NodeError: it ended without an answer.
        """
        assert self._python is not None
        words = command(self._python.path, self._program, "fetch", verb, self.folder)
        told = Answers(hear)
        done = self._connection.run(words.titled(f"fetch {verb}"), timeout=timeout, on_output=told)
        if told.result is not None:
            return told.result
        if told.trouble is not None:
            raise program_error(told.trouble, self.node)
        raise NodeError(
            f"fetch {verb}: no answer, exit status {done.exit_status}",
            where=self.node,
            evidence=done.last_words(),
            code="command-failed",
        )

    def _first(self, fits: Callable[[Python], bool]) -> Python | None:
        return next((python for python in self._pythons if fits(python)), None)

    def _inside(self, name: str) -> str:
        return str(PurePosixPath(self.folder) / HIDDEN / name)


def _pythons(said: str) -> tuple[Python, ...]:
    found = []
    for line in said.splitlines():
        words = line.split(maxsplit=4)
        if len(words) == 5 and words[0] == "python":
            found.append(Python((int(words[1]), int(words[2])), words[3] == "1", words[4]))
    return tuple(found)
