"""Two bare machines with Python 3.9 and nothing installed pass weights on to each other."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from lingctl.flows.weights.spread.certificates import Authority
from lingctl.program import pack as node_program
from tests.pythons import node_python


def _folder(path: Path, authority: Authority, key: str, name: str, request: dict[str, Any]) -> None:
    tls = path / ".download" / "tls"
    tls.mkdir(parents=True)
    (tls / "ca.pem").write_bytes(authority.certificate)
    (tls / f"{key}.pem").write_bytes(authority.issue(name))
    (path / ".download" / "request.json").write_text(json.dumps(request))


def test_gives_and_takes(tmp_path: Path) -> None:
    python, program = node_python(), tmp_path / "node.pyz"
    program.write_bytes(node_program.build())

    def fetch(verb: str, folder: Path) -> dict[str, Any]:
        words = [python, "-I", "-S", str(program), "fetch", verb, str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    content = os.urandom(2_500_000)
    sha256 = hashlib.sha256(content).hexdigest()
    files = [{"path": "a.safetensors", "size": len(content), "sha256": sha256}]
    authority = Authority()
    gives, takes = tmp_path / "gives", tmp_path / "takes"
    base = {"repository": "", "files": files}
    _folder(gives, authority, "serve", "node-0", {**base, "source": "folder", "host": "127.0.0.1"})
    (gives / "a.safetensors").write_bytes(content)
    port = fetch("ready", gives)["port"]
    try:
        upstreams = [["node-0", "127.0.0.1", port]]
        _folder(takes, authority, "fetch", "node-1", {**base, "source": "peer", "upstreams": upstreams})
        assert fetch("get", takes)["fetched_files"] == 1
    finally:
        assert fetch("stop", gives)["serving"] is True
    assert (takes / "a.safetensors").read_bytes() == content
