"""Processes of serving engines are known by what they call themselves."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lingctl.node.daemons import running_daemons
from tests.engine_node import wait_until


def found(pid: int) -> str:
    return next((f"{one.engine}: {one.program}" for one in running_daemons() if one.pid == pid), "")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("mindieservice_daemon", "MindIE: mindieservice_daemon"),
        ("VLLM::EngineCore", "vLLM: VLLM::EngineCore"),
        ("VLLM::Worker_TP0", "vLLM: VLLM::Worker_TP0"),
        ("sleep", ""),
    ],
)
def test_a_process_is_told_by_its_own_name(name: str, told: str):
    with subprocess.Popen(["bash", "-c", f"exec -a {name} sleep 60"]) as process:
        try:
            wait_until(lambda: Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(name.encode()))
            assert found(process.pid) == told
        finally:
            process.kill()


def test_a_script_of_vllm_is_told_behind_its_interpreter(tmp_path: Path):
    script = tmp_path / "vllm"
    script.write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    with subprocess.Popen([sys.executable, script, "serve"], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout and process.stdout.readline() == b"up\n"
            assert found(process.pid) == "vLLM: vllm"
        finally:
            process.kill()


def test_one_whose_files_this_user_may_not_see_may_be_of_this_system(monkeypatch: pytest.MonkeyPatch):
    look = os.stat

    def refuse(path: str, **more: bool) -> os.stat_result:
        if str(path).startswith("/proc/") and str(path).endswith("/root/"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return look(path, **more)

    with subprocess.Popen(["bash", "-c", "exec -a mindieservice_daemon sleep 60"]) as process:
        try:
            wait_until(lambda: Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(b"mindie"))
            monkeypatch.setattr(os, "stat", refuse)
            assert found(process.pid) == "MindIE: mindieservice_daemon"
        finally:
            process.kill()
