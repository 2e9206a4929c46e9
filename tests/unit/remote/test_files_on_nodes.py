"""What lingctl's shell programs write on a node, on a real file system: modes after any umask, planted links.

The container may write in the daemon's folder; whoever may write in a folder could put links there.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lingctl.assets import shell
from lingctl.errors import LingctlError, NodeError
from lingctl.flows.look.logs import _FOLLOW, _SHOW
from lingctl.inventory.runtime import DOCKER
from lingctl.program.prepare import prepare
from lingctl.release.record import _PROVED
from lingctl.remote import lock
from lingctl.remote.command import Command, script
from lingctl.remote.local import LocalConnection
from lingctl.remote.putting import put_command
from lingctl.remote.runtime import runtime_script
from lingctl.remote.upload import WriteFile

node = LocalConnection("node1")
SECRET = "root:$6$not-for-everybody\n"


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A file elsewhere that stays as it is, and is not told."""
    path = tmp_path / "secret"
    path.write_text(SECRET)
    path.chmod(0o600)
    return path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "lib/demo"


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs what is to run in the container here; the start script is a daemon that says its process id."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(
        "#!/bin/sh\nshift\n"
        '[ "$1" = -d ] && { echo $$ >"$(dirname "$4")/run/daemon.pid"; exit 0; }\n'
        'shift\nexec "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def ran(command: Command) -> str:
    """What it said, however it ended."""
    done = node.run(command, timeout=60)
    return f"{done.exit_status} {done.stdout}{done.stderr}"


def modes_below(folder: Path) -> set[str]:
    kinds = {True: "folder", False: "file"}
    return {
        f"{kinds[path.is_dir()]} {stat.S_IMODE(path.lstat().st_mode):04o}"
        for path in (folder, *folder.rglob("*"))
    }


def append(state: Path) -> Command:
    return script(shell("change/append"), str(state / "audit.log"), '{"what": "deploy"}')


def start(state: Path) -> Command:
    words = [shell("daemon/start_inside"), "demo", str(state / "start.sh"), str(state / "run"), "digest"]
    return runtime_script(DOCKER, shell("daemon/start"), *words, shell("daemon/log_sizes_inside"), "/nowhere")


def job(state: Path) -> Command:
    return script(shell("job/start"), shell("job/apart"), str(state / "jobs/one"), "echo done")


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_modes_do_not_depend_on_the_umask_of_the_login(mask: int, state: Path, docker: None) -> None:
    with umask(mask):
        assert lock.take(node, str(state), lock.me("lingctl deploy")) is None
        (state / "releases").mkdir(mode=0o750)
        (state / "releases").chmod(0o750)
        with umask(0o027):
            (state / "releases/1.digest.json").touch()
        for command in (append(state), start(state), job(state)):
            assert ran(command).startswith("0 "), command.title
        assert ran(script(_PROVED, str(state / "releases"), "1")).startswith("0 ")
        assert ran(script(shell("job/follow"), str(state / "jobs/one"))).startswith("0 done")
    # The process id is written in the container, by its own umask.
    (state / "run/daemon.pid").unlink()
    assert modes_below(state.parent) == {"folder 0750", "file 0640"}


@pytest.mark.parametrize("name", ["started", "log-sizes"])
def test_what_the_container_put_into_the_daemons_folder_is_not_written_through(
    name: str, state: Path, secret: Path, docker: None
) -> None:
    (state / "run").mkdir(parents=True)
    (state / "run" / name).symlink_to(secret)
    assert ran(start(state)).startswith("0 ")
    assert secret.read_text() == SECRET
    assert not (state / "run" / name).is_symlink()


def test_a_daemons_folder_that_is_a_link_is_refused(state: Path, tmp_path: Path, docker: None) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(0o755)
    elsewhere.chmod(0o755)
    state.mkdir(parents=True)
    (state / "run").symlink_to(elsewhere)
    assert "is a link" in ran(start(state))
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755
    assert not list(elsewhere.iterdir())


def test_the_audit_log_is_not_written_through_a_link(state: Path, secret: Path) -> None:
    state.mkdir(parents=True)
    (state / "audit.log").symlink_to(secret)
    assert "is a link" in ran(append(state))
    assert secret.read_text() == SECRET


def test_a_line_behind_one_that_was_cut_short_stands_alone(state: Path) -> None:
    state.mkdir(parents=True)
    (state / "audit.log").write_text('{"cut')
    assert ran(append(state)).startswith("0 ")
    assert (state / "audit.log").read_text() == '{"cut\n{"what": "deploy"}\n'


def test_a_job_writes_through_no_link(state: Path, secret: Path) -> None:
    (state / "jobs/one").mkdir(parents=True)
    for name in ("out", "err", "pid", "pid.new", "exit", "exit.new"):
        (state / "jobs/one" / name).symlink_to(secret)
    assert ran(job(state)).startswith("0 ")
    assert ran(script(shell("job/follow"), str(state / "jobs/one"))).startswith("0 done")
    assert secret.read_text() == SECRET


def test_the_note_of_a_proved_release_is_not_written_through_a_link(state: Path, secret: Path) -> None:
    state.mkdir(parents=True)
    (state / "1.digest.json").touch()
    (state / "1.proved").symlink_to(secret)
    assert ran(script(_PROVED, str(state), "1")).startswith("0 ")
    assert secret.read_text() == SECRET


def test_a_console_that_is_a_link_is_not_shown(state: Path, secret: Path) -> None:
    state.mkdir(parents=True)
    console = state / "console.log"
    console.symlink_to(secret)
    shown = [
        ran(script(_SHOW, "+1", str(console), 1000)),
        ran(script(_FOLLOW, "-n", "10", str(console))),
        ran(script(shell("daemon/earlier"), str(console), 1, 1000, "nothing", ".")),
    ]
    assert all("$6$" not in text for text in shown)
    assert "is a link" in shown[0] and "is a link" in shown[1]


def test_collect_takes_nothing_that_links_lead_to(
    state: Path, secret: Path, tmp_path: Path, docker: None
) -> None:
    for folder in ("run", "release", "releases", "jobs/one"):
        (state / folder).mkdir(parents=True)
    names = [
        *("run/console.log", "run/console.log.1", "run/started", "run/daemon.pid", "run/log-sizes"),
        *("audit.log", "release/config.json", "releases/1.digest.json", "jobs/one/out"),
    ]
    for name in names:
        (state / name).symlink_to(secret)
    inside = (shell("collect/inside"), shell("daemon/look_inside"))
    gather = runtime_script(
        DOCKER, shell("collect/gather"), *inside, str(state), "demo", "0", "20M", "10", "1000000", ""
    )
    archive = subprocess.run(["sh", "-c", gather.text], capture_output=True, check=True).stdout
    listed = subprocess.run(
        ["tar", "-xzOf", "-"], input=archive, capture_output=True, check=True
    ).stdout.decode("utf-8", "replace")
    assert "$6$" not in listed


def test_collect_waits_for_no_pipe_and_packs_no_endless_file_of_the_container(
    state: Path, docker: None
) -> None:
    (state / "run").mkdir(parents=True)
    for name in ("daemon.exit", "started", "console.log"):
        os.mkfifo(state / "run" / name)
    (state / "run" / "last-started").write_text("d1g35t\n")
    with (state / "run" / "log-sizes").open("wb") as endless:
        endless.truncate(50_000_000)
    inside = (shell("collect/inside"), shell("daemon/look_inside"))
    words = (*inside, str(state), "demo", "0", "20M", "10", "1000000", "")
    gather = runtime_script(DOCKER, shell("collect/gather"), *words)
    packed = subprocess.run(["sh", "-c", gather.text], capture_output=True, check=True, timeout=30).stdout
    listed = subprocess.run(["tar", "-tzvf", "-"], input=packed, capture_output=True, check=True).stdout
    sizes = {
        line.split()[-1].removeprefix("./"): int(line.split()[2]) for line in listed.decode().splitlines()
    }
    assert (
        not sizes.keys() & {"lingctl/daemon.exit", "lingctl/started"} and sizes["lingctl/last-started"] == 7
    )
    assert sizes["lingctl/log-sizes"] <= 5_000_000


@pytest.mark.parametrize("trouble", ["everybody may write", "another user's"])
def test_no_change_begins_in_a_folder_that_others_decide_on(trouble: str, state: Path) -> None:
    state.parent.mkdir(parents=True)
    if trouble == "another user's":
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder to somebody")
        os.chown(state.parent, 12345, 12345)
    else:
        state.parent.chmod(0o777)
    with pytest.raises(LingctlError) as caught:
        lock.take(node, str(state), lock.me("lingctl deploy"))
    assert "others may write" in caught.value.evidence
    assert not (state / "lock").exists()


@pytest.mark.parametrize("trouble", ["everybody may write", "another user's"])
def test_no_program_is_run_that_others_could_have_put_there(trouble: str, state: Path) -> None:
    state.mkdir(parents=True)
    if trouble == "another user's":
        if os.geteuid() != 0:
            pytest.skip("only root can give a folder to somebody")
        os.chown(state, 12345, 12345)
    else:
        state.chmod(0o777)
    with pytest.raises(NodeError) as caught:
        prepare(node, str(state / "node.pyz"))
    assert caught.value.code == "folder-of-others"
    assert str(state) in caught.value.evidence
    assert not list(state.iterdir())


def test_a_folder_for_everybody_above_is_no_trouble_where_nobody_can_rename_ours(state: Path) -> None:
    state.mkdir(parents=True)
    state.parent.chmod(0o1777)
    assert prepare(node, str(state / "node.pyz"))
    assert modes_below(state) == {"folder 0755", "file 0640"}


@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_files_that_are_put_have_their_modes_and_replace_links(
    mask: int, state: Path, secret: Path, tmp_path: Path
) -> None:
    """By the program that a node runs, and by what writes on this machine."""
    state.parent.mkdir()
    state.parent.chmod(0o750)
    for way in ("shell", "here"):
        target = state / way / "release"
        files = [
            WriteFile(str(target / "config.json"), b"{}", 0o640),
            WriteFile(str(target / "start.sh"), b"#!/bin/sh", 0o750),
            WriteFile(str(target / "key.pem"), b"key", 0o600),
        ]
        with umask(mask):
            if way == "here":
                node.put(*files)
            else:
                content = b"".join(file.content for file in files)
                words = ["sh", "-c", put_command(files).text]
                said = subprocess.run(words, input=content, capture_output=True, check=True).stdout
                assert said == b"in place\n" * 3
        (target / "config.json").unlink()
        (target / "config.json").symlink_to(secret)
        node.put(files[0])
        assert not (target / "config.json").is_symlink()
    assert secret.read_text() == SECRET
    assert modes_below(state.parent) == {"folder 0750", "file 0640", "file 0750", "file 0600"}


def test_a_lock_is_taken_over_through_no_link(state: Path, secret: Path) -> None:
    first, second = lock.me("lingctl deploy"), lock.me("lingctl stop")
    assert lock.take(node, str(state), first) is None
    (state / "lock" / first.token).unlink()
    (state / "lock" / first.token).symlink_to(secret)
    over = script(shell("lock/take_over"), str(state), first.token, second.token, "record")
    assert "taken" in ran(over)
    assert secret.read_text() == SECRET
    assert (state / "lock" / second.token).read_text() == "record\n"
