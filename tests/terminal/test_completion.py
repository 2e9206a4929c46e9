"""Completion as a person has it: a real bash, lingctl's own script installed, and the Tab key."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import forked

CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("LINGCTL_", "COMP_"))}
HOSTS = """\
name: demo
model: Ling-lite
nodes:
  - {address: 192.0.2.11, name: alpha}
  - {address: 192.0.2.12, name: beta}
"""
_SECONDS = 20.0  # for a machine that is busy with others


class Bash:
    """An interactive bash on a terminal of its own."""

    def __init__(self, folder: Path) -> None:
        self.seen = ""
        self.pid, self._terminal = pty.fork()
        if not self.pid:
            os.chdir(folder)
            path = f"{forked.LINGCTL.parent}:{os.environ['PATH']}"
            environment = {
                **CLEAN,
                "HOME": str(folder),
                "PATH": path,
                "TERM": "dumb",
                "PS1": "ready> ",
                "COLUMNS": "200",
            }
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment)

    def types(self, keys: str, until: str) -> str:
        """Type, and give back what the screen shows then; fails where ``until`` never comes."""
        begin = len(self.seen)
        os.write(self._terminal, keys.encode())
        end = time.monotonic() + _SECONDS
        while not re.search(until, self.seen[begin:]):
            assert time.monotonic() < end, self.seen[begin:]
            if select.select([self._terminal], [], [], 1)[0]:
                self.seen += (
                    os.read(self._terminal, 65536).decode(errors="replace").replace("\x07", "")
                )  # the bell
        return self.seen[begin:]

    def end(self) -> None:
        """Close it."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bash]:
    """A bash in a folder with a hosts.yaml, completion installed as the documentation says."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    folder = tmp_path_factory.mktemp("home")
    (folder / "hosts.yaml").write_text(HOSTS)
    shell = Bash(folder)
    try:
        shell.types("bind 'set enable-bracketed-paste off' 2>/dev/null; PS1='ready> '\n", r"ready> $")
        shell.types("lingctl --install-completion; echo installed=$?\n", r"installed=0\r")
        shell.types(". ~/.bash_completions/lingctl.sh; echo sourced=$?\n", r"sourced=0\r\nready> $")
        yield shell
    finally:
        shell.end()


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("lingctl download Ling-pl\t", r"lingctl download Ling-plus"),
        ("lingctl logs --node al\t", r"--node alpha "),
        ("lingctl sandbox break node1 port-t\t", r"port-taken "),
        ("lingctl explain disk-fu\t", r"explain disk-full "),
        ("lingctl help sandbox he\t", r"help sandbox heal "),
        ("lingctl deploy --accept driver-s\t", r"--accept driver-same "),
        ("lingctl render --mindie 3.1\t", r"--mindie 3\.1\.0 "),
        ("lingctl render --engine vllm:0.23\t", r"--engine vllm:0\.23\.0 "),
        ("lingctl smok\t", r"lingctl smoke-test "),
        ("lingctl explain hosts.y\t", r"explain hosts.yaml "),  # no code begins so, and a file does
    ],
)
def test_tab_completes_a_line(bash: Bash, typed: str, becomes: str) -> None:
    try:
        shown = bash.types(typed, becomes)
    finally:
        bash.types("\x15\n", r"ready> $")  # Ctrl-U, so that nothing is run
    assert "Traceback" not in shown and "error:" not in shown


def offered(folder: Path, line: str, **environment: str) -> tuple[list[str], str]:
    """What lingctl tells bash for a line, and what it says beside."""
    words = line.split(" ")
    asks = {
        "_LINGCTL_COMPLETE": "complete_bash",
        "COMP_WORDS": "\n".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    done = forked.run(cwd=folder, env={**CLEAN, "HOME": str(folder), **asks, **environment}, timeout=60)
    assert done.returncode == 0
    return done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    ("line", "among"),
    [
        ("lingctl ", {"deploy", "help", "sandbox"}),
        ("lingctl capacity Ling-", {"Ling-lite", "Ling-plus"}),
        ("lingctl logs --node ", {"alpha", "beta"}),
        ("lingctl render --engine vll", {"vllm", "vllm:0.23.0"}),
        ("lingctl engines ", {"mindie", "vllm"}),
        ("lingctl sandbox up --mindie ", {"1.0.0", "3.0.0"}),
        ("lingctl accept --skip re", {"restart"}),
        ("lingctl download --source mod", {"modelscope"}),
        ("lingctl help pat", {"patch"}),
        ("lingctl help patch ", {"status", "apply", "revert"}),
        ("lingctl rollback ", {"4f1a"}),
        ("lingctl patch app", {"apply"}),
    ],
)
def test_what_is_offered(tmp_path: Path, line: str, among: set[str]) -> None:
    (tmp_path / "hosts.yaml").write_text(HOSTS)
    seen = tmp_path / ".cache/lingctl/releases"
    seen.mkdir(parents=True)
    (seen / "demo").write_text("4f1a\n")
    words, said = offered(tmp_path, line)
    assert among <= set(words)
    assert said == ""


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lingctl sandbox up --model ", ["lite", "plus"]),
        ("lingctl sandbox up --engine ", ["mindie", "vllm"]),
        ("lingctl init --node ", []),  # an address: those of another hosts.yaml are no answer
    ],
)
def test_nothing_is_offered_that_would_be_refused(tmp_path: Path, line: str, words: list[str]) -> None:
    (tmp_path / "hosts.yaml").write_text(HOSTS)
    assert offered(tmp_path, line) == (words, "")


@pytest.mark.parametrize(
    "hosts",
    ["nodes: [", "", "a: &a [*a]", "nodes: 5", "name: 7\nnodes: [x, {address: 'a b'}]", "\x00"],
    ids=range(6),
)
@pytest.mark.parametrize(
    "line", ["lingctl logs --node ", "lingctl rollback ", "lingctl nope ", 'lingctl ask "un', "lingctl "]
)
def test_nothing_goes_wrong_in_words(tmp_path: Path, line: str, hosts: str) -> None:
    (tmp_path / "hosts.yaml").write_text(hosts)
    words, said = offered(tmp_path, line)
    assert said == ""
    assert "Traceback" not in " ".join(words)


def test_a_name_that_a_shell_would_take_for_more_is_not_offered(tmp_path: Path) -> None:
    names = ("a b", "$(reboot)", "x;y", "beta")
    (tmp_path / "hosts.yaml").write_text(f"nodes: [{', '.join(f'{{name: {name!r}}}' for name in names)}]")
    assert offered(tmp_path, "lingctl logs --node ") == (["beta"], "")


def test_a_hosts_yaml_that_is_a_pipe_holds_no_shell(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hosts.yaml")
    begun = time.monotonic()
    assert offered(tmp_path, "lingctl logs --node ") == ([], "")
    assert time.monotonic() - begun < 30
