"""What the tests of the real vLLM ask a node and lingctl."""

from __future__ import annotations

from typing import Any

from tests.sandbox.live import Live, Result

# What listens has its command line; the others have a title in the place of theirs.
PARENT, ENGINE, WORKER = "bin/vllm serve", "VLLM::EngineCore", "VLLM::Worker"


def processes(live: Live, node: str) -> list[str]:
    """Titles of vLLM's processes on a node."""
    lines = live.on(node, "ps -eo args").stdout.splitlines()
    return [line for line in lines if any(title in line for title in (PARENT, ENGINE, WORKER))]


def kill(live: Live, node: str, title: str) -> None:
    """End a process at once, as the kernel does where memory runs out, and wait until it is gone."""
    # In brackets the pattern does not match the command that has it.
    pattern = f"[{title[0]}]{title[1:]}"
    assert live.on(node, f"pkill -9 -f '{pattern}'").status == 0
    live.until(node, f"! pgrep -f '{pattern}'")


def status(live: Live) -> dict[str, Any]:
    """``lingctl status --json``."""
    document: dict[str, Any] = live.lingctl("status", "--json").document
    return document


def changed(result: Result) -> set[str]:
    """Titles of the steps of a plan that did something."""
    return {step["title"] for step in result.document["plan"]["steps"] if step["state"] == "change"}


def settings(live: Live, name: str, more: str) -> dict[str, dict[str, str]]:
    """Options for a run with settings added to hosts.yaml."""
    hosts = live.directory.parent / f"{name}.yaml"
    hosts.write_text(live.hosts.read_text() + more)
    return {"environment": {"LINGCTL_NODES": str(hosts)}}
