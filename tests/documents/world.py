"""Where commands of documents are typed: a folder for each page, an emulated cluster that all share."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests import forked
from tests.documents.blocks import Block, Typed, blocks_of
from tests.documents.parsing import simple_commands
from tests.sandbox.live import TIME_SCALE

FILES = Path(__file__).with_name("files")
# Figures of a real site, made small.
INSTEAD = {
    "sandbox up": f"sandbox up --time-scale {TIME_SCALE}",
    "lingctl ask": "lingctl ask --max-tokens 12",
    "lingctl bench": "lingctl bench --requests 4 --input-len 24 --output-len 8",
    "--requests 500": "--requests 4",
    "--requests 1000": "--requests 4",
    "--rate 4": "--rate 50",
    "--concurrency 32": "--concurrency 2",
    "--concurrency 64": "--concurrency 2",
    "--input-len 1024": "--input-len 24",
    "--output-len 256": "--output-len 8",
    "--sweep": "--sweep --max-concurrency 2",
}
# What asks is answered; a test of its own shows that a reader who does not answer changes nothing.
ASKING = re.compile(
    r"lingctl (deploy|restart|stop|rollback|check-network .*--fix-tls|patch (apply|revert))\b"
)
FOLLOWING = frozenset({"-f", "--follow", "--watch"})
LIMIT_SECONDS = 180


@dataclass(frozen=True)
class Ran:
    """How a command ended, its answer (standard output) and what else it said (standard error)."""

    status: int
    answer: str
    said: str


@dataclass
class World:
    """The folders below ``root``; ``deployed`` once the README's deploy is through."""

    root: Path
    deployed: bool = False

    @property
    def sandbox(self) -> Path:
        """The sandbox's own folder."""
        return self.root / ".lingctl-sandbox"

    def folder(self, block: Block) -> Path:
        """Where the block is typed; made for the first block of a page that is typed in such a place."""
        if block.has("first") or block.has("last"):
            return self.root
        folder = self.root / block.where / "-".join(block.page.with_suffix("").parts[-2:])
        if folder.exists():
            return folder
        folder.mkdir(parents=True)
        own = FILES / block.page.stem
        if own.is_dir():
            shutil.copytree(own, folder, dirs_exist_ok=True)
        for other in blocks_of(block.page):
            if other.kind == "file":
                (folder / other.details).write_text("\n".join((*other.text, "")))
        if block.where == "cluster":
            shutil.copy(self.sandbox / "hosts.yaml", folder)
            for name in (".lingctl-sandbox", ".lingctl-demo"):
                (folder / name).symlink_to(self.sandbox)
        return folder

    def type(self, block: Block, typed: Typed) -> Ran:
        """Type a command as the page has it, but for figures, and names that a page cannot know."""
        line = typed.command
        for old, new in INSTEAD.items():
            line = re.sub(rf"{re.escape(old)}(?![\w-]| compare)", new, line)
        line = line.replace("/root/models/", f"{self.sandbox}/checkpoint/")
        if "http://host:8000/v1" in line:
            line = line.replace("http://host:8000/v1", self._service())
        line = re.sub(r"\s+#\s.*", "", line)
        if ASKING.search(line) and not re.search(r"--(yes|dry-run)\b", line):
            line += " --yes"
        ran = self._run(self.folder(block), line)
        here = {f"{self.sandbox}/checkpoint/": "/root/models/", f"{self.folder(block)}/": ""}
        for ours, theirs in here.items():
            ran = Ran(ran.status, ran.answer.replace(ours, theirs), ran.said.replace(ours, theirs))
        return ran

    def _service(self) -> str:
        cluster = yaml.safe_load((self.sandbox / "hosts.yaml").read_text())
        return f"http://{cluster['nodes'][0]['address']}:1025/v1"

    def _run(self, folder: Path, line: str) -> Ran:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LINGCTL_")}
        environment = kept | {"PATH": f"{forked.LINGCTL.parent}:{os.environ['PATH']}", "HOME": str(self.root)}
        commands = simple_commands(line)
        if len(commands) == 1 and commands[0][0] == "lingctl" and ">" not in line:
            started = forked.started([forked.LINGCTL, *commands[0][1:]], **self._streams(folder, environment))
        else:
            started = subprocess.Popen(["bash", "-c", line], **self._streams(folder, environment))
        follows = bool(FOLLOWING & set(commands[0]))
        with started as process:
            if follows:  # without an end of its own: until there is something to read, or it has ended
                select.select([process.stdout], [], [], LIMIT_SECONDS)
                process.send_signal(signal.SIGINT)
            try:
                answer, said = process.communicate(timeout=LIMIT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                answer, said = process.communicate()
        status = 0 if follows and process.returncode == 128 + signal.SIGINT else process.returncode
        return Ran(status, answer, said)

    @staticmethod
    def _streams(folder: Path, environment: dict[str, str]) -> dict[str, object]:
        pipe = subprocess.PIPE
        return {
            "cwd": folder, "env": environment, "stdin": subprocess.DEVNULL, "stdout": pipe, "stderr": pipe,
            "text": True,
        }  # fmt: skip
