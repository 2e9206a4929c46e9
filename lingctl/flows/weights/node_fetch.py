"""The download program of one node, for one folder there: made ready, given what it needs, and asked."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TypeVar

from lingctl.assets import shell
from lingctl.errors import NodeError
from lingctl.flows.weights.client import NEEDS_PYTHON, client_archive
from lingctl.inventory.cluster import Cluster
from lingctl.node.fetch.answers import Ready
from lingctl.node.fetch.listing import HIDDEN
from lingctl.node.fetch.request import NAME, Request
from lingctl.node.progress import Report
from lingctl.program.prepare import prepare
from lingctl.remote.command import script
from lingctl.remote.connection import Connection
from lingctl.remote.upload import WriteFile

T = TypeVar("T")


class NodeFetch:
    """The program and a folder of one node.

    Attributes:
        node: its name.
        folder: of the weights there.
        library: archive of ModelScope's client there.
    """

    def __init__(self, connection: Connection, cluster: Cluster, folder: str, hub: str = "") -> None:
        """Look at the node, and push what it lacks: lingctl's program and ModelScope's client.

        Args:
            cluster: whose node.
            folder: of the weights there.
            hub: whose client is needed there, if one is.

        Raises:
            NodeError: no Python there that could run them.
        """
        self.node = connection.node
        self.folder = folder
        self.library = f"{cluster.state_dir}/hub-client.zip"
        self._connection = connection
        client = [WriteFile(self.library, client_archive(), 0o640)] if hub == "modelscope" else []
        module = "huggingface_hub" if hub == "huggingface" else ""
        self._program = prepare(connection, cluster.layout.program, files=client, module=module)

    def client_python(self, hub: str) -> str:
        """The interpreter that can run a hub's client. Raises NodeError: there is none."""
        pythons = self._program.pythons
        if hub == "huggingface":
            found = [python.path for python in pythons if python.has_module]
            what, remedy = "huggingface_hub is not installed there", "pip install huggingface_hub there"
        else:
            found = [python.path for python in pythons if python.version >= NEEDS_PYTHON]
            needs = ".".join(map(str, NEEDS_PYTHON))
            what, remedy = f"ModelScope's client needs Python {needs}", f"install python{needs} there"
        if not found:
            raise NodeError(
                what,
                where=self.node,
                remedy=f"{remedy},\nor get the weights from another node: --source node",
                code="client-missing",
            )
        return found[0]

    def put_request(self, request: Request, **tls: bytes) -> None:
        """Write down what is wanted, with the certificates of this run where it needs them.

        Only their owner may read any of it: a request may hold a token.

        Args:
            request: what is wanted.
            tls: ``ca``, the certificate of who issued the others; certificate and key of each program that
                reads one, by its name.
        """
        contents = {f"tls/{name}.pem": pem for name, pem in tls.items()}
        contents[NAME] = json.dumps(request.as_json()).encode()
        folder = PurePosixPath(self.folder) / HIDDEN
        files = [WriteFile(str(folder / name), content, 0o600) for name, content in contents.items()]
        self._connection.put(*files)

    def ready(self, request: Request, **tls: bytes) -> Ready:
        """Put the request, and look what the folder lacks for it; see ``put_request``.

        With an address in the request, the node gives files to others from then on.
        """
        self.put_request(request, **tls)
        return self.ask(Ready, "ready")

    def end_giving(self) -> None:
        """Have the node give no more files; that is not waited for, and who stays ends by itself."""
        lock = str(PurePosixPath(self.folder) / HIDDEN / "serve")
        self._connection.run(script(shell("fetch/end_giving"), lock, self.folder, title="give no more"))

    def ask(self, kind: type[T], verb: str, *, timeout: float = 60.0, hear: Report | None = None) -> T:
        """Run a verb of ``fetch`` there (see ``node.fetch.program``); see ``NodeProgram.ask``."""
        return self._program.ask(kind, "fetch", verb, self.folder, timeout=timeout, hear=hear)
