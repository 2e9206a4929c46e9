"""The emulated mindieservice_daemon: start, serve, stop, and the exit statuses of each."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.framing import LinkLost
from lingctl.sandbox.engine.listeners import ListenError, open_listeners
from lingctl.sandbox.engine.processes import DAEMON, dead_worker, name_process
from lingctl.sandbox.engine.scheduler import Scheduler, follow
from lingctl.sandbox.engine.server_config import Refused
from lingctl.sandbox.engine.service import Service
from lingctl.sandbox.engine.site import this_site
from lingctl.sandbox.engine.startup import (
    EngineFailed,
    Started,
    Startup,
    vocabulary_columns,
    watch_slaves,
)
from lingctl.sandbox.engine.surroundings import missing_library

_UNHEALTHY_SECONDS = 5.0
_SUBPROCESS_SECONDS = 15
_ARGUMENTS = ("--config-file", "--expert-parallel")


class _Terminated(Exception):
    """SIGTERM or SIGINT while starting."""


class Daemon:
    """One run of the daemon.

    Args:
        version: 1.0.0 or 3.0.0.
        home: mindie-service of 1.0.0, mindie_llm of 3.0.0.
        config: path of config.json.
    """

    def __init__(self, version: str, home: Path, config: Path) -> None:
        self._new = version != "1.0.0"
        self._version, self._home = version, home
        self._console = Console(version, home)
        self._startup = Startup(version, config, home, self._console)
        self._stop = threading.Event()
        self._worker_died = threading.Event()
        self._starting = True
        self._service: Service | None = None
        self._listeners: list[ThreadingHTTPServer] = []

    def run(self) -> NoReturn:
        """Start, serve until told to stop, and end by a signal as the real one does."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)
        self._console.err(f"g_mainPid = {os.getpid()}")
        if self._new:
            self._console.out("LogLevelDynamicHandler start")
        try:
            started = self._startup.configure()
            self._startup.bring_up(started)
            self._serve(started)
        except Refused:
            self._fail(engine=False)
        except (EngineFailed, ListenError) as error:
            self._tell(error)
            self._fail(engine=True)
        except _Terminated:
            self._end()
        self._console.out("Daemon start success!")
        self._starting = False
        self._wait()
        self._end()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()
        if self._starting:
            self._starting = False
            raise _Terminated

    def _serve(self, started: Started) -> None:
        model, text = started.model, started.text
        assert model is not None and text is not None
        if not started.group.is_master:
            assert started.registration is not None
            master = next(iter(started.registration.links.values()))
            slave = "Multi Nodes infer slave instance need not init TokenizerProcessPool and HttpWrapper"
            if self._new:
                self._console.out(slave)

            def life() -> None:
                try:
                    follow(model, started.group, master)
                except LinkLost as error:
                    self._console.model("ERROR", f"the master node is lost: {error}")
                self._worker_died.set()

            threading.Thread(target=life, name="slave", daemon=True).start()
            return
        raw = started.raw
        batch, prefill = raw.schedule["maxBatchSize"], raw.schedule["maxPrefillBatchSize"]
        limits = (batch, raw.schedule["maxPrefillTokens"], prefill or batch)
        control = list(started.registration.links.values()) if started.registration else []
        columns = vocabulary_columns(started, model.shape.vocabulary)
        lost = partial(self._console.model, "ERROR", "a slave node is lost")
        scheduler = Scheduler(model, started.group, control, columns, limits, lost)
        service = Service(raw, self._version, text, scheduler, model.shape.positions)
        service.worker_died = self._worker_died
        watch_slaves(started, service.lost_nodes.append)
        self._console.server("INFO", "[LaunchLlmEngine] Engine started and ready to accept requests.")
        if self._new:
            self._console.out("LogLevelDynamicHandler start")
        self._listeners = open_listeners(raw.server, service, self._home)
        self._service = service

    def _wait(self) -> None:
        while not self._stop.wait(0.05):
            if self._service is not None and self._service.stopping.is_set():
                return
            if self._worker_died.is_set() and self._startup.workers:
                os.kill(self._startup.workers[0], signal.SIGKILL)
                self._worker_died.clear()
            found = dead_worker(self._startup.workers)
            if found:
                self._report_death(*found)
                return

    def _report_death(self, pid: int, status: int) -> None:
        self._console.server("ERROR", f"Received exit signal[17], Process {os.getpid()}")
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            name = signal.strsignal(number)
            self._console.server("ERROR", f"Process {pid} was terminated by signal {number} ({name})")
        else:
            self._console.server(
                "ERROR", f"Process {pid} exited normally with status {os.WEXITSTATUS(status)}"
            )
        if not self._new:
            text = "Please check the service log or python log."
            self._console.out(f"ERR: Daemon wait pid with {pid} exit, {text}")
        self._console.out(f"Reaped child {pid}")

    def _end(self) -> NoReturn:
        """Unhealthy, a pause, the workers' end, then abort: status 134 is what a requested stop gives."""
        scale = this_site().time_scale
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        if self._service is not None:
            self._service.stopping.set()
        time.sleep(_UNHEALTHY_SECONDS * scale)
        self._console.err(f"Daemon is killing, please wait about {_SUBPROCESS_SECONDS} seconds...")
        for listener in self._listeners:
            listener.server_close()
        workers = self._startup.workers
        for pid in workers:
            os.kill(pid, signal.SIGTERM)
        self._reap(workers, scale)
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        os.abort()

    def _reap(self, workers: list[int], scale: float) -> None:
        for second in range(1, _SUBPROCESS_SECONDS + 1):
            deadline = time.monotonic() + max(scale, 0.1)
            while workers and time.monotonic() < deadline:
                found = dead_worker(workers)
                if found:
                    self._console.out(f"Reaped child {found[0]}")
                else:
                    time.sleep(0.01)
            if not workers:
                self._console.err("All subprocesses exited gracefully.")
                return
            self._console.err(f"Waiting for subprocess exits for {second}/{_SUBPROCESS_SECONDS} seconds.")
        self._console.err("Timeout reached, some subprocesses still alive. Force to kill them.")
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def _tell(self, error: Exception) -> None:
        """What the service's log says of an engine that did not start."""
        server = self._console.server
        if isinstance(error, ListenError):
            server("ERROR", "Socket bind failed, bind_result is -1. Address already in use")
            server("ERROR", "listen port is occupied")
            server("ERROR", f"[MIE04E02041C] [endpoint] Failed to listen {error.address}:{error.port}")
            server("ERROR", "[MIE04E02011C] [endpoint] Failed to start http wrapper")
            return
        if self._new:
            server("ERROR", "[MIE04E06011C] Failed to init engine: mindieservice_llm_engine")
            return
        hint = "export MINDIE_LLM_PYTHON_LOG_TO_STDOUT=1 export MINDIE_LLM_PYTHON_LOG_TO_FILE=1 to find error"
        server("ERROR", f": [MIE05E030001] Initialize modelBackends_ failed, {hint} in pythonlog")
        server(
            "ERROR",
            "[llm_infer_model_instance.cpp:234] : [LLMInferModelInstance::Init] llmManager_ init fail!",
        )
        text = (
            "LLMInferEngine initialize LLMInferModels failed. please check the error stacks for more details"
        )
        server("ERROR", f"[llm_infer_engine.cpp:48] : [MIE05E040001] [llm_backend] {text}")
        engine = "[MIE04E060108] [backend_manager] Failed to init engine: mindieservice_llm_engine"
        server("ERROR", f"[infer_backend_manager.cpp:272] : {engine}")
        self._console.out("LLMInferEngine failed to init LLMInferModels")

    def _fail(self, *, engine: bool) -> NoReturn:
        """The end of a start that failed: SIGKILL to the whole process group, status 137."""
        text = "Failed to init endpoint! Please check the service log or console output."
        if self._new:
            self._console.server("ERROR", text)
        else:
            if not engine:
                self._console.server("ERROR", "[MIE05E040000] config check failed")
            self._console.out(f"ERR: {text}")
        sys.stdout.flush()
        os.killpg(os.getpgrp(), signal.SIGKILL)
        raise AssertionError("unreachable")


def main(version: str, program: str) -> int:
    """Run the daemon of a version as the program at that path; returns only where it cannot begin."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    name_process(DAEMON)
    home = Path(program).resolve().parent.parent
    library = missing_library(version, home)
    if library:
        print(library, file=sys.stderr, flush=True)
        return 127
    options: dict[str, str] = {}
    rest = sys.argv[1:]
    while rest:
        key = rest.pop(0)
        if key not in _ARGUMENTS or not rest:
            text = (
                f"Missing value for key: {key}" if key in _ARGUMENTS else "Unrecognized command-line argument"
            )
            Console(version, home).server("ERROR", f"{text}, expect [{', '.join(_ARGUMENTS)}]")
            return 255
        options[key] = rest.pop(0)
    stated = options.get("--config-file") or os.environ.get("MIES_CONFIG_JSON_PATH")
    daemon = Daemon(version, home, Path(stated) if stated else home / "conf/config.json")
    return daemon.run()
