"""Our program on a node made ready: one look, a Python found, and what differs of its files pushed in one go.

A verb that works on nodes says where there (the host, an image, a container) and what type its answer has:

    program = prepare(connection, cluster.layout.program, InImage(cluster.runtime, image))
    ready = program.ask(Ready, "fetch", "ready", folder)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lingctl.assets import shell
from lingctl.errors import NodeError
from lingctl.inventory.runtime import Runtime
from lingctl.program import pack
from lingctl.program.node_program import NodeProgram, Python
from lingctl.remote.command import Command, script
from lingctl.remote.connection import Connection
from lingctl.remote.runtime import call, image_command
from lingctl.remote.upload import WriteFile
from lingctl.remote.wire.numbers import whole_number

_DIGESTS = (
    shell("ask/trusted")
    + """
module=$1
shift
others=$(others_decide "${1%/*}")
[ -z "$others" ] || echo "$others" | sed "s/^/others-decide /"
sums=$(sha256sum "$@" 2>/dev/null)
echo "$sums"
"""
)
# $1 digest of our program, $2 module, $3 the program, then its words. ``look_for`` is what ``_look`` gives.
_ASK = """
digest=$1 program=$3
look_for "$2" "$3"
shift 3
if [ -n "$usable" ] && [ -z "$others" ] && [ "${sums%% *}" = "$digest" ]; then
  echo "what it says:"
  exec "$usable" -IS "$program" "$@"
fi
"""
_MARK = "what it says:"
_PYTHONS = shell("ask/pythons")
_OLDEST = (3, 9)


@dataclass(frozen=True, slots=True)
class InImage:
    """On the host, or by an image's Python where the host has none."""

    runtime: Runtime
    image: str  # of a container that is made for one call and given the folders, each as ``HOST:INSIDE``
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class InContainer:
    """By the Python of a running container, which has the program's folder at the same path."""

    runtime: Runtime
    name: str
    lacking: str  # what there is none of without the container, and the code of that error
    code: str


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is looked for on a node before our program can run there; see ``prepare`` for the fields."""

    path: str
    where: InImage | InContainer | None = None
    through: tuple[str, ...] = ()
    files: tuple[WriteFile, ...] = ()
    module: str = ""

    @property
    def look(self) -> Command:
        """Asks the node what there is; ``finish`` takes what it says."""
        paths = [self.path, *(file.path for file in self.files)]
        return script(_look(self.where), self.module, *paths, title="look for our program")

    def look_and_ask(self, *words: str | int) -> Command:
        """As ``look``; and where our program is as it should be, nobody else may have written it and the host
        has a Python, it is run at once, with the standard library alone. ``apart`` tells the two answers from
        each other."""
        body = f"look_for() {{\n{_look(self.where)}\n}}\n{_ASK}"
        title = "look for our program, ask it"
        return script(body, self._program.digest, self.module, self.path, *words, title=title)

    @property
    def _program(self) -> WriteFile:
        return WriteFile(self.path, pack.build(), 0o640)

    def at(self, connection: Connection) -> NodeProgram:
        """The program on a node; see ``prepare``."""
        return self.finish(connection, connection.run(self.look, timeout=60).stdout)

    def finish(self, connection: Connection, said: str) -> NodeProgram:
        """Push what differs. Raises NodeError: see ``prepare``."""
        files = [self._program, *self.files]
        _need_own_folder(connection.node, self.path, said)
        pythons = _pythons(said)
        before = _before(connection.node, self.where, said, pythons, self.through)
        differ = [file for file in files if file.digest not in said]
        if differ:
            connection.put(*differ)
        return NodeProgram(connection, *before, self.path, pythons=pythons)


def prepare(
    connection: Connection,
    path: str,
    where: InImage | InContainer | None = None,
    *,
    through: Sequence[str] = (),
    files: Sequence[WriteFile] = (),
    module: str = "",
) -> NodeProgram:
    """Look at a node once, find a Python there, and push in one go what differs of the program and its files.

    Args:
        where: what runs it; None for the host alone.
        through: words before Python's that run what comes behind them.
        module: that the host's Python is wanted to have; one without it is taken where none has it.

    Raises:
        NodeError: no Python that could run it (code ``no-python``), the container does not run, or others may
            write where the program lies (code ``folder-of-others``).
    """
    return Preparation(path, where, tuple(through), tuple(files), module).at(connection)


def apart(said: str) -> tuple[str, str | None]:
    """Of what a node says to ``look_and_ask``: what is there, and what our program says if it was run."""
    look, mark, answer = said.partition(f"{_MARK}\n")
    return look, answer if mark else None


def _need_own_folder(node: str, path: str, said: str) -> None:
    mark = "others-decide "
    odd = [line.removeprefix(mark) for line in said.splitlines() if line.startswith(mark)]
    if odd:
        folder = path.rpartition("/")[0]
        raise NodeError(
            "others may write where lingctl keeps the programs that it runs",
            where=f"{node}: {folder}",
            evidence="\n".join(odd[:2]),
            code="folder-of-others",
        )


def _look(where: InImage | InContainer | None) -> str:
    if isinstance(where, InContainer):
        status = call(where.runtime, "inspect", "--format", "container {{.State.Status}}", where.name)
        return f'{_DIGESTS}{status} 2>/dev/null || echo "container absent"'
    if isinstance(where, InImage):
        image = image_command(where.runtime, where.image)
        return f'{_DIGESTS}{_PYTHONS}[ -n "$usable" ] || {{ {image} >/dev/null 2>&1 && echo image; }}'
    return _DIGESTS + _PYTHONS


def _before(
    node: str,
    where: InImage | InContainer | None,
    said: str,
    pythons: Sequence[Python],
    through: Sequence[str],
) -> tuple[str, ...]:
    """The words that run a Python there."""
    lines = said.splitlines()
    if isinstance(where, InContainer):
        status = lines[-1].removeprefix("container ") if lines else "unknown"
        if status != "running":
            raise NodeError(
                f"container {where.name} is {status}, so there is {where.lacking}",
                where=node,
                code=where.code,
            )
        return (where.runtime.program, "exec", where.name, *through, "python3")
    usable = [python for python in pythons if python.version >= _OLDEST]
    if usable:
        # The one that has what is wanted, where there is one.
        return (*through, max(usable, key=lambda python: python.has_module).name)
    if where is None:
        raise NodeError(
            "no Python 3.9 or newer is there", where=node, remedy="install python3", code="no-python"
        )
    runtime, image = where.runtime, where.image
    if "image" not in lines:
        raise NodeError(
            "neither Python 3.9 nor the container image is there to run lingctl's node program",
            where=node,
            remedy=f"install python3, or get the image: {runtime.program} pull {image}",
            code="no-python",
        )
    mounts = [word for folder in where.folders for word in ("-v", folder)]
    options = ("--rm", "--network", "none", *runtime.run_options, *mounts)
    return (runtime.program, "run", *options, image, *through, "python3")


def _pythons(said: str) -> tuple[Python, ...]:
    found = []
    for line in said.splitlines():
        words = line.split(maxsplit=5)
        version = tuple(map(whole_number, words[1:3]))
        if len(words) == 6 and words[0] == "python" and version[0] is not None and version[1] is not None:
            found.append(Python((version[0], version[1]), words[3] == "1", words[4], words[5]))
    return tuple(found)
