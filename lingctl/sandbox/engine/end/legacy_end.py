"""How 1.0.0 ends and fails: words and waits of documents and users' transcripts; no run of it was seen."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.end.ending import Fate
from lingctl.sandbox.engine.http.listeners import ListenError, Listeners
from lingctl.sandbox.engine.machine.processes import end_of, ended_children
from lingctl.sandbox.engine.machine.site import this_site
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.start.started import Started

_UNHEALTHY_SECONDS = 5.0
_SUBPROCESS_SECONDS = 15


def refused(console: Console) -> None:
    """The configuration is refused."""
    console.server("ERROR", "[MIE05E040000] config check failed")
    _last_line(console)


def engine_failed(console: Console) -> None:
    """The engine could not be brought up."""
    server = console.server
    hint = "export MINDIE_LLM_PYTHON_LOG_TO_STDOUT=1 export MINDIE_LLM_PYTHON_LOG_TO_FILE=1 to find error"
    server("ERROR", f": [MIE05E030001] Initialize modelBackends_ failed, {hint} in pythonlog")
    place = "[llm_infer_model_instance.cpp:234]"
    server("ERROR", f"{place} : [LLMInferModelInstance::Init] llmManager_ init fail!")
    text = "LLMInferEngine initialize LLMInferModels failed. please check the error stacks for more details"
    server("ERROR", f"[llm_infer_engine.cpp:48] : [MIE05E040001] [llm_backend] {text}")
    engine = "[MIE04E060108] [backend_manager] Failed to init engine: mindieservice_llm_engine"
    server("ERROR", f"[infer_backend_manager.cpp:272] : {engine}")
    console.out("LLMInferEngine failed to init LLMInferModels")
    _last_line(console)


def cannot_listen(error: ListenError, console: Console) -> None:
    """A port is not free, or an address is not this host's."""
    console.server("ERROR", "Socket bind failed, bind_result is -1. Address already in use")
    console.server("ERROR", "listen port is occupied")
    one = error.wanted[0]
    console.server("ERROR", f"[MIE04E02041C] [endpoint] Failed to listen {one.address}:{one.port}")
    console.server("ERROR", "[MIE04E02011C] [endpoint] Failed to start http wrapper")
    _last_line(console)


def _last_line(console: Console) -> None:
    console.out("ERR: Failed to init endpoint! Please check the service log or console output.")


def watch_slaves(links: Sequence[socket.socket], started: Started, on_lost: Callable[[str], None]) -> None:
    """Call ``on_lost(address)`` when a slave's control connection ends."""

    def watch(address: str, link: socket.socket) -> None:
        with contextlib.suppress(OSError):
            link.recv(1, socket.MSG_PEEK)
        on_lost(address)

    addresses = started.registration.links if started.registration else {}
    for address, link in zip(addresses, links, strict=True):
        threading.Thread(target=watch, args=(address, link), daemon=True).start()


def end(
    fate: Fate, service: Service | None, listeners: Listeners, workers: list[int], console: Console
) -> NoReturn:
    """Unhealthy, a pause, the workers' end, then abort: status 134 is what a requested stop gives."""
    scale = this_site().time_scale
    if fate.children:
        _report_death(fate, console)
    if service is not None:
        service.stopping.set()
    time.sleep(_UNHEALTHY_SECONDS * scale)
    console.err(f"Daemon is killing, please wait about {_SUBPROCESS_SECONDS} seconds...")
    listeners.close(business=True)
    left = [pid for pid in workers if pid not in dict(fate.children)]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    _reap(left, scale, console)
    signal.signal(signal.SIGABRT, signal.SIG_DFL)
    os.abort()


def _report_death(fate: Fate, console: Console) -> None:
    pid, status = fate.children[0]
    console.server("ERROR", f"Received exit signal[17], Process {os.getpid()}")
    code, number = end_of(status)
    name = signal.strsignal(number) if number else ""
    told = f"was terminated by signal {number} ({name})" if number else f"exited normally with status {code}"
    console.server("ERROR", f"Process {pid} {told}")
    text = "Please check the service log or python log."
    console.out(f"ERR: Daemon wait pid with {pid} exit, {text}")
    console.out(f"Reaped child {pid}")


def _reap(workers: list[int], scale: float, console: Console) -> None:
    for second in range(1, _SUBPROCESS_SECONDS + 1):
        deadline = time.monotonic() + max(scale, 0.1)
        while workers and time.monotonic() < deadline:
            for pid, _ in ended_children():
                workers.remove(pid)
                console.out(f"Reaped child {pid}")
            time.sleep(0.01)
        if not workers:
            console.err("All subprocesses exited gracefully.")
            return
        console.err(f"Waiting for subprocess exits for {second}/{_SUBPROCESS_SECONDS} seconds.")
    console.err("Timeout reached, some subprocesses still alive. Force to kill them.")
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
