"""What 3.0.0 says while it ends, line by line as the real one on a CPU (seen); no line changes anything."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.machine.processes import end_of
from lingctl.sandbox.engine.words.start_lines import exit_signal

SUBPROCESS_SECONDS = 15
_DAEMON = "llm_daemon.cpp"
_WARN = "[MIE04W01011A] [daemon]"


def endpoint_failed(console: Console, *, why: str = "", place: str = "endpoint.cpp:45") -> None:
    """A start that was refused, from its general line to the last one before the daemon kills its group.

    On the real thing some or all of these may be missing, because the logger's thread is killed as well.
    """
    text = why or "Failed to init infer model instance"
    console.server("ERROR", f"[MIE04E02011C] [endpoint] {text}", place)
    console.audit("system", "Start mindie server", "fail")
    console.audit("system", "start endpoint", "fail")
    console.audit("system", "start mindie server", "fail")
    text = "Failed to init endpoint! Please check the service log or console output."
    console.server("ERROR", f"[MIE04E01011C] [daemon] {text}", f"{_DAEMON}:318")


def manager_failed(backend: str, console: Console) -> None:
    """An engine whose manager could not be made; read in the source, not seen."""
    head = "[MIE05E040001] [infer_instance]"
    console.server("ERROR", f"{head} llmManager init fail!", "infer_instances.cpp:106")
    console.audit("system", f"Start InferInstance({backend})", "fail")
    text = f"[MIE04E06011C] [infer_instance] Failed to init InferInstance id 0, backendName {backend}"
    console.server("ERROR", text, "infer_instances.cpp:64")


def received(number: int, console: Console) -> None:
    """A signal has come."""
    console.server("WARN", f"{_WARN} Received exit signal[{number}]", f"{_DAEMON}:192")


def signal_handled(console: Console) -> None:
    """The handler has told the health checker, and lets the endpoint stop for five seconds."""
    names = "SIGSEGV、SIGABRT、SIGINT、SIGTERM"
    text = f"{_WARN} Successfully handled one of {names}, now killing process group"
    console.server("WARN", text, f"{_DAEMON}:207")


def turned_abnormal(console: Console) -> None:
    """The health checker is told that the daemon ends."""
    head = "[health_checker] HealthChecker:"
    text = f"{head} New error added. Error code: [MIE04E010102] , createdBy: daemon"
    console.server("INFO", text, "health_checker.cpp:609")
    text = f"{head} Status changed from SERVICE_NORMAL to SERVICE_ABNORMAL"
    console.server("INFO", text, "health_checker.cpp:600")


def engine_finalised(backend: str, console: Console) -> None:
    """The endpoint begins to stop."""
    console.server("INFO", f"[endpoint] Finalize engine {backend}", "endpoint.cpp:153")
    console.model("INFO", "LLMRuntime thread stop success!", "llm_manager_impl.cpp:319")


def workers_told(workers: Sequence[int], console: Console) -> None:
    """A master's engine ends its workers, which say so themselves."""
    console.model("INFO", "[LlmEngine]Engine stopped successfully.", "llm_engine.cpp:201")
    for pid in workers:
        console.model("INFO", f"Sent SIGTERM to child process {pid}", "executor.cpp:512")
    for pid in workers:
        console.python("INFO", "Python process get signal:15", "main.py-137", pid)


def slave_cannot_finalise(console: Console) -> None:
    """A slave's engine has no way to end its worker, and its end throws."""
    for level, text, place in (
        ("INFO", "Multi Nodes inference slave instance need not finalize.", "llm_manager_impl.cpp:1656"),
        ("ERROR", "Slave nodes cannot call SendAsyncRequest themselves.", "communicator.cpp:445"),
        ("ERROR", "Failed to send finialize message.", "executor.cpp:505"),
        (
            "ERROR",
            "Shut down LLMRuntime failed!. errmsg:Finalize executor failed.",
            "llm_manager_impl.cpp:325",
        ),
    ):
        console.model(level, text, place)
    console.err("terminate called without an active exception")


def children_ended(children: Sequence[tuple[int, int]], console: Console, *, kills: bool = True) -> None:
    """The handler of SIGCHLD: each child's end, and that it ends the daemon."""
    console.server("WARN", exit_signal(17), f"{_DAEMON}:214")
    for pid, status in children:
        code, number = end_of(status)
        console.server("WARN", f"{_WARN} Process {pid} exited", f"{_DAEMON}:220")
        if number:
            text = f"Process {pid} was terminated by signal {number} ({signal.strsignal(number)})"
            console.server("ERROR", f"[MIE04E010109] [daemon] {text}", f"{_DAEMON}:235")
        else:
            text = f"[daemon] Process {pid} exited normally with status {code}"
            console.server("INFO", text, f"{_DAEMON}:227")
    if kills:
        text = f"{_WARN} Successfully handled SIGCHLD, now killing process group"
        console.server("WARN", text, f"{_DAEMON}:260")


def group_killed(console: Console, *, parent: bool = True) -> None:
    """The daemon kills its group; one that is torn down at this point does not come to the third line."""
    console.err(f"Daemon is killing, please wait about {SUBPROCESS_SECONDS} seconds...")
    console.audit("system", "stop endpoint", "success")
    console.audit("system", "stop mindie server", "success")
    if parent:
        console.audit("system", "stop the parent process of endpoint", "success")


def segments_cleaned(console: Console) -> None:
    """The resource tracker of a worker's Python takes the segments away."""
    module = "/usr/local/lib/python3.11/multiprocessing/resource_tracker.py:254"
    text = "There appear to be 9 leaked shared_memory objects to clean up at shutdown"
    console.err(f"{module}: UserWarning: resource_tracker: {text}")
    console.err("  warnings.warn('resource_tracker: There appear to be %d '")


def channels_ended(console: Console) -> None:
    """The executor's threads find their channels empty."""
    for _ in range(3):
        text = "Receive wrong message type: 0. You can ignore this warning if you are shutting down engine."
        console.model("ERROR", text, "executor.cpp:723")
        console.model("WARN", "Terminating HandleRcvMsg", "ipc_communicator.cpp:329")
    console.model("INFO", "[LlmEngine]Engine stopped successfully.", "llm_engine.cpp:201")


def http_stops(console: Console) -> None:
    """The HTTP server closes its ports."""
    console.server("INFO", "[endpoint] Https server stop start.", "http_server.cpp:462")


def still_waiting(second: int, console: Console) -> None:
    """Another second in which a child lives."""
    console.err(f"Waiting for subprocess exits for {second}/{SUBPROCESS_SECONDS} seconds.")


def all_ended(console: Console) -> None:
    """No child is left."""
    console.err("All subprocesses exited gracefully.")
