"""The command line itself: quick help, the exit statuses, and errors that a person can act on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lingctl.cli.app import VERBS, of_a_thread
from tests import forked

LINGCTL = str(forked.LINGCTL)
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("LINGCTL_")}
HEAVY = (
    "torch",
    "torch_npu",
    "paramiko",
    "modelscope",
    "jinja2",
    "numpy",
    "requests",
    "pydantic",
    "yaml",
    "rich",
)
HOSTS = "name: demo\nmodel: Ling-lite\nnodes:\n  - address: 127.0.0.1\n"


def lingctl(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, without a terminal."""
    return forked.run(*words, cwd=cwd, env={**CLEAN, **environment}, timeout=120)


def test_help_imports_nothing_heavy(tmp_path):
    code = (
        "import sys; sys.argv = ['lingctl', '--help']\n"
        "from lingctl.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stderr.strip() == "[]"
    for verb in VERBS:
        assert verb in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, tmp_path):
    done = lingctl(verb, "-h", cwd=tmp_path)
    assert done.returncode == 0
    assert f"lingctl {verb}" in done.stdout
    assert not done.stderr


@pytest.mark.parametrize(
    "words", [("--version",), ("deploy",), ("models", "--json"), ("render", "--no-such-option"), ("nope",)]
)
def test_the_installed_command_does_what_the_tests_fork(words, tmp_path):
    installed = subprocess.run(
        [LINGCTL, *words], cwd=tmp_path, env=CLEAN, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    fork = lingctl(*words, cwd=tmp_path)
    assert (installed.returncode, installed.stdout) == (fork.returncode, fork.stdout)
    assert installed.stderr == fork.stderr


# What a verb loads before it finds that there is nothing to do, each time that it is started.
NEEDLESS = {
    "models": ("paramiko", "cryptography", "yaml", "jinja2", "http.client", "numpy", "unittest"),
    "convert": ("paramiko", "cryptography", "yaml", "jinja2", "http.client", "numpy", "unittest"),
    "deploy": ("jinja2", "numpy", "modelscope", "requests", "invoke", "asyncio", "unittest"),
    "sandbox": ("paramiko", "numpy", "yaml", "jinja2", "http.client", "unittest"),
    # What judges is loaded while nodes are logged in to.
    "check-network": ("lingctl.flows.network.check", "jinja2", "numpy", "modelscope", "requests"),
}


@pytest.mark.parametrize("verb", NEEDLESS)
def test_a_verb_loads_nothing_that_it_does_not_need(verb, tmp_path):
    words = {
        "convert": ["convert", "nothing"],
        "sandbox": ["sandbox", "status", "--dir", "nothing"],
        "check-network": ["check-network", "--nodes", "nothing"],
    }
    code = (
        f"import sys; sys.argv = ['lingctl', *{words.get(verb, [verb])!r}]\n"
        "from lingctl.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted(set(sys.modules) & set({NEEDLESS[verb]!r})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stderr.splitlines()[-1] == "[]", done.stderr


def test_the_four_named_verbs_are_spelt_as_users_know_them(tmp_path):
    assert {"check-network", "convert", "deploy", "smoke-test"} <= set(VERBS)
    assert "--nodes" in lingctl("deploy", "-h", cwd=tmp_path).stdout


@pytest.mark.parametrize("verb", ["deploy", "status", "logs", "stop"])
def test_without_hosts_yaml_it_says_how_to_write_one(verb, tmp_path):
    done = lingctl(verb, cwd=tmp_path)
    assert done.returncode == 2
    assert "hosts.yaml: there is no such file" in done.stderr
    assert "lingctl init" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_typo_is_named_with_its_place(tmp_path):
    (tmp_path / "hosts.yaml").write_text(HOSTS.replace("model:", "modle:"))
    done = lingctl("deploy", cwd=tmp_path)
    assert done.returncode == 2
    assert "hosts.yaml:2:1: unknown key 'modle'" in done.stderr
    assert "did you mean 'model'?" in done.stderr


def test_errors_are_documents_too(tmp_path):
    done = lingctl("deploy", "--json", cwd=tmp_path)
    document = json.loads(done.stdout)
    assert document["document"] == "error"
    assert document["exit_status"] == done.returncode == 2
    assert document["code"] == "hosts-missing"


def test_debug_shows_the_traceback(tmp_path):
    done = lingctl("--debug", "deploy", cwd=tmp_path)
    assert "Traceback" in done.stderr


def test_a_node_that_is_down_is_named(tmp_path):
    (tmp_path / "hosts.yaml").write_text(HOSTS + "    ssh: {port: 9}\nssh: {key: key}\n")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    done = lingctl("status", cwd=tmp_path)
    assert done.returncode == 4
    assert "127.0.0.1" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_ends_at_once_and_says_what_to_do(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ssh = f"ssh: {{port: {silent.getsockname()[1]}, key: key}}\n"
        (tmp_path / "hosts.yaml").write_text(HOSTS + ssh)
        process = subprocess.Popen([LINGCTL, "status"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        silent.accept()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        # Far less than the handshake's own time limits; the margin is for a busy machine.
        said = process.communicate(timeout=9)[1]
    assert process.returncode == 130
    assert "interrupted" in said
    assert "run the same command again" in said
    assert "Traceback" not in said


def test_init_writes_what_deploy_reads(tmp_path):
    assert lingctl("init", "--model", "ling-plus", cwd=tmp_path).returncode == 0
    assert "model: Ling-plus" in (tmp_path / "hosts.yaml").read_text()
    again = lingctl("init", cwd=tmp_path)
    assert again.returncode == 2
    assert "--force" in again.stderr
    nowhere = lingctl("init", "-o", "no/such/folder/hosts.yaml", cwd=tmp_path)
    assert (nowhere.returncode, "No such file or directory" in nowhere.stderr) == (2, True)
    assert lingctl("init", "--mindie", "9.9", "-o", "other.yaml", cwd=tmp_path).returncode == 2
    assert not (tmp_path / "other.yaml").exists()


def test_a_model_that_does_not_exist_gets_a_suggestion(tmp_path):
    done = lingctl("init", "--model", "Ling-lit", cwd=tmp_path)
    assert done.returncode == 2
    assert "did you mean Ling-lite?" in done.stderr


def test_plain_text_in_a_pipe(tmp_path):
    done = lingctl("init", "--show", cwd=tmp_path)
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.parametrize("debug", ["", "1"])
def test_the_traceback_of_a_thread_is_for_debug_alone(debug, monkeypatch, capsys):
    monkeypatch.setattr(threading, "excepthook", of_a_thread)
    monkeypatch.setenv("LINGCTL_DEBUG", debug)
    thread = threading.Thread(target=lambda: {}["lost"])
    thread.start()
    thread.join()
    assert ("KeyError: 'lost'" in capsys.readouterr().err) == bool(debug)


def test_the_command_line_takes_over_what_threads_end_with(tmp_path):
    code = (
        "import sys, threading; sys.argv = ['lingctl', '--version']\n"
        "from lingctl.cli import app\n"
        "try:\n    app.main()\nexcept SystemExit:\n    pass\n"
        "print(threading.excepthook is app.of_a_thread)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] == "True", done.stderr
