"""Whose tree MindIE runs from, judged by what each process really uses."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lingctl.node import daemons
from lingctl.node.overlay import running
from lingctl.node.process import Process
from lingctl.node.trouble import Trouble
from tests.node_overlay.trees import do, make_tree

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
BARE = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


@contextmanager
def daemon(
    folder: Path, *before: str, env: dict[str, str] | None = None, cwd: str = "/", name: str = ""
) -> Iterator[int]:
    """A process of MindIE's name that has begun."""
    program = folder / (name or "mindieservice_daemon")
    program.write_text("import sys, time\nprint('up', flush=True)\ntime.sleep(600)\n")
    process = subprocess.Popen(
        [*before, sys.executable, str(program)], env={**BARE, **(env or {})}, cwd=cwd, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"up\n"
        yield process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def seen(root: Path, pid: int) -> list[daemons.Daemon]:
    return [one for one in running.daemons_of(str(root)) if one.pid == pid]


@pytest.mark.parametrize("env", [{}, {"ATB_SPEED_HOME_PATH": "/nonexistent"}, {"PYTHONPATH": "/tmp"}])
def test_a_daemon_elsewhere_on_the_machine_does_not_count(tmp_path: Path, root: Path, env: dict[str, str]):
    with daemon(tmp_path, env=env) as pid:
        assert seen(root, pid) == []
        assert do("apply", root)["changed"]
        assert do("revert", root)["changed"]


@pytest.mark.parametrize("by", ["PYTHONPATH", "home", "parent of home", "works beside", "works inside"])
def test_a_daemon_of_this_tree_is_named_with_its_user_and_command(tmp_path: Path, root: Path, by: str):
    env, cwd = {}, "/"
    if by == "PYTHONPATH":
        env = {"PYTHONPATH": f"/nowhere:{root.parent}"}
    elif by == "home":
        env = {"ATB_SPEED_HOME_PATH": str(root)}
    elif by == "parent of home":
        env = {"ATB_SPEED_HOME_PATH": str(root.parent)}
    else:
        cwd = str(root.parent if by == "works beside" else root / "models")
    with daemon(tmp_path, env=env, cwd=cwd) as pid:
        with pytest.raises(Trouble, match="MindIE runs from this tree") as refused:
            do("apply", root)
        evidence = refused.value.evidence
        assert f"mindieservice_daemon (pid {pid}) of " in evidence
        # A long command is cut.
        assert f"{sys.executable} {tmp_path}/mindieservice_daemon"[:60] in evidence
        assert refused.value.code == "overlay-running"


def test_what_it_was_told_comes_before_what_lies_beside_it(tmp_path: Path, root: Path):
    other = make_tree(tmp_path / "other")
    with daemon(tmp_path, env={"PYTHONPATH": str(other.parent)}, cwd=str(root.parent)) as pid:
        assert seen(root, pid) == []
        (one,) = seen(other, pid)
        assert one.uses is True and "PYTHONPATH" in one.why


@needs_root
def test_the_same_path_in_other_mounts_is_another_tree(tmp_path: Path, root: Path):
    """As with a container: its own tree at the path where this system has another."""
    other = make_tree(tmp_path / "other")
    enter = ["unshare", "--mount", "sh", "-c", f'mount --bind "{other}" "{root}" && exec "$@"', "sh"]
    with daemon(tmp_path, *enter, env={"ATB_SPEED_HOME_PATH": str(root)}) as pid:
        assert seen(root, pid) == []
        (one,) = seen(other, pid)
        assert one.uses is True
        assert do("apply", root)["changed"]
        with pytest.raises(Trouble, match="MindIE runs from this tree"):
            do("apply", other)


@needs_root
def test_a_tree_of_this_system_mounted_into_a_container_is_this_tree(tmp_path: Path, root: Path):
    inside = tmp_path / "inside"
    inside.mkdir()
    enter = ["unshare", "--mount", "sh", "-c", f'mount --bind "{root}" "{inside}" && exec "$@"', "sh"]
    with daemon(tmp_path, *enter, env={"ATB_SPEED_HOME_PATH": str(inside)}) as pid:
        (one,) = seen(root, pid)
        assert one.uses is True


def as_nobody(root: Path) -> str:
    """What one who is not root is told, a line for each process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgid(65534)
            os.setuid(65534)
            for one in running.daemons_of(str(root)):
                os.write(writing, f"{one.uses} {one}\n".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        text = told.read()
    os.waitpid(child, 0)
    return text


@needs_root
def test_what_may_not_be_read_is_unknown_and_said(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
):
    """Another user's process, for one who is not root."""
    for path in (tmp_path, *tmp_path.parents[:-2]):
        path.chmod(path.stat().st_mode | 0o755)
    with daemon(tmp_path, env={"ATB_SPEED_HOME_PATH": str(root)}) as pid:
        told = as_nobody(root)
        (line,) = [line for line in told.splitlines() if f"(pid {pid})" in line]
        assert line.startswith("None ") and "of root" in line and "may not be read by this user" in line

        files = Process.files

        def closed(process: Process) -> list[str]:
            if process.pid == pid:
                raise PermissionError(13, "Permission denied")
            return files(process)

        monkeypatch.setattr(Process, "files", closed)
        with pytest.raises(Trouble, match="it cannot be told whether MindIE runs from this tree") as refused:
            do("apply", root)
        assert refused.value.code == "overlay-running-unknown" and f"(pid {pid})" in refused.value.evidence
        assert do("apply", root, allow_running=True)["changed"]


@pytest.mark.parametrize(
    "words", ["tail -f mindieservice_daemon", "vim mindie_llm_server", "python3 -m pytest"]
)
def test_a_process_that_only_names_it_is_none(words: str):
    assert daemons._program(words.split()) == ""


@pytest.mark.parametrize(
    "words",
    [
        "/a/bin/mindieservice_daemon --config x",
        "/usr/bin/python3.11 -u /a/mindie_llm_server",
        "bash ./mindie_llm_server",
    ],
)
def test_a_program_or_a_script_of_its_name_is_one(words: str):
    assert daemons._program(words.split()) in words


def test_an_absolute_link_of_a_process_is_followed_below_its_own_root(tmp_path: Path):
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("another root needs root")
    own = tmp_path / "root"
    for name in ("bin", "lib", "lib64", "usr"):
        if Path(f"/{name}").exists():
            (own / name).mkdir(parents=True)
    (own / "real").mkdir()
    (own / "link").symlink_to("/real")
    system = [path for path in own.iterdir() if path.name not in ("real", "link")]
    mounts = " && ".join(f'mount --rbind "/{path.name}" "{path}"' for path in system)
    line = f'{mounts} && exec chroot "{own}" /bin/sh -c "echo up; exec sleep 600"'
    process = subprocess.Popen(["unshare", "--mount", "sh", "-c", line], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"up\n"
        found = Process(process.pid).identity("/link/../link")
        status = (own / "real").stat()
        assert found == (status.st_dev, status.st_ino)
        assert Process(process.pid).identity("/nothing/there") is None
    finally:
        process.kill()
        process.wait()
