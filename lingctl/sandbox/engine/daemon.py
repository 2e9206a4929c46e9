"""The emulated mindieservice_daemon: start, serve, stop, and the exit statuses of each."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.end import ending, legacy_end
from lingctl.sandbox.engine.end.ending import Fate
from lingctl.sandbox.engine.http.listeners import ListenError, Listeners, open_listeners
from lingctl.sandbox.engine.machine.processes import PYTHON_FAILS, ended_children
from lingctl.sandbox.engine.machine.shared_memory import SharedMemory
from lingctl.sandbox.engine.machine.site import this_site
from lingctl.sandbox.engine.nodes import world
from lingctl.sandbox.engine.nodes.follower import follow
from lingctl.sandbox.engine.requests.health import Health, first_interval
from lingctl.sandbox.engine.requests.scheduler import Scheduler
from lingctl.sandbox.engine.requests.service import Service
from lingctl.sandbox.engine.settings.parallel import Aborted
from lingctl.sandbox.engine.settings.sections import Refused
from lingctl.sandbox.engine.start.bring_up import BringUp, EngineFailed, PythonFailed
from lingctl.sandbox.engine.start.started import Started
from lingctl.sandbox.engine.start.startup import configure
from lingctl.sandbox.engine.start.tokenizer_pool import TokenizersFailed, start_tokenizers
from lingctl.sandbox.engine.words import last_words, start_lines
from lingctl.sandbox.engine.words.request_log import RequestLog

_POLL_SECONDS = 0.05
# The fault: the last lines before a SIGKILL are lost with the logger's thread (seen in about half the cases).
CUT_SHORT = "console-cut-short"


class _Interrupted(BaseException):
    """A signal, or a child's end, while starting; model code that catches every Exception does not see it."""


class Daemon:
    """One run of the daemon.

    Args:
        version: 1.0.0 or 3.0.0.
        home: mindie-service of 1.0.0, mindie_llm of 3.0.0.
        config: path of config.json.
    """

    def __init__(self, version: str, home: Path, config: Path, console: Console) -> None:
        self._new = version != "1.0.0"
        self._version, self._home, self._config, self._console = version, home, config, console
        self._memory = SharedMemory()
        self._bring_up = BringUp(version, home, console, self._memory)
        self._fate: Fate | None = None
        self._starting = True
        self._up = False
        self._started: Started | None = None
        self._service: Service | None = None
        self._worker_died = threading.Event()
        self._listeners = Listeners()

    def run(self) -> NoReturn:
        """Start, serve until something ends it, and end by a signal as the real one does."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if self._new:
            signal.signal(signal.SIGCHLD, self._on_child)
        try:
            self._start()
        except _Interrupted:
            pass
        except Refused:
            self._refuse(partial(last_words.endpoint_failed, self._console), legacy_end.refused)
        except Aborted as error:
            for line in error.words:
                self._console.err(line)
            self._fate = Fate(error.signal, raised=True)
        except PythonFailed:
            self._fail_python()
        except EngineFailed:
            self._refuse(self._manager_failed, legacy_end.engine_failed)
        except TokenizersFailed as error:
            self._refuse(partial(error.say, self._console), legacy_end.engine_failed)
        except ListenError as error:
            self._refuse(
                partial(ending.say_listen_error, error, self._console),
                partial(legacy_end.cannot_listen, error),
            )
        self._starting = False
        if self._fate is None:
            self._wait()
        self._end()

    def _start(self) -> None:
        if not self._new:
            self._console.err(f"g_mainPid = {os.getpid()}")
        self._started = configure(self._version, self._config, self._home, self._console)
        self._bring_up.run(self._started)
        if self._started.is_master:
            self._serve(self._started)
        else:
            self._follow(self._started)
        if self._new:
            start_lines.daemon_started(is_master=self._started.is_master, console=self._console)
        else:
            self._console.out("Daemon start success!")
        self._up = True

    # ---- signals

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._fate is None:
            self._fate = Fate(number)
        if self._starting:
            self._starting = False
            raise _Interrupted

    def _on_child(self, number: int, frame: FrameType | None) -> None:
        """A child's end while starting; later ones are looked for."""
        if not self._starting or self._fate is not None:
            return
        children = [child for child in ended_children() if child[1]]
        if children:
            self._starting = False
            self._fate = Fate(signal.SIGCHLD, children=tuple(children), silent=True)
            raise _Interrupted

    def crash(self, words: Sequence[str], number: int = signal.SIGABRT) -> NoReturn:
        """End the daemon from a thread of its own by a signal; the thread never comes back.

        Args:
            words: what the C++ runtime says of it before.
        """
        for line in words:
            self._console.err(line)
        if self._fate is None:
            self._fate = Fate(number, raised=True)
        world.wait_for_ever()

    # ---- serving

    def _serve(self, started: Started) -> None:
        model, text, raw = started.model, started.text, started.raw
        assert model is not None and text is not None
        batch, prefill = raw.schedule["maxBatchSize"], raw.schedule["maxPrefillBatchSize"]
        limits = (batch, raw.schedule["maxPrefillTokens"], prefill or batch)
        control = list(started.registration.links.values()) if started.registration else []
        columns = started.vocabulary_columns(model.shape.vocabulary)
        scheduler = Scheduler(model, started.group, control, columns, limits, self._on_lost_node)
        service = Service(raw, self._version, text, scheduler, model.shape.positions)
        service.worker_died = self._worker_died
        service.crash = self.crash
        if self._new:
            start_tokenizers(raw, self._memory, self._console)
            start_lines.health_checker_begins(self._console)
            service.say_abnormal = partial(ending.say_abnormal, self._console)
            service.log = RequestLog(self._console)
            interval = first_interval(this_site().time_scale)
            service.health = Health(interval, partial(ending.say_normal, self._console))
        else:
            text_ = "[LaunchLlmEngine] Engine started and ready to accept requests."
            self._console.server("INFO", text_)
            legacy_end.watch_slaves(control, started, service.lost_nodes.append)
        self._listeners = open_listeners(raw.server, service, self._home)
        self._service = service

    def _on_lost_node(self) -> None:
        """3.0.0 uses the stream of a slave that is gone, and dies of it (seen); 1.0.0's requests fail."""
        if self._new:
            self.crash((), signal.SIGSEGV)
        self._console.model("ERROR", "a slave node is lost")

    def _follow(self, started: Started) -> None:
        model = started.model
        assert model is not None and started.registration is not None
        master = next(iter(started.registration.links.values()))
        if self._new:
            start_lines.health_checker_begins(self._console)
        worker = self._bring_up.workers[0]

        def finalised() -> None:
            text = "[python thread: infer] model finalized."
            self._console.python("INFO", text, "request_router.py-126", worker)

        def life() -> None:
            if not follow(model, started.group, master, finalised):
                return
            text = "gRPC Slave Worker Thread: stream closed by server"
            self._console.model("INFO", text, "grpc_communicator.cpp:329")

        def old_life() -> None:
            follow(model, started.group, master, lambda: None)
            self._console.model("ERROR", "the master node is lost: closed by the other end")
            self._worker_died.set()

        threading.Thread(target=life if self._new else old_life, name="slave", daemon=True).start()

    def _wait(self) -> None:
        """Until a signal, the end of a child or a client's stopService ends the daemon."""
        while self._fate is None:
            time.sleep(_POLL_SECONDS)
            if self._service is not None and self._service.stopping.is_set():
                self._fate = Fate(signal.SIGTERM)
            if self._worker_died.is_set():
                self._worker_died.clear()
                os.kill(self._bring_up.workers[0], signal.SIGKILL)
            children = [child for child in ended_children() if child[1]]
            if children and self._fate is None:
                self._fate = Fate(signal.SIGCHLD, children=tuple(children))

    # ---- ends

    def _refuse(self, say: Callable[[], None], say_old: Callable[[Console], None]) -> NoReturn:
        """A start that is refused: SIGKILL to the whole process group, status 137. Nothing is cleaned up."""
        if self._new and CUT_SHORT not in this_site().faults:
            say()
        elif not self._new:
            say_old(self._console)
        sys.stdout.flush()
        os.killpg(os.getpgrp(), signal.SIGKILL)
        raise AssertionError("unreachable")

    def _manager_failed(self) -> None:
        assert self._started is not None
        last_words.manager_failed(self._started.raw.backend["backendName"], self._console)
        last_words.endpoint_failed(self._console)

    def _fail_python(self) -> None:
        """The first worker ends with status 1, which ends the daemon like any child's death."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        worker = self._bring_up.workers[0]
        os.kill(worker, PYTHON_FAILS)
        _, status = os.waitpid(worker, 0)
        self._fate = Fate(signal.SIGCHLD, children=((worker, status),))

    def _end(self) -> NoReturn:
        assert self._fate is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if not self._new:
            legacy_end.end(self._fate, self._service, self._listeners, self._bring_up.workers, self._console)
        ending.Ending(
            self._console,
            self._started,
            self._service,
            self._listeners,
            self._bring_up.workers,
            self._memory,
            up=self._up,
        ).run(self._fate)
