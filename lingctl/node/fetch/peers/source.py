"""Files from another machine: this one connects to those that have them, or is connected to by lingctl."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import queue
import socket
import ssl
import threading
from typing import Callable, List, Optional, Tuple

from lingctl.node import kernel
from lingctl.node.fetch.listing import ListedFile
from lingctl.node.fetch.peers.wire import BLOCK, FAILED, WAIT, Channel, TlsTaker, context
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.request import Request, Upstream
from lingctl.node.fetch.sources import NotFetched, OnArrival, OnProgress
from lingctl.node.files import FILE_MODE, blocks_of, system_trouble, write_all, write_whole
from lingctl.node.trouble import Trouble
from lingctl.node.workers import threads

CONNECTIONS = 4
PORT_FILE = "port.json"
_WRITE_BACK = 64 << 20
_CONNECT_SECONDS = 10.0
_PUSH_SECONDS = 60.0
_HANDSHAKE_SECONDS = 20.0


class PeerSource:
    """Several connections side by side; each brings one file after the other, going on from what is here."""

    def __init__(self, request: Request, place: Place) -> None:
        self._request = request
        self._tls = context(place.inside("tls"), "fetch", server=request.source == "push")
        self._round = 0
        self._listener: Optional[socket.socket] = None
        self._place = place

    def listing(self) -> Tuple[ListedFile, ...]:
        """See ``Source.listing``: with machines as sources, it is always given."""
        raise Trouble("a spread needs its list of files", code="usage", exit_status=2)

    def fetch(
        self, files: Tuple[ListedFile, ...], place: Place, progress: OnProgress, arrived: OnArrival
    ) -> List[NotFetched]:
        """See ``Source.fetch``."""
        waiting: queue.SimpleQueue[ListedFile] = queue.SimpleQueue()
        for file in files:
            waiting.put(file)
        failures: List[NotFetched] = []
        is_pushed = self._request.source == "push"
        connect = self._pushed() if is_pushed else self._connect

        def work() -> None:
            at = ""
            try:
                with contextlib.closing(connect()) as channel:
                    while True:
                        file = waiting.get_nowait()
                        at = file.path
                        arrived(file, self._take(channel, file, progress))
            except queue.Empty:
                return
            except Trouble as trouble:
                failures.append(NotFetched(at, trouble, True))
            except OSError as error:
                failures.append(_broken(error, at))

        # Who pushes opens so many; else a machine of many cores takes more, each of which fills one core.
        most = CONNECTIONS if is_pushed else max(CONNECTIONS, threads())
        running = [threading.Thread(target=work, daemon=True) for _ in range(min(most, len(files)))]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        self._round += 1
        return failures

    def _take(self, channel: Channel, file: ListedFile, progress: OnProgress) -> str:
        """Bring a file into the staging folder; its SHA-256."""
        staged = self._place.staged(file)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(f"{staged}.part", flags, FILE_MODE)
        with os.fdopen(descriptor, "r+b", buffering=0) as part:
            sha256, done = hashlib.sha256(), 0
            if os.fstat(part.fileno()).st_size > file.size:
                os.ftruncate(part.fileno(), 0)
            for block in blocks_of(part.fileno()):
                sha256.update(block)
                done += len(block)
            progress(file.path, done)
            if done < file.size:
                channel.send_line({"path": file.path, "offset": done})
            buffer = memoryview(bytearray(BLOCK))
            pushed = done
            while done < file.size:
                count = channel.receive_frame(buffer[: min(BLOCK, file.size - done)])
                if count == FAILED:
                    raise ConnectionError(f"the other machine has no {file.path} to give")
                if count != WAIT:
                    write_all(part, buffer[:count])
                    sha256.update(buffer[:count])
                    done += count
                    progress(file.path, done)
                    if done - pushed >= _WRITE_BACK:
                        kernel.start_writing(part.fileno(), pushed, done - pushed)
                        pushed = done
        os.replace(f"{staged}.part", staged)
        return sha256.hexdigest()

    def _connect(self) -> Channel:
        """A connection to the first upstream that answers; each round begins with another one."""
        upstreams = self._request.upstreams
        turn = self._round % max(1, len(upstreams))
        said: List[str] = []
        for upstream in upstreams[turn:] + upstreams[:turn]:
            try:
                return self._reach(upstream)
            except OSError as error:
                said.append(f"{upstream.host} port {upstream.port}: {error}")
        raise Trouble(
            "no machine that has the files can be reached",
            evidence="\n".join(said),
            remedy="see whether a firewall is between the nodes; --spread-port PORT fixes the port to open",
            code="spread-unreachable",
        )

    def _reach(self, upstream: Upstream) -> Channel:
        sock = socket.create_connection((upstream.host, upstream.port), timeout=_CONNECT_SECONDS)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return Channel(TlsTaker(sock, self._tls, name=upstream.name))
        except OSError:
            sock.close()
            raise

    def _pushed(self) -> Callable[[], Channel]:
        """Connections that lingctl makes to us, through its own SSH connection."""
        listener = self._listener or socket.create_server(("127.0.0.1", 0), backlog=16)
        listener.settimeout(_PUSH_SECONDS)
        if self._listener is None:
            self._listener = listener
            port = {"port": listener.getsockname()[1]}
            write_whole(self._place.inside(PORT_FILE), json.dumps(port).encode())

        def accept() -> Channel:
            try:
                sock, _ = listener.accept()
                # It does not take over the listener's.
                sock.settimeout(_HANDSHAKE_SECONDS)
                return Channel(TlsTaker(sock, self._tls, server_side=True))
            except OSError as error:
                raise Trouble(
                    "the machine that has the files does not connect",
                    evidence=str(error),
                    remedy="run the same command again: it goes on where it stopped",
                    code="spread-unreachable",
                ) from error

        return accept


def _broken(error: OSError, path: str) -> NotFetched:
    if error.errno is not None and not isinstance(error, (ConnectionError, ssl.SSLError, TimeoutError)):
        return NotFetched(path, system_trouble(error, path), False)
    return NotFetched(
        path,
        Trouble(
            "the connection to the other machine broke",
            where=path,
            evidence=str(error) or type(error).__name__,
            code="spread-broken",
        ),
        True,
    )
